//! Transpose: axes in another order. At run time the memory stays as it is.

use std::sync::Arc;

use super::moving::{renamed, sources};
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Lower, Lowered};
use crate::op::{Op, Spec};
use crate::read::{Read, Reading};
use crate::shape::{Dim, Operands, Shape};

/// Axis `k` of the result is axis `perm[k]` of the operand.
#[derive(Clone, Debug)]
pub(super) struct Transpose {
    pub(super) perm: Vec<usize>,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let rank = reading.shape(0)?.rank();
    let perm = match reading.ints("perm")? {
        None => (0..rank).rev().collect(),
        Some(list) => {
            let axes: Vec<usize> = list.iter().filter_map(|&a| usize::try_from(a).ok()).collect();
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            if sorted != (0..rank).collect::<Vec<_>>() {
                return Err(OpError::new(format!(
                    "perm {list:?} is no permutation of {rank} axes"
                )));
            }
            axes
        }
    };
    Ok(reading.node(Transpose { perm }, 1))
}

impl Op for Transpose {
    fn kind(&self) -> &'static str {
        "Transpose"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        let perm = self.perm.iter().map(|&axis| axis as i64).collect();
        spec.attrs.insert("perm".to_owned(), Attr::Ints(perm));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let shape = operands.ranked(0, self.perm.len())?;
        Ok(vec![Shape(self.perm.iter().map(|&axis| shape.0[axis]).collect())])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        flow.turn(&self.perm);
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        let shape = operands.shape(0).ok()?;
        let moves_batch = self.perm.iter().enumerate().any(|(k, &axis)| {
            k != axis
                && (matches!(shape.0[axis], Dim::Batch(_)) || matches!(shape.0[k], Dim::Batch(_)))
        });
        if moves_batch {
            return None;
        }
        sources(operands, |indices| indices.transpose(&self.perm))
    }
}

impl Execute for Transpose {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let axes: Vec<Option<usize>> = self.perm.iter().copied().map(Some).collect();
        Ok(Lowered::view(renamed(&lower.order(0), &axes)))
    }
}
