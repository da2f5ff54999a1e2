//! ConstantOfShape: an array of one number, of a known shape.

use std::sync::Arc;

use brickwork_tensor::Nd;

use crate::attrs::Literal;
use crate::op::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::Int;

/// Elements beyond which an array out of nothing is taken for an attack.
const LIMIT: usize = 1 << 30;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading
        .fixed_ints_at(0, "the shape")?
        .ok_or_else(|| OpError::new("the shape (operand 0) is missing"))?;
    let extents = shape.iter().map(|&x| usize::try_from(x).ok()).collect::<Option<Vec<_>>>();
    let volume = extents
        .as_ref()
        .and_then(|e| e.iter().try_fold(1usize, |volume, &extent| volume.checked_mul(extent)));
    let (Some(extents), Some(0..=LIMIT)) = (extents, volume) else {
        return Err(OpError::new(format!("shape {shape:?} is negative or beyond 2^30 elements")));
    };
    let known = match reading.literal("value")? {
        None => Known::Floats(Arc::new(Nd::filled(extents, 0.0))),
        Some(Literal::Floats(x)) if x.data().len() == 1 => {
            Known::Floats(Arc::new(Nd::filled(extents, x.data()[0])))
        }
        Some(Literal::Ints(x)) if x.data().len() == 1 => {
            Known::Ints(Arc::new(Nd::filled(extents, Int::Fixed(x.data()[0]))))
        }
        Some(_) => return Err(OpError::new("attribute `value` holds more than one number")),
    };
    Ok(Read::Known(vec![known]))
}
