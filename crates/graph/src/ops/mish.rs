//! Mish (opset 18): `x * tanh(ln(1 + exp(x)))`, written as that formula.

use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let mut formula = Formula::of(reading)?;
    let input = reading.named(0);
    let soft = formula.step("Softplus", &[input]);
    let gate = formula.step("Tanh", &[&soft]);
    formula.step("Mul", &[input, &gate]);
    Ok(formula.done())
}
