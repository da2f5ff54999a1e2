//! Shape: the extents of a value, known while reading except for the batch.

use std::sync::Arc;

use brickwork_tensor::Nd;

use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let dims = reading.shape(0)?.0;
    let bound =
        |at: i64| (if at < 0 { at + dims.len() as i64 } else { at }).clamp(0, dims.len() as i64);
    let start = bound(reading.int_or("start", 0)?) as usize;
    let end = bound(reading.int_or("end", dims.len() as i64)?) as usize;
    let ints: Vec<Int> = dims[start..end.max(start)].iter().map(|&dim| dim.into()).collect();
    Ok(Read::Known(vec![Known::Ints(Arc::new(Nd::vector(ints)))]))
}
