//! Identity: the value itself.

use std::sync::Arc;

use super::moving::sources;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Lower, Lowered};
use crate::op::{Op, Spec};
use crate::read::{Known, Operand, Read, Reading};
use crate::shape::{Operands, Shape};

/// What a node is called that hands its operand on.
pub const HANDS_ON: &str = "Identity";

/// The value itself; stands for Dropout in inference too.
#[derive(Clone, Debug)]
pub(crate) struct Identity;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    match reading.operand(0) {
        Operand::Floats(data) => Ok(Read::Known(vec![Known::Floats(data.clone())])),
        Operand::Ints(data) => Ok(Read::Known(vec![Known::Ints(data.clone())])),
        Operand::Repeated(repeated) => Ok(Read::Known(vec![Known::Repeated(repeated.clone())])),
        _ => Ok(reading.node(Identity, 1)),
    }
}

impl Op for Identity {
    fn kind(&self) -> &'static str {
        HANDS_ON
    }

    fn spec(&self) -> Spec {
        Spec::slots(1)
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        Ok(vec![operands.shape(0)?.clone()])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        flow.pass();
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        sources(operands, |indices| indices)
    }
}

impl Execute for Identity {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        Ok(Lowered::view(lower.order(0)))
    }
}
