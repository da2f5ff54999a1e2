//! Constant: an array among the attributes.

use std::sync::Arc;

use brickwork_tensor::Nd;

use crate::attrs::{Attr, Literal};
use crate::error::OpError;
use crate::read::{Known, Read, Reading, few_ints};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let names = ["value", "value_float", "value_floats", "value_int", "value_ints"];
    let found = names.into_iter().find_map(|name| reading.raw(name));
    let known = match found {
        Some(Attr::Literal(Literal::Floats(data))) => Known::Floats(Arc::new(data.clone())),
        Some(Attr::Literal(Literal::Ints(data))) => Known::Ints(Arc::new(data.map(Int::Fixed))),
        Some(Attr::Float(x)) => Known::Floats(Arc::new(Nd::scalar(*x))),
        Some(Attr::Floats(list)) => Known::Floats(Arc::new(Nd::vector(list.clone()))),
        Some(Attr::Int(x)) => Known::Ints(Arc::new(Nd::scalar(Int::Fixed(*x)))),
        Some(Attr::Ints(list)) => {
            few_ints(list.len())?;
            Known::Ints(Arc::new(Nd::vector(list.iter().map(|&x| Int::Fixed(x)).collect())))
        }
        _ => return Err(OpError::new("it holds no dense array of numbers")),
    };
    Ok(Read::Known(vec![known]))
}
