//! ReduceMean: the mean over the given axes (an attribute before opset 18, an operand since). Over the channels of pooled
//! images it is written as their sum times a number that stays the source's, so that any of them can be cut: in the
//! global response normalisation of ConvNeXt-V2 (Woo et al. 2023, eq. 2) a channel that is always zero counts so.

use super::formula::Formula;
use super::reducing::{self, Over, Reduction, over};
use crate::error::OpError;
use crate::read::{Operand, Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    match over_pooled(reading)? {
        Some((over, count)) => {
            let mut formula = Formula::of(reading)?;
            let sum = over.reduce(&mut formula, "ReduceSum", reading.named(0));
            let share = formula.number(1.0 / count as f64);
            formula.step("Mul", &[&sum, &share]);
            Ok(formula.done())
        }
        None => reducing::read(reading, "ReduceMean", Reduction::Mean),
    }
}

/// The one axis that it reduces, and how many elements lie along it, of a computed image of a single pixel.
fn over_pooled(reading: &Reading<'_>) -> Result<Option<(Over, usize)>, OpError> {
    let shape = reading.shape(0)?;
    if shape.rank() != 4 || !matches!(reading.operand(0), Operand::Value(..)) {
        return Ok(None);
    }
    let (over, extents) = (over(reading)?, shape.sample());
    let [axis] = over.axes[..] else { return Ok(None) };
    let single = (1..4).all(|other| other == axis || extents[other] == 1);
    let pooled = !over.nothing && axis > 0 && extents[axis] > 1 && single;
    Ok(pooled.then_some((over, extents[axis])))
}
