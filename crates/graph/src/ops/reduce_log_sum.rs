//! ReduceLogSum: the logarithm of the sum over the given axes.

use super::formula::Formula;
use super::reducing::over;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let (over, mut formula) = (over(reading)?, Formula::of(reading)?);
    let input = reading.named(0);
    let sum = over.reduce(&mut formula, "ReduceSum", input);
    formula.step("Log", &[&sum]);
    Ok(formula.done())
}
