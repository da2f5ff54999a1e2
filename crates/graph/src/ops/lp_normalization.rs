//! LpNormalization: a value by its norm along one axis, written as that formula.

use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Read, Reading, axis_of};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let axis = axis_of(reading.int_or("axis", -1)?, reading.shape(0)?.rank())?;
    let norm = match reading.int_or("p", 2)? {
        1 => "ReduceL1",
        2 => "ReduceL2",
        other => return Err(OpError::new(format!("p {other} is not supported, only 1 and 2"))),
    };
    let mut formula = Formula::of(reading)?;
    let input = reading.named(0);
    let size = formula.reduce(norm, input, &[axis]);
    // Zeros stay zeros.
    let least = formula.number(f64::from(f32::MIN_POSITIVE));
    let size = formula.step("Max", &[&size, &least]);
    formula.step("Div", &[input, &size]);
    Ok(formula.done())
}
