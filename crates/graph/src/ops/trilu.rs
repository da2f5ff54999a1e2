//! Trilu: a triangle of matrices, the rest zero, written as a product with ones and zeros.

use std::sync::Arc;

use brickwork_tensor::Nd;

use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let upper = reading.int_or("upper", 1)? != 0;
    let shape = reading.shape(0)?;
    let shift = reading.fixed_ints_at(1, "the diagonal")?;
    let shift = shift.and_then(|list| list.first().copied()).unwrap_or(0);
    let [.., rows, columns] = shape.0[..] else {
        return Err(OpError::new(format!("operand 0 has shape {shape}, expected matrices")));
    };
    let (Some(rows), Some(columns)) = (rows.fixed(), columns.fixed()) else {
        return Err(OpError::new("a matrix over the batch is not supported"));
    };
    reading.affords(&[rows, columns], true)?;
    let kept = |at: usize| {
        let distance = (at % columns) as i64 - (at / columns) as i64;
        if upper { distance >= shift } else { distance <= shift }
    };
    if let Some(whole) = reading.operand(0).whole() {
        let chosen = |(at, &x): (usize, &Int)| {
            if kept(at % (rows * columns)) { x } else { Int::Fixed(0) }
        };
        let data = whole.data.data().iter().enumerate().map(chosen).collect();
        let data = Nd::new(whole.data.shape(), data);
        return Ok(Read::Known(vec![Known::whole(data, whole.shape)]));
    }
    if let Some(real) = reading.operand(0).real() {
        let chosen = |(at, &x): (usize, &f32)| if kept(at % (rows * columns)) { x } else { 0.0 };
        let data = real.data.data().iter().enumerate().map(chosen).collect();
        return Ok(Read::Known(vec![Known::real(Nd::new(real.data.shape(), data), real.shape)]));
    }
    let mask = (0..rows * columns).map(|at| f32::from(u8::from(kept(at)))).collect();
    let mut formula = Formula::of(reading)?;
    let mask = formula.reals(&Arc::new(Nd::new([rows, columns], mask)));
    formula.step("Mul", &[reading.named(0), &mask]);
    Ok(formula.done())
}
