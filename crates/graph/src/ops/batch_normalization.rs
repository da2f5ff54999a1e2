//! BatchNormalization: `scale * (x - mean) / sqrt(variance + epsilon) + bias`, per channel. In
//! inference with the running mean and variance; in training with the batch's own, which the running
//! ones follow: `running * momentum + batch * (1 - momentum)`, the batch's variance unbiased as in
//! PyTorch. Where the running ones stay as they are, training uses them as inference does.

use std::sync::Arc;

use brickwork_tensor::kernels::batch_norm::{input_gradient, moments, parameter_gradients};
use brickwork_tensor::kernels::pointwise::Pointwise;
use brickwork_tensor::kernels::rows::scale_rows;
use brickwork_tensor::{Buffer, Level, Order};

use super::conv::split_clamp;
use super::formula::Formula;
use super::normalising::{affine, names, standardised};
use super::pointwise::finish;
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::{Absorbs, Execute, Fusion};
use crate::joint_node::JointNode;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{ConstantRole, Op, Spec};
use crate::read::{Read, Reading};
use crate::shape::{Operands, Shape};
use crate::training::{Follows, Reads, Trained};

/// Operands: value `[n, c, ...]`, then scale, bias, mean and variance `[c]`.
#[derive(Clone, Debug)]
struct BatchNormalization {
    epsilon: f32,
    momentum: f32,
}

/// ONNX's default.
const MOMENTUM: f32 = 0.9;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.ignore(&["is_test"]);
    if reading.int_or("spatial", 1)? != 1 {
        return Err(OpError::new("spatial 0 is not supported"));
    }
    if reading.int_or("training_mode", 0)? != 0 {
        return by_own_moments(reading);
    }
    let epsilon = reading.float_or("epsilon", 1e-5)?;
    let momentum = reading.float_or("momentum", MOMENTUM)?;
    Ok(reading.node(BatchNormalization { epsilon, momentum }, 5))
}

/// In training mode a constant is normalised by its own moments: weights are standardised so.
fn by_own_moments(reading: &Reading<'_>) -> Result<Read, OpError> {
    let epsilon = reading.float_or("epsilon", 1e-5)?;
    reading.ignore(&["momentum"]);
    let known = reading.operand(0).real().filter(|real| real.shape.batch_axis().is_none());
    let Some(known) = known.filter(|real| real.data.rank() > 1) else {
        return Err(OpError::new("it is in training mode; export the model in evaluation mode"));
    };
    let rank = known.data.rank();
    let axes: Vec<usize> = (0..rank).filter(|&axis| axis != 1).collect();
    let mut formula = Formula::of(reading)?;
    let [input, scale, bias] = names(reading)?;
    let even = standardised(&mut formula, input, &axes, epsilon);
    let mut extents = vec![1; rank - 1];
    extents[0] = known.data.shape()[1];
    affine(&mut formula, &even, scale, bias, &extents);
    Ok(formula.done())
}

impl BatchNormalization {
    /// The same as `scale[c] * x + shift[c]`.
    fn affine(&self, operand: impl Fn(usize) -> Option<Vec<f32>>) -> Option<(Vec<f32>, Vec<f32>)> {
        let (gamma, beta, mean, variance) = (operand(1)?, operand(2)?, operand(3)?, operand(4)?);
        let scale: Vec<f32> = gamma
            .iter()
            .zip(&variance)
            .map(|(g, v)| (f64::from(*g) / (f64::from(*v) + f64::from(self.epsilon)).sqrt()) as f32)
            .collect();
        let shift = (0..scale.len()).map(|c| beta[c] - mean[c] * scale[c]).collect();
        Some((scale, shift))
    }
}

