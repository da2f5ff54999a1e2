//! ReduceMean: the mean over the given axes (an attribute before opset 18, an operand since).

use super::reducing::{Reduce, Reduction};
use crate::attrs::Attr;
use crate::error::OpError;
use crate::op::Spec;
use crate::read::{Read, Reading, axis_of};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let rank = reading.shape(0)?.rank();
    reading.ignore(&["noop_with_empty_axes"]);
    let mut axes = match reading.list("axes", 1)? {
        Some(list) if !list.is_empty() => {
            list.iter().map(|&axis| axis_of(axis, rank)).collect::<Result<Vec<_>, _>>()?
        }
        _ => {
            return Err(OpError::new(
                "a mean over every axis, the batch included, is not supported",
            ));
        }
    };
    axes.sort_unstable();
    axes.dedup();
    let keep = reading.int_or("keepdims", 1)? != 0;
    let mut spec = Spec::slots(1);
    spec.attrs.insert("axes".to_owned(), Attr::Ints(axes.iter().map(|&a| a as i64).collect()));
    spec.attrs.insert("keepdims".to_owned(), Attr::Int(i64::from(keep)));
    let op = Reduce { kind: "ReduceMean", reduction: Reduction::Mean, axes, keep, spec };
    Ok(reading.node(op, 1))
}
