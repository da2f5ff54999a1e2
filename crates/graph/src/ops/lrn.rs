//! LRN: local response normalisation across channels, which mixes them.

use brickwork_tensor::kernels::rows::{local_response, local_response_backward};
use brickwork_tensor::{Buffer, Order};

use crate::attrs::{Attr, Attrs};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Cost, Op, Spec};
use crate::read::{Read, Reading};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained};

/// `x / (bias + alpha / size * sum of x^2 over the size channels around)^beta`, over `[n, c, ...]`.
#[derive(Clone, Debug)]
struct Lrn {
    size: usize,
    alpha: f32,
    beta: f32,
    bias: f32,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let size = reading.int("size")?.and_then(|size| usize::try_from(size).ok()).filter(|&s| s > 0);
    let size = size.ok_or_else(|| OpError::new("attribute `size` is missing or not positive"))?;
    let op = Lrn {
        size,
        alpha: reading.float_or("alpha", 1e-4)?,
        beta: reading.float_or("beta", 0.75)?,
        bias: reading.float_or("bias", 1.0)?,
    };
    Ok(reading.node(op, 1))
}

impl Op for Lrn {
    fn kind(&self) -> &'static str {
        "LRN"
    }

    fn spec(&self) -> Spec {
        let attrs = [("alpha", self.alpha), ("beta", self.beta), ("bias", self.bias)];
        let mut spec = Spec::slots(1);
        spec.attrs =
            attrs.map(|(name, x)| (name.to_owned(), Attr::Float(x))).into_iter().collect::<Attrs>();
        spec.attrs.insert("size".to_owned(), Attr::Int(self.size as i64));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let shape = operands.shape(0)?;
        if shape.0.get(1).and_then(|dim| dim.fixed()).is_none() {
            return Err(OpError::new(format!("operand 0 has shape {shape}, expected [n, c, ...]")));
        }
        Ok(vec![shape.clone()])
    }

    fn cost(&self, _: &Operands<'_>, output: &Shape) -> Cost {
        let neighbours = output.sample().get(1).map_or(1, |&channels| self.size.min(channels));
        let steps = (output.sample_volume() as u64).saturating_mul(neighbours as u64);
        Cost { macs: 0, steps }
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        flow.freeze_all("it normalises each channel by its neighbours");
    }
}

impl Execute for Lrn {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let extents = lower.extents(0)?;
        let order = Order::channels_last(extents.len());
        lower.want(0, order.clone());
        Ok(Lowered::kernel(RunLrn { op: self.clone(), channels: extents[1] }, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let forward = self.lower(lower)?;
        let back = Unlrn(RunLrn { op: self.clone(), channels: lower.extents(0)?[1] });
        Ok(Trained::new(forward, back, vec![Reads::Gradient(0), Reads::Operand(0)], vec![0]))
    }
}

struct RunLrn {
    op: Lrn,
    channels: usize,
}

impl RunLrn {
    fn factors(&self) -> [f32; 3] {
        [self.op.alpha, self.op.beta, self.op.bias]
    }
}

impl Kernel for RunLrn {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        local_response(inputs[0], self.channels, self.op.size, self.factors(), outputs[0]);
    }
}

struct Unlrn(RunLrn);

impl Kernel for Unlrn {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let (dy, x, factors) = (inputs[0], inputs[1], self.0.factors());
        local_response_backward(dy, x, self.0.channels, self.0.op.size, factors, outputs[0]);
    }
}
