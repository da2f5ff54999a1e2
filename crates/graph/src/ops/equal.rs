//! Equal: whether two elements are the same.

use super::comparing;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    comparing::read(reading, |a, b| a.equals(b), |a, b| a == b)
}
