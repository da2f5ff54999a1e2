//! Flatten: `[n, c, h, w]` to `[n, c * h * w]` (for `axis` 1).

use std::sync::Arc;

use brickwork_tensor::Order;

use super::formula::Formula;
use super::moving::{fixed_tail, sources};
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Lower, Lowered};
use crate::op::{Op, Spec};
use crate::read::{Read, Reading, axis_of};
use crate::shape::{Dim, Operands, Shape};

/// Operand: any value whose first axis is the batch.
#[derive(Clone, Debug)]
struct Flatten;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let rank = reading.shape(0)?.rank();
    let axis = reading.int_or("axis", 1)?;
    let end = usize::try_from(axis).is_ok_and(|axis| axis == rank);
    match if end { rank } else { axis_of(axis, rank.max(2))? } {
        1 => Ok(reading.node(Flatten, 1)),
        axis => {
            let shape = reading.shape(0)?;
            let mut formula = Formula::of(reading)?;
            let whole = Shape(vec![merged(&shape.0[..axis]), merged(&shape.0[axis..])]);
            formula.reshape(reading.named(0), &whole);
            Ok(formula.done())
        }
    }
}

/// Several extents as one.
fn merged(dims: &[Dim]) -> Dim {
    let count = dims.iter().map(|dim| dim.at(1)).product();
    match dims.iter().any(|dim| dim.fixed().is_none()) {
        true => Dim::Batch(count),
        false => Dim::Fixed(count),
    }
}

impl Op for Flatten {
    fn kind(&self) -> &'static str {
        "Flatten"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        spec.attrs.insert("axis".to_owned(), Attr::Int(1));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let shape = operands.shape(0)?;
        let first = *shape.0.first().ok_or_else(|| OpError::new("a scalar cannot be flattened"))?;
        Ok(vec![Shape(vec![first, Dim::Fixed(fixed_tail(shape)?.iter().product())])])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let elements = flow.extents(0).iter().product();
        flow.rearrange(&(0..elements).collect::<Vec<_>>());
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.agree()?;
        joint.spread(joint.each);
        Ok(Arc::new(self.clone()))
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        sources(operands, |indices| indices)
    }
}

impl Execute for Flatten {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        lower.want(0, Order::row_major(lower.extents(0)?.len()));
        Ok(Lowered::view(Order::row_major(2)))
    }
}
