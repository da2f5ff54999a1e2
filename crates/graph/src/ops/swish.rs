//! Swish (opset 24): `x * sigmoid(alpha * x)`, written as that formula.

use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let alpha = reading.float_or("alpha", 1.0)?;
    let mut formula = Formula::of(reading)?;
    let input = reading.named(0);
    let mut bent = input.to_owned();
    if alpha != 1.0 {
        let alpha = formula.number(f64::from(alpha));
        bent = formula.step("Mul", &[&bent, &alpha]);
    }
    let gate = formula.step("Sigmoid", &[&bent]);
    formula.step("Mul", &[input, &gate]);
    Ok(formula.done())
}
