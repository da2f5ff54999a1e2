//! Selu: `gamma * x` for positive `x`, else `gamma * alpha * (exp(x) - 1)`.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::Unary;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let alpha = reading.float_or("alpha", 1.673_263_2)?;
    let gamma = reading.float_or("gamma", 1.050_701)?;
    let chain = vec![Pointwise::Elu(alpha), Pointwise::Affine(gamma, 0.0)];
    let mut op = Unary::new("Selu", Pointwise::Chain(chain));
    op.attrs = vec![("alpha", alpha), ("gamma", gamma)];
    Ok(reading.node(op, 1))
}
