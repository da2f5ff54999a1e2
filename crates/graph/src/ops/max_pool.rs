//! MaxPool: the largest pixel under a sliding window.

use brickwork_tensor::kernels::pool::Pool;

use super::pooling;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    if reading.int_or("storage_order", 0)? != 0 {
        return Err(OpError::new("storage_order 1 is not supported"));
    }
    if reading.form.outputs.get(1).is_some_and(|name| !name.is_empty()) {
        return Err(OpError::new("the indices output is not supported"));
    }
    pooling::read(reading, "MaxPool", Pool::Max)
}
