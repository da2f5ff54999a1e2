//! PRelu: `x` where positive, else `slope * x` with a learned slope per channel.

use std::sync::Arc;

use brickwork_tensor::kernels::elementwise::Binary;

use super::arithmetic::{broadcast, lower_binary, train_binary};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Lower, Lowered};
use crate::op::{ConstantRole, Op, Spec};
use crate::read::{Read, Reading};
use crate::shape::{Operands, Shape};
use crate::training::Trained;

/// Operands: value, slope that broadcasts to it.
#[derive(Clone, Debug)]
struct PRelu;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    Ok(reading.node(PRelu, 2))
}

impl Op for PRelu {
    fn kind(&self) -> &'static str {
        "PRelu"
    }

    fn spec(&self) -> Spec {
        Spec::slots(2)
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let (value, slope) = (operands.shape(0)?, operands.shape(1)?);
        operands.must_be_constant(1, "the slope")?;
        if broadcast(value, slope)? != *value {
            return Err(OpError::new(format!("slope {slope} does not broadcast to {value}")));
        }
        Ok(vec![value.clone()])
    }

    fn role(&self, _: usize) -> ConstantRole {
        ConstantRole::Parameter
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        flow.join();
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }
}

impl Execute for PRelu {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        lower_binary(lower, Binary::PRelu)
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        train_binary(lower, Binary::PRelu)
    }
}
