//! GreaterOrEqual: whether an element is not below another.

use super::comparing;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    comparing::read(reading, |a, b| a.compare(b).map(|order| order.is_ge()), |a, b| a >= b)
}
