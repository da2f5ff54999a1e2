//! HardSwish: `x * clip(x / 6 + 1/2, 0, 1)`.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::Unary;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    Ok(reading.node(Unary::new("HardSwish", Pointwise::HardSwish), 1))
}
