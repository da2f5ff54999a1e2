//! Squeeze: drops axes of extent 1.

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

/// Drops `axes` (sorted).
#[derive(Clone, Debug)]
struct Squeeze {
    axes: Vec<usize>,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let mut axes = match reading.list("axes", 1)? {
        Some(list) => {
            list.iter().map(|&axis| axis_of(axis, shape.rank())).collect::<Result<Vec<_>, _>>()?
        }
        None => (0..shape.rank()).filter(|&k| shape.0[k] == Dim::Fixed(1)).collect(),
    };
    axes.sort_unstable();
    axes.dedup();
    Ok(reading.node(Squeeze { axes }, 1))
}

impl Squeeze {
    fn remaining(&self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|axis| !self.axes.contains(axis)).collect()
    }
}

impl Op for Squeeze {
    fn kind(&self) -> &'static str {
        "Squeeze"
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
        for &axis in &self.axes {
            if shape.0.get(axis) != Some(&Dim::Fixed(1)) {
                return Err(OpError::new(format!("axis {axis} of {shape} does not have extent 1")));
            }
        }
        Ok(vec![Shape(self.remaining(shape.rank()).iter().map(|&axis| shape.0[axis]).collect())])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let labels = flow.labels(0);
        let shape: Vec<usize> =
            self.remaining(labels.rank()).iter().map(|&axis| labels.shape()[axis]).collect();
        flow.set(0, labels.reshape(shape));
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        sources(operands, |indices| indices)
    }
}

impl Execute for Squeeze {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let order = lower.order(0);
        let axes: Vec<Option<usize>> = self.remaining(order.rank()).into_iter().map(Some).collect();
        Ok(Lowered::view(renamed(&order, &axes)))
    }
}