impl Op for BatchNormalization {
    fn kind(&self) -> &'static str {
        "BatchNormalization"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(5);
        spec.attrs.insert("epsilon".to_owned(), Attr::Float(self.epsilon));
        if self.momentum != MOMENTUM {
            spec.attrs.insert("momentum".to_owned(), Attr::Float(self.momentum));
        }
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let value = operands.shape(0)?;
        if value.rank() < 2 {
            return Err(OpError::new(format!("operand 0 has shape {value}, expected [n, c, ...]")));
        }
        for slot in 1..5 {
            operands.must_be_constant(slot, "a statistic")?;
            if operands.shape(slot)?.0 != [value.0[1]] {
                return Err(OpError::new(format!(
                    "operand {slot} has shape {}, expected [{}] for the channels of {value}",
                    operands.shape(slot)?,
                    value.0[1]
                )));
            }
        }
        Ok(vec![value.clone()])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        match flow.labels_along(0, 1) {
            Ok(labels) => {
                (1..5).for_each(|slot| flow.follow(slot, 0, &labels));
                flow.pass();
            }
            Err(_) => flow.freeze_all("the channels do not lie along axis 1"),
        }
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }

    fn role(&self, slot: usize) -> ConstantRole {
        if slot >= 3 { ConstantRole::Statistic } else { ConstantRole::Coefficient }
    }
}

impl Execute for BatchNormalization {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let extents = lower.extents(0)?;
        let order = Order::channels_last(extents.len());
        lower.want(0, order.clone());
        let operand = |slot| lower.optional_constant(slot).map(|data| data.data().to_vec());
        let affine = self.affine(operand);
        let (scale, shift) = affine.ok_or_else(|| OpError::new("statistics must be constants"))?;
        let (clamp, then) = split_clamp(lower.epilogue().pointwise.clone());
        let kernel = ScaleRows { scale, shift, clamp, then, level: lower.level() };
        Ok(Lowered::kernel(kernel, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let extents = lower.extents(0)?;
        let order = Order::channels_last(extents.len());
        lower.want(0, order.clone());
        let channels = extents[1];
        let level = lower.level();
        let gives = lower.needed(0..3);
        if let (Some(mean), Some(variance)) = (lower.fixed(3), lower.fixed(4)) {
            let statistics = Settled::new(mean.data(), variance.data(), self.epsilon, level);
            let forward = Lowered::kernel(statistics.clone(), order);
            let reads = [Reads::Gradient(0), Reads::Operand(0), Reads::Operand(1)].to_vec();
            let back = Unsettle { statistics, gives: gives.clone() };
            return Ok(Trained::new(forward, back, reads, gives));
        }
        if extents.iter().product::<usize>() <= channels {
            return Err(OpError::new(
                "there is one number per channel to normalise over; training needs more than one \
                 sample in a batch",
            ));
        }
        let forward = Normalise { channels, epsilon: self.epsilon, level };
        let reads = [Reads::Gradient(0), Reads::Operand(0), Reads::Operand(1)];
        let reads = reads.into_iter().chain([Reads::Kept(0), Reads::Kept(1)]).collect();
        let rate = 1.0 - self.momentum;
        let follows = [(3, 0), (4, 2)].map(|(slot, kept)| Follows { slot, kept, rate }).to_vec();
        let back = Unnormalise { gives: gives.clone(), level };
        Ok(Trained::new(Lowered::kernel(forward, order), back, reads, gives)
            .keeping(vec![channels; 3])
            .following(follows))
    }

    fn fusion(&self, operands: &Operands<'_>) -> Fusion {
        let operand = |slot| operands.constant(slot).map(|data| data.data().to_vec());
        match self.affine(operand) {
            Some((scale, shift)) => Fusion::Affine(scale, shift),
            None => Fusion::None,
        }
    }

    fn absorbs(&self) -> Absorbs {
        Absorbs { pointwise: true, ..Absorbs::default() }
    }
}

struct ScaleRows {
    scale: Vec<f32>,
    shift: Vec<f32>,
    clamp: (f32, f32),
    then: Option<Pointwise>,
    level: Level,
}

impl Kernel for ScaleRows {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].copy_from_slice(inputs[0]);
        self.update(outputs[0], &[]);
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn update(&self, first: &mut [f32], _: &[&[f32]]) {
        scale_rows(first, &self.scale, &self.shift, self.clamp, self.level);
        finish(self.then.as_ref(), first, self.level);
    }
}

