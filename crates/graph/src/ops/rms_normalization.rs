//! RMSNormalization (opset 23): `scale * x / sqrt(mean of x^2 + epsilon)` over the axes from `axis` on,
//! written as that formula.

use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Read, Reading, axis_of};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.ignore(&["stash_type"]);
    let rank = reading.shape(0)?.rank();
    let axis = axis_of(reading.int_or("axis", -1)?, rank)?;
    let epsilon = reading.float_or("epsilon", 1e-5)?;
    reading.shape(1)?;
    let mut formula = Formula::of(reading)?;
    let (input, scale) = (reading.named(0), reading.named(1));
    let squares = formula.step("Mul", &[input, input]);
    let mean = formula.reduce("ReduceMean", &squares, &(axis..rank).collect::<Vec<_>>());
    let epsilon = formula.number(f64::from(epsilon));
    let safe = formula.step("Add", &[&mean, &epsilon]);
    let root = formula.step("Sqrt", &[&safe]);
    let even = formula.step("Div", &[input, &root]);
    formula.step("Mul", &[&even, scale]);
    Ok(formula.done())
}
