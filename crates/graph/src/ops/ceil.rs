//! Ceil: the next whole number above.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::read_rounding;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    read_rounding(reading, "Ceil", Pointwise::Ceil)
}
