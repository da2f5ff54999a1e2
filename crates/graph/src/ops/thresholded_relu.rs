//! ThresholdedRelu: `x` above `alpha`, else 0.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::Unary;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let alpha = reading.float_or("alpha", 1.0)?;
    let mut op = Unary::new("ThresholdedRelu", Pointwise::Threshold(alpha));
    op.attrs = vec![("alpha", alpha)];
    Ok(reading.node(op, 1))
}
