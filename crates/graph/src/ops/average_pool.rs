//! AveragePool: the mean under a sliding window, with or without the padding counted.

use brickwork_tensor::kernels::pool::Pool;

use super::pooling;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let padded = reading.int_or("count_include_pad", 0)? != 0;
    pooling::read(reading, "AveragePool", if padded { Pool::AveragePadded } else { Pool::Average })
}
