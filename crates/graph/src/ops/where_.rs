//! Where: one value where a condition holds, another elsewhere. The condition must be known; around
//! computed values it is written as a product with ones and zeros and a sum.

use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use super::arithmetic::broadcast;
use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Known, Operand, Read, Reading, Real, Whole};
use crate::shape::{Int, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let Some(condition) = reading.operand(0).whole() else {
        return Err(OpError::new("the condition (operand 0) is computed at run time"));
    };
    let [a, b] = [1, 2].map(|slot| reading.operand(slot));
    match (a.whole(), b.whole(), a.real(), b.real()) {
        (Some(a), Some(b), ..) => whole(reading, &condition, &a, &b),
        (_, _, Some(a), Some(b)) => real(reading, &condition, &a, &b),
        _ => computed(reading, &condition, [a, b]),
    }
}

fn holds(x: Int) -> bool {
    x != Int::Fixed(0)
}

fn whole(reading: &Reading<'_>, condition: &Whole, a: &Whole, b: &Whole) -> Result<Read, OpError> {
    let shape = broadcast(&condition.shape, &broadcast(&a.shape, &b.shape)?)?;
    reading.affords(&shape.sample(), true)?;
    let data = chosen(condition, [&a.data, &b.data], &shape.sample());
    Ok(Read::Known(vec![Known::whole(data, shape)]))
}

fn real(reading: &Reading<'_>, condition: &Whole, a: &Real, b: &Real) -> Result<Read, OpError> {
    let shape = broadcast(&condition.shape, &broadcast(&a.shape, &b.shape)?)?;
    reading.affords(&shape.sample(), false)?;
    let data = chosen(condition, [&a.data, &b.data], &shape.sample());
    Ok(Read::Known(vec![Known::real(data, shape)]))
}

/// The elements of the first part where the condition holds, of the second elsewhere.
fn chosen<T: Copy>(condition: &Whole, parts: [&Nd<T>; 2], extents: &[usize]) -> Nd<T> {
    let condition = condition.data.broadcast(extents);
    let [a, b] = parts.map(|part| part.broadcast(extents));
    let both = a.data().iter().zip(b.data());
    let data = condition.data().iter().zip(both).map(|(&c, (&a, &b))| if holds(c) { a } else { b });
    Nd::new(extents, data.collect())
}

/// The sum of each value times ones where it is chosen and zeros elsewhere.
fn computed(
    reading: &Reading<'_>,
    condition: &Whole,
    parts: [&Operand; 2],
) -> Result<Read, OpError> {
    let Some(shape) = condition.shape.extents() else {
        return Err(OpError::new("the condition (operand 0) grows with the batch"));
    };
    let mut formula = Formula::of(reading)?;
    let mut terms = Vec::new();
    for (k, part) in parts.into_iter().enumerate() {
        let chosen = condition.data.map(|c| f32::from(u8::from(holds(c) == (k == 0))));
        let name = match part.real() {
            Some(real) => {
                let term = masked(&chosen, &real, &Shape::fixed(&shape))?;
                formula.reals(&Arc::new(term))
            }
            None if chosen.data().iter().all(|&x| x == 0.0) => {
                formula.reals(&Arc::new(Nd::filled(vec![1; shape.len()], 0.0)))
            }
            None => {
                let mask = formula.reals(&Arc::new(chosen));
                formula.step("Mul", &[reading.named(1 + k), &mask])
            }
        };
        terms.push(name);
    }
    formula.step("Add", &[&terms[0], &terms[1]]);
    Ok(formula.done())
}

/// A constant where it is chosen, zero elsewhere. Infinite numbers become the largest ones: what they
/// stand for, attention that is left out, is the same.
fn masked(chosen: &Tensor, real: &Real, shape: &Shape) -> Result<Tensor, OpError> {
    let extents = broadcast(&Shape::fixed(real.data.shape()), shape)?.sample();
    let (chosen, data) = (chosen.broadcast(&extents), real.data.broadcast(&extents));
    let term = chosen.data().iter().zip(data.data());
    let term = term.map(|(&c, &x)| if c == 0.0 { 0.0 } else { x.clamp(f32::MIN, f32::MAX) });
    Ok(Nd::new(extents, term.collect()))
}
