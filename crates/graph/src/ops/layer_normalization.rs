//! LayerNormalization over the trailing axes, which mixes what lies along them.

use std::sync::Arc;

use brickwork_tensor::kernels::batch_norm::column_sums;
use brickwork_tensor::kernels::rows::{
    layer_norm, layer_norm_backward, layer_norm_scale_gradients,
};
use brickwork_tensor::{Buffer, Order, Tensor};

use super::formula::Formula;
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec};
use crate::read::{Read, Reading, axis_of};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained};

/// Operands: value, scale and bias of the shape of its axes from `axis` on.
#[derive(Clone, Debug)]
struct LayerNormalization {
    axis: usize,
    epsilon: f32,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let axis = axis_of(reading.int_or("axis", -1)?, reading.shape(0)?.rank())?;
    if reading.int_or("stash_type", 1)? != 1 {
        return Err(OpError::new("stash_type other than 1 is not supported"));
    }
    let epsilon = reading.float_or("epsilon", 1e-5)?;
    if reading.form.outputs.len() > 1 {
        return with_moments(reading, axis, epsilon);
    }
    Ok(reading.node(LayerNormalization { axis, epsilon }, 3))
}

/// The node, and formulas of its other results: the mean and the inverse standard deviation.
fn with_moments(reading: &Reading<'_>, axis: usize, epsilon: f32) -> Result<Read, OpError> {
    let mut form = reading.form.clone();
    form.outputs.truncate(1);
    let mut forms = vec![form];
    let input = reading.named(0);
    let axes: Vec<usize> = (axis..reading.shape(0)?.rank()).collect();
    for (k, output) in
        reading.form.outputs.iter().enumerate().skip(1).filter(|(_, o)| !o.is_empty())
    {
        let mut formula = Formula::making(reading, output)?;
        let mean = formula.reduce("ReduceMean", input, &axes);
        if k > 1 {
            let centred = formula.step("Sub", &[input, &mean]);
            let squares = formula.step("Mul", &[&centred, &centred]);
            let variance = formula.reduce("ReduceMean", &squares, &axes);
            let epsilon = formula.number(f64::from(epsilon));
            let safe = formula.step("Add", &[&variance, &epsilon]);
            let deviation = formula.step("Sqrt", &[&safe]);
            formula.step("Reciprocal", &[&deviation]);
        }
        forms.append(&mut formula.forms());
    }
    Ok(Read::Expand(forms))
}

impl Op for LayerNormalization {
    fn kind(&self) -> &'static str {
        "LayerNormalization"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(3);
        spec.attrs.insert("axis".to_owned(), Attr::Int(self.axis as i64));
        spec.attrs.insert("epsilon".to_owned(), Attr::Float(self.epsilon));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let value = operands.shape(0)?;
        let normalised = Shape(value.0.get(self.axis..).unwrap_or_default().to_vec());
        operands.must_be_constant(1, "the scale")?;
        for slot in (1..3).filter(|&slot| operands.has(slot)) {
            operands.must_be_constant(slot, "the scale or bias")?;
            if operands.shape(slot)? != &normalised {
                return Err(OpError::new(format!(
                    "operand {slot} has shape {}, expected {normalised}",
                    operands.shape(slot)?
                )));
            }
        }
        Ok(vec![value.clone()])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let axes: Vec<usize> = (self.axis..flow.extents(0).len()).collect();
        flow.pass_whole_along(&axes, "it normalises across the channels");
    }
}

impl Execute for LayerNormalization {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let order = Order::row_major(lower.extents(0)?.len());
        lower.want(0, order.clone());
        let kernel = RunLayerNorm {
            scale: lower.constant(1)?.clone(),
            bias: lower.optional_constant(2).cloned(),
            epsilon: self.epsilon,
        };
        Ok(Lowered::kernel(kernel, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let order = Order::row_major(lower.extents(0)?.len());
        lower.want(0, order.clone());
        let gives = lower.needed(0..3);
        let forward = Normalise { epsilon: self.epsilon };
        let back = Unnormalise { gives: gives.clone(), epsilon: self.epsilon };
        let reads = vec![Reads::Gradient(0), Reads::Operand(0), Reads::Operand(1)];
        Ok(Trained::new(Lowered::kernel(forward, order), back, reads, gives))
    }
}

struct RunLayerNorm {
    scale: Arc<Tensor>,
    bias: Option<Arc<Tensor>>,
    epsilon: f32,
}

impl Kernel for RunLayerNorm {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let bias = self.bias.as_ref().map(|b| b.data());
        layer_norm(inputs[0], self.scale.data(), bias, self.epsilon, outputs[0]);
    }
}

/// With scale and bias that change from step to step.
struct Normalise {
    epsilon: f32,
}

impl Kernel for Normalise {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        layer_norm(inputs[0], inputs[1], inputs.get(2).copied(), self.epsilon, outputs[0]);
    }
}

/// Gradients of value, scale and bias: those of them in `gives`.
struct Unnormalise {
    gives: Vec<usize>,
    epsilon: f32,
}

impl Kernel for Unnormalise {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer) {
        let [dy, x, scale] = [inputs[0], inputs[1], inputs[2]];
        for (slot, out) in self.gives.iter().zip(outputs) {
            match slot {
                0 => layer_norm_backward(dy, x, scale, self.epsilon, out),
                1 => {
                    let parts = scratch.ensure(x.len());
                    layer_norm_scale_gradients(dy, x, scale.len(), self.epsilon, parts);
                    out.copy_from_slice(&column_sums(parts, scale.len()));
                }
                _ => out.copy_from_slice(&column_sums(dy, scale.len())),
            }
        }
    }
}
