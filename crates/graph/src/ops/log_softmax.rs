//! LogSoftmax: the logarithm of softmax.

use crate::op::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    super::softmax::read_as(reading, true)
}
