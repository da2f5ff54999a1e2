//! LogSoftmax: the logarithm of softmax.

use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    super::softmax::read_as(reading, true)
}
