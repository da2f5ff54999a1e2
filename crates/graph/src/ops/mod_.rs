//! Mod: what remains of a division, of known numbers. The sign is that of the divisor, or with `fmod`
//! that of what is divided.

use super::arithmetic::{two_whole, zipped, zipped_reals};
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let truncated = reading.int_or("fmod", 0)? != 0;
    if let Some([a, b]) = two_whole(reading) {
        let rem = |a: Int, b: Int| match (a, b) {
            (Int::Fixed(a), Int::Fixed(b)) if truncated => a.checked_rem(b).map(Int::Fixed),
            _ => a.rem(b),
        };
        return Ok(Read::Known(vec![zipped(reading, &a, &b, rem)?]));
    }
    let rem = |a: f32, b: f32| {
        let rest = a % b;
        if truncated || rest == 0.0 || (rest < 0.0) == (b < 0.0) { rest } else { rest + b }
    };
    let (data, shape) = zipped_reals(reading, false, rem)?
        .ok_or_else(|| OpError::new("it divides values computed at run time"))?;
    Ok(Read::Known(vec![Known::real(data, shape)]))
}
