//! Gelu (opset 20): written as the erf or tanh formula it stands for, so that the file runs anywhere.

use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let mut formula = Formula::of(reading)?;
    let input = reading.named(0);
    let half = formula.number(0.5);
    let one = formula.number(1.0);
    let bent = match reading.text_or("approximate", "none")?.as_str() {
        // x * (1 + erf(x / sqrt 2)) / 2
        "none" => {
            let root = formula.number(std::f64::consts::SQRT_2);
            let scaled = formula.step("Div", &[input, &root]);
            formula.step("Erf", &[&scaled])
        }
        // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
        "tanh" => {
            let (cubic, three) = (formula.number(0.044_715), formula.number(3.0));
            let slope = formula.number((2.0 / std::f64::consts::PI).sqrt());
            let cube = formula.step("Pow", &[input, &three]);
            let small = formula.step("Mul", &[&cube, &cubic]);
            let sum = formula.step("Add", &[input, &small]);
            let scaled = formula.step("Mul", &[&sum, &slope]);
            formula.step("Tanh", &[&scaled])
        }
        other => {
            return Err(OpError::new(format!(
                "attribute `approximate` is `{other}`, expected none or tanh"
            )));
        }
    };
    let open = formula.step("Add", &[&bent, &one]);
    let gated = formula.step("Mul", &[input, &open]);
    formula.step("Mul", &[&gated, &half]);
    Ok(formula.done())
}
