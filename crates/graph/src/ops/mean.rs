//! Mean of any number of values: written as their sum, divided by how many they are.

use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let mut formula = Formula::of(reading)?;
    let inputs: Vec<&str> = reading.form.inputs.iter().map(String::as_str).collect();
    let sum = formula.step("Sum", &inputs);
    let count = formula.number(inputs.len() as f64);
    formula.step("Div", &[&sum, &count]);
    Ok(formula.done())
}
