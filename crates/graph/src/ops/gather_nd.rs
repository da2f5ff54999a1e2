//! GatherND: slices at known places. Of computed values, the elements of each sample in another order.

use super::indexing::{places, same_for_all, taken};
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::{Dim, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let outer = usize::try_from(reading.int_or("batch_dims", 0)?).unwrap_or(usize::MAX);
    let shape = reading.shape(0)?;
    let Some(indices) = reading.operand(1).whole() else {
        return Err(OpError::new("the indices (operand 1) must be known whole numbers"));
    };
    let fixed = Shape::fixed(&shape.sample());
    let starts = places(Some(&indices), &fixed, outer)?;
    let (last, rest) =
        indices.data.shape().split_last().ok_or_else(|| OpError::new("no indices"))?;
    let slice = fixed.sample().get(outer + last..).unwrap_or_default().to_vec();
    let size: usize = slice.iter().product();
    let sources: Vec<usize> = starts.iter().flat_map(|&at| at..at + size).collect();
    let mut result = Shape::fixed(&[rest, &slice].concat());
    if let Some(batch) = shape.batch_axis() {
        if batch != 0 || outer == 0 {
            return Err(OpError::new("it gathers along the batch"));
        }
        same_for_all(reading, &indices, batch)?;
        result.0[0] = Dim::Batch(shape.0[0].at(1));
    }
    taken(reading, &sources, result)
}
