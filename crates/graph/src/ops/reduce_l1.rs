//! ReduceL1: the sum of absolute values over the given axes.

use super::formula::Formula;
use super::reducing::over;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let (over, mut formula) = (over(reading)?, Formula::of(reading)?);
    let input = reading.named(0);
    let sizes = formula.step("Abs", &[input]);
    over.reduce(&mut formula, "ReduceSum", &sizes);
    Ok(formula.done())
}