/// Normalises by the batch's moments. Keeps their mean, the inverse standard deviation and the
/// unbiased variance.
struct Normalise {
    channels: usize,
    epsilon: f32,
    level: Level,
}

impl Kernel for Normalise {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let [x, gamma, beta] = [inputs[0], inputs[1], inputs[2]];
        let rows = (x.len() / self.channels) as f32;
        let found = moments(x, self.channels, self.level);
        let [y, mean, inverse, variance] = outputs else { unreachable!("keeps three arrays") };
        mean.copy_from_slice(&found.mean);
        for (c, v) in found.variance.iter().enumerate() {
            inverse[c] = 1.0 / (v + self.epsilon).sqrt();
            variance[c] = v * rows / (rows - 1.0);
        }
        let scale: Vec<f32> = gamma.iter().zip(inverse.iter()).map(|(g, i)| g * i).collect();
        let shift: Vec<f32> =
            (0..self.channels).map(|c| beta[c] - found.mean[c] * scale[c]).collect();
        y.copy_from_slice(x);
        scale_rows(y, &scale, &shift, (f32::NEG_INFINITY, f32::INFINITY), self.level);
    }
}

/// Normalises by statistics that stay.
#[derive(Clone)]
struct Settled {
    mean: Vec<f32>,
    /// The inverse standard deviation.
    inverse: Vec<f32>,
    level: Level,
}

impl Settled {
    fn new(mean: &[f32], variance: &[f32], epsilon: f32, level: Level) -> Self {
        let inverse = variance.iter().map(|v| 1.0 / (v + epsilon).sqrt()).collect();
        Self { mean: mean.to_vec(), inverse, level }
    }

    fn scale(&self, gamma: &[f32]) -> Vec<f32> {
        gamma.iter().zip(&self.inverse).map(|(g, i)| g * i).collect()
    }
}

impl Kernel for Settled {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let scale = self.scale(inputs[1]);
        let shift: Vec<f32> =
            inputs[2].iter().zip(&self.mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        outputs[0].copy_from_slice(inputs[0]);
        scale_rows(outputs[0], &scale, &shift, (f32::NEG_INFINITY, f32::INFINITY), self.level);
    }
}

/// Gradients of what [`Settled`] reads: those of value, scale and bias in `gives`.
struct Unsettle {
    statistics: Settled,
    gives: Vec<usize>,
}

impl Kernel for Unsettle {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let Settled { mean, inverse, level } = &self.statistics;
        let [dy, x, gamma] = [inputs[0], inputs[1], inputs[2]];
        let sums = (self.gives != [0]).then(|| parameter_gradients(dy, x, mean, inverse, *level));
        for (slot, out) in self.gives.iter().zip(outputs) {
            match (slot, &sums) {
                (1, Some(sums)) => out.copy_from_slice(&sums.scale),
                (2, Some(sums)) => out.copy_from_slice(&sums.shift),
                _ => {
                    let scale = self.statistics.scale(gamma);
                    let none = vec![0.0; scale.len()];
                    out.copy_from_slice(dy);
                    scale_rows(out, &scale, &none, (f32::NEG_INFINITY, f32::INFINITY), *level);
                }
            }
        }
    }
}

/// Gradients of value, scale and bias: those of them in `gives`.
struct Unnormalise {
    gives: Vec<usize>,
    level: Level,
}

impl Kernel for Unnormalise {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let [dy, x, gamma, mean, inverse] = [inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]];
        let sums = parameter_gradients(dy, x, mean, inverse, self.level);
        for (slot, out) in self.gives.iter().zip(outputs) {
            match slot {
                0 => {
                    out.copy_from_slice(dy);
                    input_gradient(out, x, [gamma, mean, inverse], &sums, self.level);
                }
                1 => out.copy_from_slice(&sums.scale),
                _ => out.copy_from_slice(&sums.shift),
            }
        }
    }
}
