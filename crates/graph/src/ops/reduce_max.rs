//! ReduceMax: the largest element over the given axes.

use super::reducing::{self, Reduction};
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let larger = |a: Int, b: Int| a.compare(b).map(|order| if order.is_lt() { b } else { a });
    match reducing::whole(reading, Int::Fixed(i64::MIN), larger)? {
        Some(known) => Ok(known),
        None => reducing::read(reading, "ReduceMax", Reduction::Max),
    }
}
