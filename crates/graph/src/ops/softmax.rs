//! Softmax: scores to probabilities along one axis. Before opset 13 the axes from `axis` on count
//! as one, which is the same wherever all but one of them have extent 1.

use brickwork_tensor::kernels::rows::{softmax, softmax_backward};
use brickwork_tensor::{Buffer, Level, Order};

use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec};
use crate::read::{Read, Reading, axis_of};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained};

/// `exp(x) / sum exp(x)` along `axis`, or its logarithm.
#[derive(Clone, Debug)]
struct Softmax {
    axis: usize,
    logarithm: bool,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    read_as(reading, false)
}

pub(crate) fn read_as(reading: &Reading<'_>, logarithm: bool) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let modern = reading.opset >= 13;
    let mut axis = axis_of(reading.int_or("axis", if modern { -1 } else { 1 })?, shape.rank())?;
    if !modern {
        let extents = shape.sample();
        let mut solid = (axis..shape.rank()).filter(|&k| extents[k] != 1);
        axis = solid.next().unwrap_or(axis);
        if solid.next().is_some() {
            return Err(OpError::new(format!(
                "softmax over several axes of {shape} at once is not supported"
            )));
        }
    }
    Ok(reading.node(Softmax { axis, logarithm }, 1))
}

impl Op for Softmax {
    fn kind(&self) -> &'static str {
        if self.logarithm { "LogSoftmax" } else { "Softmax" }
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        spec.attrs.insert("axis".to_owned(), Attr::Int(self.axis as i64));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let shape = operands.shape(0)?;
        if shape.0.get(self.axis).and_then(|dim| dim.fixed()).is_none() {
            return Err(OpError::new(format!("axis {} of {shape} is the batch", self.axis)));
        }
        Ok(vec![shape.clone()])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        if flow.after_logits() {
            return flow.pass();
        }
        flow.pass_whole_along(&[self.axis], "it normalises across the channels");
    }

    fn normalises_scores(&self) -> bool {
        true
    }
}

impl Execute for Softmax {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let extents = lower.extents(0)?;
        let outer = (0..extents.len()).filter(|&axis| axis != self.axis);
        let order = Order::new(outer.chain([self.axis]).collect::<Vec<_>>());
        lower.want(0, order.clone());
        let (extent, logarithm, level) = (extents[self.axis], self.logarithm, lower.level());
        let kernel = RunSoftmax { extent, logarithm, level };
        Ok(Lowered::kernel(kernel, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let forward = self.lower(lower)?;
        let back = Unsoftmax { extent: lower.extents(0)?[self.axis], logarithm: self.logarithm };
        Ok(Trained::new(forward, back, vec![Reads::Gradient(0), Reads::Result(0)], vec![0]))
    }
}

struct RunSoftmax {
    extent: usize,
    logarithm: bool,
    level: Level,
}

impl Kernel for RunSoftmax {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].copy_from_slice(inputs[0]);
        self.update(outputs[0], &[]);
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn update(&self, first: &mut [f32], _: &[&[f32]]) {
        softmax(first, self.extent, self.logarithm, self.level);
    }
}

struct Unsoftmax {
    extent: usize,
    logarithm: bool,
}

impl Kernel for Unsoftmax {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].copy_from_slice(inputs[0]);
        self.update(outputs[0], &inputs[1..]);
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn update(&self, first: &mut [f32], others: &[&[f32]]) {
        softmax_backward(others[0], self.extent, self.logarithm, first);
    }
}
