//! Clip: `min(max(x, low), high)`; the bounds are attributes before opset 11, operands since.

use brickwork_tensor::kernels::pointwise::Pointwise;

use super::pointwise::Unary;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let bound = |name, slot, open: f32| -> Result<f32, OpError> {
        let attr = reading.float_or(name, open)?;
        reading.float_at(slot, name, attr)
    };
    let low = bound("min", 1, f32::NEG_INFINITY)?;
    let high = bound("max", 2, f32::INFINITY)?;
    let mut op = Unary::new("Clip", Pointwise::Clip(low, high));
    let unless = |open: f32, x: f32| (x != open).then_some(x);
    op.literals =
        vec![("min", unless(f32::NEG_INFINITY, low)), ("max", unless(f32::INFINITY, high))];
    Ok(reading.node(op, 1))
}
