//! What comparisons and logic share: they are worked out where their operands are known.

use super::arithmetic::{two_whole, zipped, zipped_reals};
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
    let (data, shape) = zipped_reals(reading, true, |a, b| truth(real(a, b)))?
        .ok_or_else(|| OpError::new("it compares values computed at run time"))?;
    Ok(Read::Known(vec![Known::whole(data, shape)]))
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
