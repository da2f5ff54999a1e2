//! GroupNormalization: groups of channels of each sample by their own mean and variance, written as a
//! formula. Scale and bias are of each channel, before opset 21 of each group.

use super::formula::Formula;
use super::normalising::{affine, names, standardised};
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::{Dim, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let epsilon = reading.float_or("epsilon", 1e-5)?;
    reading.ignore(&["stash_type"]);
    let groups = reading.int("num_groups")?.and_then(|count| usize::try_from(count).ok());
    let shape = reading.shape(0)?;
    let channels = shape.0.get(1).and_then(|dim| dim.fixed()).unwrap_or(0);
    let groups = groups
        .filter(|&g| g > 0 && channels > 0 && channels % g == 0)
        .ok_or_else(|| OpError::new(format!("`num_groups` is missing or does not fit {shape}")))?;
    let own = reading.shape(1)?.extents().unwrap_or_default();
    let by_group = match own[..] {
        [count] if count == channels => false,
        [count] if count == groups => true,
        _ => return Err(OpError::new(format!("scale has shape {own:?}, expected [{channels}]"))),
    };
    let [input, scale, bias] = names(reading)?;
    let mut formula = Formula::of(reading)?;
    let parts = [Dim::Fixed(groups), Dim::Fixed(channels / groups)];
    let grouped = Shape([&shape.0[..1], &parts, &shape.0[2..]].concat());
    let apart = formula.reshape(input, &grouped);
    let axes: Vec<usize> = (2..grouped.rank()).collect();
    let mut even = standardised(&mut formula, &apart, &axes, epsilon);
    let mut extents = vec![1; shape.rank() - 1];
    if by_group {
        extents.push(1);
        extents[0] = groups;
        even = affine(&mut formula, &even, scale, bias, &extents);
        formula.reshape(&even, &shape);
    } else {
        extents[0] = channels;
        even = formula.reshape(&even, &shape);
        affine(&mut formula, &even, scale, bias, &extents);
    }
    Ok(formula.done())
}
