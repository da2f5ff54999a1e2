//! Greater: whether an element is above another.

use super::comparing;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    comparing::read(reading, |a, b| a.compare(b).map(|order| order.is_gt()), |a, b| a > b)
}
