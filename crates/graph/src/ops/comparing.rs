//! What comparisons and logic share: they are worked out where their operands are known.

use brickwork_tensor::Nd;

use super::arithmetic::{broadcast, two_whole, zipped};
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::Int;

/// A truth value as a number.
pub(crate) fn truth(holds: bool) -> Int {
    Int::Fixed(i64::from(holds))
}

/// Reads a relation of two elements, given for whole and for real numbers.
///
/// # Errors
/// If an operand is computed at run time, or what holds depends on the batch size.
pub(crate) fn read(
    reading: &Reading<'_>,
    whole: fn(Int, Int) -> Option<bool>,
    real: fn(f32, f32) -> bool,
) -> Result<Read, OpError> {
    if let Some([a, b]) = two_whole(reading) {
        let known = zipped(reading, &a, &b, |a, b| whole(a, b).map(truth))?;
        return Ok(Read::Known(vec![known]));
    }
    let (Some(a), Some(b)) = (reading.operand(0).real(), reading.operand(1).real()) else {
        return Err(OpError::new("it compares values computed at run time"));
    };
    let shape = broadcast(&a.shape, &b.shape)?;
    let extents = shape.sample();
    reading.affords(&extents, true)?;
    let (a, b) = (a.data.broadcast(&extents), b.data.broadcast(&extents));
    let data = a.data().iter().zip(b.data()).map(|(&a, &b)| truth(real(a, b)));
    Ok(Read::Known(vec![Known::whole(Nd::new(extents, data.collect()), shape)]))
}

/// Reads a relation of two truth values.
///
/// # Errors
/// As [`read`].
pub(crate) fn logic(reading: &Reading<'_>, of: fn(bool, bool) -> bool) -> Result<Read, OpError> {
    let Some([a, b]) = two_whole(reading) else {
        return Err(OpError::new("it combines truth values computed at run time"));
    };
    let known = zipped(reading, &a, &b, |a, b| Some(truth(of(a.fixed()? != 0, b.fixed()? != 0))))?;
    Ok(Read::Known(vec![known]))
}
