//! Round: the nearest whole number; of two, the even one.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::read_rounding;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    read_rounding(reading, "Round", Pointwise::Round)
}
