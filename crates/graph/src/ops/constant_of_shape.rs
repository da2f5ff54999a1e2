//! ConstantOfShape: an array of one number, of a known shape.

use std::sync::Arc;

use brickwork_tensor::Nd;

use crate::attrs::Literal;
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading
        .fixed_ints_at(0, "the shape")?
        .ok_or_else(|| OpError::new("the shape (operand 0) is missing"))?;
    let extents = shape.iter().map(|&x| usize::try_from(x).ok()).collect::<Option<Vec<_>>>();
    let extents =
        extents.ok_or_else(|| OpError::new(format!("shape {shape:?} holds a negative extent")))?;
    let value = reading.literal("value")?;
    reading.affords(&extents, matches!(value, Some(Literal::Ints(_))))?;
    let known = match value {
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
