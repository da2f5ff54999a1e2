//! ReduceProd: the product of known numbers over the given axes.

use super::reducing::{Over, over, whole};
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::{Int, Shape};
use brickwork_tensor::Nd;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    if let Some(known) = whole(reading, Int::Fixed(1), Int::mul)? {
        return Ok(known);
    }
    let Some(real) = reading.operand(0).real().filter(|real| real.shape.batch_axis().is_none())
    else {
        return Err(OpError::new("a product over numbers computed at run time is not supported"));
    };
    let Over { axes, keep, nothing } = over(reading)?;
    if nothing {
        return Ok(Read::Known(vec![Known::Floats(real.data)]));
    }
    let kept: Vec<usize> = (0..real.data.rank()).filter(|axis| !axes.contains(axis)).collect();
    let last = real.data.transpose(&[&kept[..], &axes[..]].concat());
    let count = axes.iter().map(|&axis| real.data.shape()[axis]).product::<usize>().max(1);
    let products = last.data().chunks(count).map(|part| part.iter().product()).collect();
    let extents = (0..real.data.rank()).filter_map(|axis| match (axes.contains(&axis), keep) {
        (false, _) => Some(real.data.shape()[axis]),
        (true, true) => Some(1),
        (true, false) => None,
    });
    let extents: Vec<usize> = extents.collect();
    let shape = Shape::fixed(&extents);
    Ok(Read::Known(vec![Known::real(Nd::new(extents, products), shape)]))
}
