//! ConstantOfShape: an array of one number, of a known shape.

use brickwork_tensor::Nd;

use crate::attrs::Literal;
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::{Int, Shape, listed};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let ints = reading
        .ints_at(0, "the shape")?
        .ok_or_else(|| OpError::new("the shape (operand 0) is missing"))?;
    let dims = ints.iter().map(|int| int.dim()).collect::<Option<Vec<_>>>();
    let shape = dims
        .map(Shape)
        .ok_or_else(|| OpError::new(format!("shape {} holds a negative extent", listed(&ints))))?;
    let extents = shape.sample();
    let value = reading.literal("value")?;
    reading.affords(&extents, matches!(value, Some(Literal::Ints(_))))?;
    let known = match value {
        None => Known::real(Nd::filled(extents, 0.0), shape),
        Some(Literal::Floats(x)) if x.data().len() == 1 => {
            Known::real(Nd::filled(extents, x.data()[0]), shape)
        }
        Some(Literal::Ints(x)) if x.data().len() == 1 => {
            Known::whole(Nd::filled(extents, Int::Fixed(x.data()[0])), shape)
        }
        Some(_) => return Err(OpError::new("attribute `value` holds more than one number")),
    };
    Ok(Read::Known(vec![known]))
}
