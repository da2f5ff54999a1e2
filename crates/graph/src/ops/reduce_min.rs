//! ReduceMin: the smallest element over the given axes, written as the largest of the negated ones.

use super::formula::Formula;
use super::reducing::{over, whole};
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    if let Some(known) = whole(reading, Int::Fixed(i64::MAX), Int::smaller)? {
        return Ok(known);
    }
    let (over, mut formula) = (over(reading)?, Formula::of(reading)?);
    let negated = formula.step("Neg", &[reading.named(0)]);
    let largest = over.reduce(&mut formula, "ReduceMax", &negated);
    formula.step("Neg", &[&largest]);
    Ok(formula.done())
}
