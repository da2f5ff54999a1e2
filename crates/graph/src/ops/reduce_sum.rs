//! ReduceSum: the sum over the given axes, written as their mean times their number.

use super::formula::Formula;
use super::reducing::{over, whole};
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    if let Some(known) = whole(reading, Int::Fixed(0), Int::add)? {
        return Ok(known);
    }
    let (over, mut formula) = (over(reading)?, Formula::of(reading)?);
    let mean = over.reduce(&mut formula, "ReduceMean", &reading.form.inputs[0]);
    if !over.nothing {
        let extents = reading.shape(0)?.sample();
        let count: usize = over.axes.iter().map(|&axis| extents[axis]).product();
        let count = formula.number(count as f64);
        formula.step("Mul", &[&mean, &count]);
    }
    Ok(formula.done())
}
