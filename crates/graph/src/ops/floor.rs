//! Floor: the next whole number below.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::Unary;
use crate::error::OpError;
use crate::read::{Known, Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    // Whole numbers stay as they are.
    if let Some(whole) = reading.operand(0).whole() {
        return Ok(Read::Known(vec![Known::Ints(whole.data).under(whole.shape)]));
    }
    Ok(reading.node(Unary::new("Floor", Pointwise::Floor), 1))
}
