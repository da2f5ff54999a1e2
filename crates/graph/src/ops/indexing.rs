//! What operators share that take elements at places listed in an array.

use brickwork_tensor::{Nd, row_major};

use super::formula::Formula;
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Known, Read, Reading, Whole, axis_of};
use crate::shape::{Dim, Int, Shape};

/// Where the slices begin that `indices` `[..., k]` name, in the row-major elements of a value of `shape`.
/// The first `outer` axes of both run side by side.
///
/// # Errors
/// If the indices are unknown, depend on the batch or lie outside.
pub(crate) fn places(
    indices: Option<&Whole>,
    shape: &Shape,
    outer: usize,
) -> Result<Vec<usize>, OpError> {
    let indices = indices.ok_or_else(|| OpError::new("the indices must be known whole numbers"))?;
    let extents = shape.extents().ok_or_else(|| OpError::new("it indexes the batch"))?;
    let strides = row_major(&extents);
    let own = indices.data.shape();
    let named = own.last().copied().unwrap_or(0);
    let fits = outer < own.len()
        && outer + named <= extents.len()
        && named > 0
        && own[..outer] == extents[..outer];
    if !fits {
        return Err(OpError::new(format!(
            "indices of shape {own:?} do not fit a value of {shape}"
        )));
    }
    let blocks: usize = own[..outer].iter().product();
    let each = indices.data.data().len() / blocks.max(1);
    let block: usize = extents[outer..].iter().product();
    let place = |(row, index): (usize, &[Int])| {
        let mut at = row * named / each.max(1) * block;
        for (k, index) in index.iter().enumerate() {
            let axis = outer + k;
            let fixed =
                index.fixed().ok_or_else(|| OpError::new("an index depends on the batch"))?;
            at += axis_of(fixed, extents[axis])? * strides[axis];
        }
        Ok(at)
    };
    indices.data.data().chunks(named).enumerate().map(place).collect()
}

/// Makes sure that `indices` into a value whose samples lie along axis `batch` are given for every sample.
///
/// # Errors
/// If they are given for some samples alone.
pub(crate) fn same_for_all(
    reading: &Reading<'_>,
    indices: &Whole,
    batch: usize,
) -> Result<(), OpError> {
    let single = reading.is_batch(1) && indices.data.shape().get(batch) == Some(&1);
    match indices.shape.batch_axis() == Some(batch) || single {
        true => Ok(()),
        false => Err(OpError::new(format!(
            "indices of shape {} are not given for every sample of the batch",
            indices.shape
        ))),
    }
}

/// A value's elements in another order, sample by sample: element `k` of a result of `shape` is element `sources[k]` of
/// operand 0.
///
/// # Errors
/// If the results of known numbers are too many, or samples of a computed value do not lie along the first axis.
pub(crate) fn taken(
    reading: &Reading<'_>,
    sources: &[usize],
    shape: Shape,
) -> Result<Read, OpError> {
    let (operand, extents) = (reading.operand(0), shape.sample());
    if let Some(whole) = operand.whole() {
        reading.affords(&extents, true)?;
        let data = sources.iter().map(|&from| whole.data.data()[from]).collect();
        return Ok(Read::Known(vec![Known::whole(Nd::new(extents, data), shape)]));
    }
    if let Some(real) = operand.real() {
        reading.affords(&extents, false)?;
        let data = sources.iter().map(|&from| real.data.data()[from]).collect();
        return Ok(Read::Known(vec![Known::real(Nd::new(extents, data), shape)]));
    }
    let own = reading.shape(0)?;
    if own.batch_axis() != Some(0) || shape.batch_axis() != Some(0) {
        return Err(OpError::new(format!("samples of {own} do not lie along its first axis")));
    }
    let flat = Shape(vec![Dim::Batch(1), Dim::Fixed(own.sample_volume())]);
    let mut formula = Formula::of(reading)?;
    let list = formula.whole(sources.iter().map(|&from| from as i64).collect());
    let flat = formula.reshape(reading.named(0), &flat);
    let taken = formula.step_with("Gather", &[&flat, &list], &[("axis", Attr::Int(1))]);
    formula.reshape(&taken, &shape);
    Ok(formula.done())
}
