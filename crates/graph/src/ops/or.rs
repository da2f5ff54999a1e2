//! Or: whether one of two truth values holds.

use super::comparing;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    comparing::logic(reading, |a, b| a || b)
}
