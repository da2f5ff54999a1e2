//! GatherElements: for every place of known indices, the element at that index of one axis.

use brickwork_tensor::{for_each_offset, row_major};

use super::indexing::{same_for_all, taken};
use crate::error::OpError;
use crate::read::{Read, Reading, Whole, axis_of};
use crate::shape::{Dim, Int, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let axis = axis_of(reading.int_or("axis", 0)?, shape.rank())?;
    let Some(indices) = reading.operand(1).whole() else {
        return Err(OpError::new("the indices (operand 1) must be known whole numbers"));
    };
    if shape.batch_axis() == Some(axis) {
        return Err(OpError::new("it gathers along the batch"));
    }
    let sources = sources(&shape, axis, &indices)?;
    let mut result = Shape::fixed(indices.data.shape());
    if let Some(batch) = shape.batch_axis() {
        same_for_all(reading, &indices, batch)?;
        result.0[batch] = Dim::Batch(result.0[batch].at(1));
    }
    taken(reading, &sources, result)
}

/// Where the elements come from, among the row-major ones of a sample.
fn sources(shape: &Shape, axis: usize, indices: &Whole) -> Result<Vec<usize>, OpError> {
    let (extents, own) = (shape.sample(), indices.data.shape());
    let fits =
        own.len() == extents.len() && (0..own.len()).all(|k| k == axis || own[k] <= extents[k]);
    if !fits {
        return Err(OpError::new(format!("indices of shape {own:?} do not fit {shape}")));
    }
    let strides = row_major(&extents);
    let mut others: Vec<isize> = strides.iter().map(|&stride| stride as isize).collect();
    others[axis] = 0;
    let mut bases = Vec::with_capacity(indices.data.data().len());
    for_each_offset(own, &others, 0, |at| bases.push(at));
    let index = |x: &Int| {
        let fixed = x.fixed().ok_or_else(|| OpError::new("an index depends on the batch"))?;
        Ok(axis_of(fixed, extents[axis])? * strides[axis])
    };
    let along = indices.data.data().iter().map(index);
    bases.into_iter().zip(along).map(|(base, along)| along.map(|along| base + along)).collect()
}
