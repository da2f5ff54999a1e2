//! ReduceSum: the sum over the given axes (an attribute before opset 13, an operand since).

use super::reducing::{self, Reduction, whole};
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    match whole(reading, Int::Fixed(0), Int::add)? {
        Some(known) => Ok(known),
        None => reducing::read(reading, "ReduceSum", Reduction::Sum),
    }
}
