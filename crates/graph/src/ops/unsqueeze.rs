//! Unsqueeze: inserts axes of extent 1.

use std::sync::Arc;

use super::moving::{renamed, sources};
use crate::attrs::Literal;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Read, Reading, axis_of};
use crate::shape::{Dim, Operands, Shape};

/// Inserts `axes` (sorted, counted in the result).
#[derive(Clone, Debug)]
struct Unsqueeze {
    axes: Vec<usize>,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let rank = reading.shape(0)?.rank();
    let list = reading.list("axes", 1)?.ok_or_else(|| OpError::new("`axes` is missing"))?;
    if rank + list.len() > 16 {
        return Err(OpError::new(format!(
            "a value of {} axes is not supported",
            rank + list.len()
        )));
    }
    let mut axes =
        list.iter().map(|&axis| axis_of(axis, rank + list.len())).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    if axes.len() != list.len() {
        return Err(OpError::new(format!("axes {list:?} name one axis twice")));
    }
    Ok(reading.node(Unsqueeze { axes }, 1))
}

impl Unsqueeze {
    /// For every axis of the result, the operand's axis.
    fn origins(&self, rank: usize) -> Vec<Option<usize>> {
        let mut next = 0..rank;
        (0..rank + self.axes.len())
            .map(|axis| if self.axes.contains(&axis) { None } else { next.next() })
            .collect()
    }
}

impl Op for Unsqueeze {
    fn kind(&self) -> &'static str {
        "Unsqueeze"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        let axes = self.axes.iter().map(|&axis| axis as i64).collect();
        spec.inputs
            .push(SpecInput::Literal("axes", Literal::Ints(brickwork_tensor::Nd::vector(axes))));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let shape = operands.shape(0)?;
        let dims = self.origins(shape.rank()).into_iter();
        Ok(vec![Shape(dims.map(|origin| origin.map_or(Dim::Fixed(1), |k| shape.0[k])).collect())])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let labels = flow.labels(0);
        let origins = self.origins(labels.rank());
        let shape: Vec<usize> =
            origins.iter().map(|origin| origin.map_or(1, |k| labels.shape()[k])).collect();
        flow.set(0, labels.reshape(shape));
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        sources(operands, |indices| indices)
    }
}

impl Execute for Unsqueeze {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let order = lower.order(0);
        Ok(Lowered::view(renamed(&order, &self.origins(order.rank()))))
    }
}
