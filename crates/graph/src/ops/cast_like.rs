//! CastLike: a cast to the type of another operand. Between real types it changes nothing, and known numbers become
//! those of a value's type.

use super::formula::Formula;
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};

/// ONNX's numbers for 32-bit floats and 64-bit whole numbers.
const FLOAT: i64 = 1;
const WHOLE: i64 = 7;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.ignore(&["saturate"]);
    reading.shape(1)?;
    let to = if reading.operand(1).whole().is_some() { WHOLE } else { FLOAT };
    let mut formula = Formula::of(reading)?;
    formula.step_with("Cast", &[reading.named(0)], &[("to", Attr::Int(to))]);
    Ok(formula.done())
}
