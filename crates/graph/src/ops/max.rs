//! Max: the largest of any number of values, element by element, written two at a time.

use brickwork_tensor::kernels::elementwise::Binary;

use super::arithmetic;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    arithmetic::read_any(reading, "Max", Binary::Max, Int::larger)
}
