//! ReduceMax: the largest element over the given axes.

use super::reducing::{self, Reduction};
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    match reducing::whole(reading, Int::Fixed(i64::MIN), Int::larger)? {
        Some(known) => Ok(known),
        None => reducing::read(reading, "ReduceMax", Reduction::Max),
    }
}
