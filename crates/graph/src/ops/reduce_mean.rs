//! ReduceMean: the mean over the given axes (an attribute before opset 18, an operand since).

use super::reducing::{self, Reduction};
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reducing::read(reading, "ReduceMean", Reduction::Mean)
}
