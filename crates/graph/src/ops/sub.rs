//! Sub, element by element with broadcasting; whole numbers of shape chains are folded.

use brickwork_tensor::kernels::elementwise::Binary;

use super::arithmetic;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    arithmetic::read(reading, "Sub", Binary::Sub, Int::sub)
}
