//! ReduceProd: the product of known numbers over the given axes.

use brickwork_tensor::Nd;

use super::reducing::{over, whole};
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    if let Some(known) = whole(reading, Int::Fixed(1), Int::mul)? {
        return Ok(known);
    }
    let Some(real) = reading.operand(0).real().filter(|real| real.shape.batch_axis().is_none())
    else {
        return Err(OpError::new("a product over numbers computed at run time is not supported"));
    };
    let over = over(reading)?;
    if over.nothing {
        return Ok(Read::Known(vec![Known::Floats(real.data)]));
    }
    let product = |part: &[f32]| part.iter().product();
    let (products, shape) = over.of_known(&real.data, &real.shape, product);
    Ok(Read::Known(vec![Known::real(Nd::new(shape.sample(), products), shape)]))
}
