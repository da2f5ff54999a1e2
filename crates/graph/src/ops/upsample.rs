//! Upsample, the operator before Resize: written as that.

use super::resize;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    resize::upsample(reading)
}
