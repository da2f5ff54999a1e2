//! What normalisations share that are written as formulas.

use super::formula::Formula;

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
    let shape = crate::shape::Shape::fixed(extents);
    let (scale, shift) = (formula.reshape(scale, &shape), formula.reshape(shift, &shape));
    let scaled = formula.step("Mul", &[input, &scale]);
    formula.step("Add", &[&scaled, &shift])
}
