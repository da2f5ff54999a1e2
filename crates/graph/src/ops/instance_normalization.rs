//! InstanceNormalization: each channel of each sample by its own mean and variance, written as a formula,
//! so that its channels can be cut one by one.

use super::formula::Formula;
use super::normalising::{affine, names, standardised};
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let epsilon = reading.float_or("epsilon", 1e-5)?;
    let rank = reading.shape(0)?.rank();
    let channels = match reading.shape(1)?.extents().as_deref() {
        Some(&[channels]) if rank > 2 => channels,
        _ => return Err(OpError::new("expected [n, c, ...] and a scale and a bias of [c]")),
    };
    let mut formula = Formula::of(reading)?;
    let [input, scale, bias] = names(reading)?;
    let axes: Vec<usize> = (2..rank).collect();
    let even = standardised(&mut formula, input, &axes, epsilon);
    let extents = [&[channels], &vec![1; rank - 2][..]].concat();
    affine(&mut formula, &even, scale, bias, &extents);
    Ok(formula.done())
}
