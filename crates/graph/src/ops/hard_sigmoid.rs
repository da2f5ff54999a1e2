//! HardSigmoid: `clip(alpha * x + beta, 0, 1)`.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::Unary;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let (alpha, beta) = (reading.float_or("alpha", 0.2)?, reading.float_or("beta", 0.5)?);
    let mut op = Unary::new("HardSigmoid", Pointwise::HardSigmoid(alpha, beta));
    op.attrs = vec![("alpha", alpha), ("beta", beta)];
    Ok(reading.node(op, 1))
}
