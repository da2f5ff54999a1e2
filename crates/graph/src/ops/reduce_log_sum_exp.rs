//! ReduceLogSumExp: the logarithm of the sum of exponentials over the given axes, less the largest
//! one for the sake of range.

use super::formula::Formula;
use super::reducing::over;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let (over, mut formula) = (over(reading)?, Formula::of(reading)?);
    let input = reading.named(0);
    let largest = match over.nothing {
        true => input.to_owned(),
        false => formula.reduce("ReduceMax", input, &over.axes),
    };
    let below = formula.step("Sub", &[input, &largest]);
    let powers = formula.step("Exp", &[&below]);
    let sum = over.reduce(&mut formula, "ReduceSum", &powers);
    let logarithm = formula.step("Log", &[&sum]);
    let again = over.reduce(&mut formula, "ReduceMax", input);
    formula.step("Add", &[&logarithm, &again]);
    Ok(formula.done())
}
