//! Mod: what remains of a division, of known numbers. The sign is that of the divisor, or with `fmod`
//! that of what is divided.

use brickwork_tensor::Nd;

use super::arithmetic::{broadcast, two_whole, zipped};
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
    let (Some(a), Some(b)) = (reading.operand(0).real(), reading.operand(1).real()) else {
        return Err(OpError::new("it divides values computed at run time"));
    };
    let shape = broadcast(&a.shape, &b.shape)?;
    let extents = shape.sample();
    reading.affords(&extents, false)?;
    let (a, b) = (a.data.broadcast(&extents), b.data.broadcast(&extents));
    let rem = |(&a, &b): (&f32, &f32)| {
        let rest = a % b;
        if truncated || rest == 0.0 || (rest < 0.0) == (b < 0.0) { rest } else { rest + b }
    };
    let data = a.data().iter().zip(b.data()).map(rem).collect();
    Ok(Read::Known(vec![Known::real(Nd::new(extents, data), shape)]))
}
