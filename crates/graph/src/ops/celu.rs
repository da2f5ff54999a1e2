//! Celu: `x` for positive `x`, else `alpha * (exp(x / alpha) - 1)`.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::Unary;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let alpha = reading.float_or("alpha", 1.0)?;
    if alpha <= 0.0 {
        return Err(OpError::new(format!("attribute `alpha` is {alpha}, expected more than 0")));
    }
    let scaled = [Pointwise::Affine(1.0 / alpha, 0.0), Pointwise::Elu(1.0)];
    let chain = scaled.into_iter().chain([Pointwise::Affine(alpha, 0.0)]).collect();
    let mut op = Unary::new("Celu", Pointwise::Chain(chain));
    op.attrs = vec![("alpha", alpha)];
    Ok(reading.node(op, 1))
}
