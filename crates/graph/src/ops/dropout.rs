//! Dropout: the value itself in inference; in training, elements are zeroed at random and the others
//! scaled up (Srivastava et al. 2014). Forward and backward draw the same numbers.

use std::sync::Arc;

use brickwork_tensor::kernels::pointwise::drop_out;
use brickwork_tensor::{Buffer, Nd};

use crate::attrs::Literal;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Operand, Read, Reading};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained, drawn};

/// Operand: any value.
#[derive(Clone, Debug)]
struct Dropout {
    ratio: f32,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.ignore(&["seed", "is_test"]);
    if let Operand::Ints(training) = reading.operand(2)
        && training.data().first().is_some_and(|flag| flag.fixed() != Some(0))
    {
        return Err(OpError::new("it is in training mode; export the model in evaluation mode"));
    }
    let ratio = reading.float_or("ratio", 0.5)?;
    let ratio = reading.float_at(1, "ratio", ratio)?;
    if reading.form.outputs.len() > 1 {
        // Exporters name the mask without reading it; whoever does read it finds it missing.
        let mut form = reading.form.clone();
        form.outputs.truncate(1);
        return Ok(Read::Expand(vec![form]));
    }
    Ok(reading.node(Dropout { ratio }, 1))
}

impl Op for Dropout {
    fn kind(&self) -> &'static str {
        "Dropout"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        spec.inputs.push(SpecInput::Literal("ratio", Literal::Floats(Nd::scalar(self.ratio))));
        spec
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
}

impl Execute for Dropout {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        Ok(Lowered::view(lower.order(0)))
    }

    fn draws(&self) -> bool {
        true
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        if lower.is_settled() {
            return Ok(Trained::same(Lowered::view(lower.order(0)), vec![0]));
        }
        let drop = || Drop { ratio: self.ratio, salt: lower.salt() };
        let forward = Lowered::kernel(drop(), lower.order(0));
        Ok(Trained::new(forward, drop(), vec![Reads::Gradient(0), Reads::Draw], vec![0]).drawing())
    }
}

/// Drops elements of the value, or of its gradient.
struct Drop {
    ratio: f32,
    salt: u64,
}

impl Kernel for Drop {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].copy_from_slice(inputs[0]);
        self.update(outputs[0], &inputs[1..]);
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn update(&self, first: &mut [f32], others: &[&[f32]]) {
        drop_out(
            first,
            self.ratio,
            drawn(others[0]) ^ self.salt.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        );
    }
}
