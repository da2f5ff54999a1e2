//! GlobalMaxPool: the maximum over height and width, `[n, c, h, w]` to `[n, c, 1, 1]`.

use super::global_average_pool::global;
use super::reducing::Reduction;
use crate::error::OpError;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    global(reading, "GlobalMaxPool", Reduction::Max)
}
