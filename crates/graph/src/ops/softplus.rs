//! Softplus: `ln(1 + exp(x))`.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::Unary;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    Ok(reading.node(Unary::new("Softplus", Pointwise::Softplus), 1))
}
