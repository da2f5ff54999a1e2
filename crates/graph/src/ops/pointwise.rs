//! What all functions of one element share.

use std::sync::Arc;

use brickwork_tensor::kernels::pointwise::Pointwise;
use brickwork_tensor::{Buffer, Level};

use crate::attrs::{Attr, Attrs, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::{Execute, Fusion};
use crate::joint_node::JointNode;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Known, Read, Reading};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained};

/// A function applied to every element of operand 0.
#[derive(Clone, Debug)]
pub(crate) struct Unary {
    pub(crate) kind: &'static str,
    pub(crate) function: Pointwise,
    pub(crate) attrs: Vec<(&'static str, f32)>,
    /// Operands after the first that ONNX wants as arrays.
    pub(crate) literals: Vec<(&'static str, Option<f32>)>,
}

impl Unary {
    pub(crate) fn new(kind: &'static str, function: Pointwise) -> Self {
        Self { kind, function, attrs: Vec::new(), literals: Vec::new() }
    }
}

/// Reads a function that gives whole numbers and leaves them as they are.
///
/// # Errors
/// If the operand is missing.
pub(crate) fn read_rounding(
    reading: &Reading<'_>,
    kind: &'static str,
    function: Pointwise,
) -> Result<Read, OpError> {
    if let Some(whole) = reading.operand(0).whole() {
        return Ok(Read::Known(vec![Known::Ints(whole.data).under(whole.shape)]));
    }
    Ok(reading.node(Unary::new(kind, function), 1))
}

impl Op for Unary {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        spec.attrs =
            self.attrs.iter().map(|&(k, v)| (k.to_owned(), Attr::Float(v))).collect::<Attrs>();
        for &(name, value) in &self.literals {
            spec.inputs.push(value.map_or(SpecInput::Absent, |x| {
                SpecInput::Literal(name, Literal::Floats(brickwork_tensor::Nd::scalar(x)))
            }));
        }
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

impl Execute for Unary {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let kernel = ApplyPointwise { function: self.function.clone(), level: lower.level() };
        Ok(Lowered::kernel(kernel, lower.order(0)))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let forward = self.lower(lower)?;
        let from_result = self.function.derives_from_result();
        let known = if from_result { Reads::Result(0) } else { Reads::Operand(0) };
        let kernel = Differentiate { function: self.function.clone(), level: lower.level() };
        Ok(Trained::new(forward, kernel, vec![Reads::Gradient(0), known], vec![0]))
    }

    fn fusion(&self, _: &Operands<'_>) -> Fusion {
        Fusion::Pointwise(self.function.clone())
    }
}

struct ApplyPointwise {
    function: Pointwise,
    level: Level,
}

impl Kernel for ApplyPointwise {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].copy_from_slice(inputs[0]);
        self.function.apply(outputs[0], self.level);
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn update(&self, first: &mut [f32], _: &[&[f32]]) {
        self.function.apply(first, self.level);
    }
}

/// `dx = dy * f'`.
struct Differentiate {
    function: Pointwise,
    level: Level,
}

impl Kernel for Differentiate {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].copy_from_slice(inputs[0]);
        self.update(outputs[0], &inputs[1..]);
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn update(&self, first: &mut [f32], others: &[&[f32]]) {
        self.function.differentiate(others[0], first, self.level);
    }
}

/// Applies what an epilogue ends with, where the kernel itself cannot.
pub(crate) fn finish(function: Option<&Pointwise>, out: &mut [f32], level: Level) {
    if let Some(function) = function {
        function.apply(out, level);
    }
}
