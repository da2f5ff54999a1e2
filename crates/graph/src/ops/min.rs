//! Min: the smallest of any number of values, element by element, written two at a time.

use brickwork_tensor::kernels::elementwise::Binary;

use super::arithmetic;
use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let inputs = &reading.form.inputs;
    if inputs.len() == 2 {
        let whole = |a: Int, b: Int| a.compare(b).map(|order| if order.is_gt() { b } else { a });
        return arithmetic::read(reading, "Min", Binary::Min, whole);
    }
    let mut formula = Formula::of(reading)?;
    let mut last = inputs[0].clone();
    for input in &inputs[1..] {
        last = formula.step("Min", &[&last, input]);
    }
    if inputs.len() == 1 {
        formula.step("Identity", &[&last]);
    }
    Ok(formula.done())
}
