//! Pow: `a` to the power `b`, element by element.

use brickwork_tensor::kernels::elementwise::Binary;

use super::arithmetic;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    arithmetic::read(reading, "Pow", Binary::Pow, |_, _| None)
}
