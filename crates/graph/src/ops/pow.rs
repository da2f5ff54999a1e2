//! Pow: `a` to the power `b`, element by element. The power may be whole where the base is not.

use std::sync::Arc;

use brickwork_tensor::Nd;
use brickwork_tensor::kernels::elementwise::Binary;

use super::arithmetic;
use super::formula::Formula;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let power = reading.operand(1).whole().filter(|whole| whole.shape.batch_axis().is_none());
    let Some(power) = power.filter(|_| reading.operand(0).whole().is_none()) else {
        return arithmetic::read(reading, "Pow", Binary::Pow, |_, _| None);
    };
    let reals: Option<Vec<f32>> =
        power.data.data().iter().map(|x| x.fixed().map(|x| x as f32)).collect();
    let reals = reals.ok_or_else(|| OpError::new("the power depends on the batch size"))?;
    let mut formula = Formula::of(reading)?;
    let power = formula.reals(&Arc::new(Nd::new(power.data.shape(), reals)));
    formula.step("Pow", &[reading.named(0), &power]);
    Ok(formula.done())
}
