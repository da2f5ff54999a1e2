//! Tile: a value several times along its axes, written as joins of the value with itself.

use brickwork_tensor::Nd;

use super::formula::Formula;
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::{Dim, Shape};

/// Copies along one axis of a computed value.
const MOST_COPIES: usize = 1 << 10;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let ints = reading
        .ints_at(1, "the repeats")?
        .ok_or_else(|| OpError::new("the repeats (operand 1) are missing"))?;
    let repeats: Option<Vec<Dim>> = ints.iter().map(|int| int.dim()).collect();
    let repeats = repeats
        .filter(|repeats| repeats.len() == shape.rank())
        .ok_or_else(|| OpError::new(format!("{} repeats do not fit {shape}", ints.len())))?;
    let dims: Option<Vec<Dim>> = shape.0.iter().zip(&repeats).map(|(&a, &b)| tiled(a, b)).collect();
    let result =
        dims.map(Shape).ok_or_else(|| OpError::new("it repeats the samples of a batch"))?;
    result.sound()?;
    let times: Vec<usize> = repeats.iter().map(|dim| dim.at(1)).collect();
    let operand = reading.operand(0);
    if let Some(whole) = operand.whole() {
        reading.affords(&result.sample(), true)?;
        return Ok(Read::Known(vec![Known::whole(repeated(&whole.data, &times), result)]));
    }
    if let Some(real) = operand.real() {
        reading.affords(&result.sample(), false)?;
        return Ok(Read::Known(vec![Known::real(repeated(&real.data, &times), result)]));
    }
    let mut formula = Formula::of(reading)?;
    let mut last = reading.named(0).to_owned();
    for (axis, &times) in times.iter().enumerate().filter(|(_, times)| **times != 1) {
        if times > MOST_COPIES {
            return Err(OpError::new(format!("{times} copies, at most {MOST_COPIES} may be")));
        }
        let copies = vec![last.as_str(); times];
        last = formula.step_with("Concat", &copies, &[("axis", Attr::Int(axis as i64))]);
    }
    if last == reading.named(0) {
        formula.step("Identity", &[&last]);
    }
    Ok(formula.done())
}

/// An extent so many times.
fn tiled(extent: Dim, times: Dim) -> Option<Dim> {
    match (extent, times) {
        (Dim::Fixed(a), Dim::Fixed(b)) => a.checked_mul(b).map(Dim::Fixed),
        (Dim::Fixed(a), Dim::Batch(b)) => a.checked_mul(b).map(Dim::Batch),
        (open, Dim::Fixed(1)) => Some(open),
        _ => None,
    }
}

fn repeated<T: Copy>(data: &Nd<T>, times: &[usize]) -> Nd<T> {
    let axes = times.iter().enumerate();
    axes.fold(data.clone(), |data, (axis, &times)| Nd::concat(&vec![&data; times], axis))
}
