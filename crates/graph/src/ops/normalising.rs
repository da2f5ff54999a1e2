//! What normalisations share that are written as formulas.

use super::formula::Formula;
use crate::error::OpError;
use crate::read::Reading;
use crate::shape::Shape;

/// The names of what is normalised, its scale and its shift.
///
/// # Errors
/// If one of them is missing.
pub(crate) fn names<'a>(reading: &Reading<'a>) -> Result<[&'a str; 3], OpError> {
    match &reading.form.inputs[..] {
        [input, scale, shift, ..] => Ok([input, scale, shift]),
        _ => Err(OpError::new("it has fewer than three operands")),
    }
}

/// `(x - mean) / sqrt(variance + epsilon)`, with both over `axes`.
pub(crate) fn standardised(
    formula: &mut Formula<'_>,
    input: &str,
    axes: &[usize],
    epsilon: f32,
) -> String {
    let mean = formula.reduce("ReduceMean", input, axes);
    let centred = formula.step("Sub", &[input, &mean]);
    let squares = formula.step("Mul", &[&centred, &centred]);
    let variance = formula.reduce("ReduceMean", &squares, axes);
    let epsilon = formula.number(f64::from(epsilon));
    let safe = formula.step("Add", &[&variance, &epsilon]);
    let deviation = formula.step("Sqrt", &[&safe]);
    formula.step("Div", &[&centred, &deviation])
}

/// `input * scale + shift`, each first given these extents.
pub(crate) fn affine(
    formula: &mut Formula<'_>,
    input: &str,
    scale: &str,
    shift: &str,
    extents: &[usize],
) -> String {
    let shape = Shape::fixed(extents);
    let (scale, shift) = (formula.reshape(scale, &shape), formula.reshape(shift, &shape));
    let scaled = formula.step("Mul", &[input, &scale]);
    formula.step("Add", &[&scaled, &shift])
}
