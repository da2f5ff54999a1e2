//! GlobalAveragePool: the mean over height and width, `[n, c, h, w]` to `[n, c, 1, 1]`.

use super::reducing::{Reduce, Reduction};
use crate::error::OpError;
use crate::op::Spec;
use crate::read::{Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    global(reading, "GlobalAveragePool", Reduction::Mean)
}

pub(crate) fn global(
    reading: &Reading<'_>,
    kind: &'static str,
    reduction: Reduction,
) -> Result<Read, OpError> {
    if reading.shape(0)?.rank() < 3 {
        return Err(OpError::new(format!(
            "operand 0 has shape {}, expected an image",
            reading.shape(0)?
        )));
    }
    let op = Reduce { kind, reduction, axes: Vec::new(), keep: true, spec: Spec::slots(1) };
    Ok(reading.node(op, 1))
}
