//! Conv: two-dimensional convolution with groups, strides, dilation and padding.
//!
//! `y[n, o, y, x] = b[o] + sum over i, ky, kx of w[o, i, ky, kx] * x[n, i, y*s + ky*d - p, ...]`

use std::any::Any;
use std::sync::Arc;

use brickwork_tensor::kernels::batch_norm::column_sums;
use brickwork_tensor::kernels::convolution::{Convolution, Shapes};
use brickwork_tensor::kernels::correlate::{Connections, correlate};
use brickwork_tensor::kernels::depthwise::{Depthwise, Extents, weight_gradient};
use brickwork_tensor::kernels::gemm::{Finish, Gather, Packed};
use brickwork_tensor::kernels::pointwise::Pointwise;
use brickwork_tensor::kernels::window::Window;
use brickwork_tensor::{Buffer, Level, Order, Tensor};

use super::pointwise::finish;
use super::volumetric;
use super::windowed::{self, window_attrs};
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::{Absorbs, Execute};
use crate::joint_node::{Arrangement, JointNode};
use crate::lower::{Epilogue, Kernel, Lower, Lowered};
use crate::op::{Cost, Op, Spec};
use crate::read::{Read, Reading};
use crate::remains::Kept;
use crate::shape::{Dim, Operands, Shape};
use crate::training::{Reads, Trained};
use crate::weighted::{WeightLayout, Weighted};

/// Operands: image `[n, c, h, w]`, weights `[o, c / groups, kh, kw]`, bias `[o]`.
#[derive(Clone, Debug)]
pub(crate) struct Conv {
    window: Window,
    groups: usize,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let weights = reading.shape(1)?;
    if weights.rank() == 3 && reading.shape(0)?.rank() == 3 {
        return windowed::over_line(reading, 2);
    }
    if weights.rank() == 5 {
        return volumetric::conv(reading);
    }
    let extents = weights.extents().filter(|e| e.len() == 4).ok_or_else(|| {
        OpError::new(format!("weights have shape {weights}, expected [o, i, kh, kw]"))
    })?;
    if let Some(kernel) = reading.ints("kernel_shape")?
        && kernel != [extents[2] as i64, extents[3] as i64]
    {
        return Err(OpError::new(format!(
            "kernel_shape {kernel:?} does not match weights {weights}"
        )));
    }
    let image = reading.image(0, 4)?;
    let window = windowed::read(reading, [extents[2], extents[3]], [image[1], image[2]])?;
    let groups = usize::try_from(reading.int_or("group", 1)?).unwrap_or(0);
    if groups == 0 || Some(image[0]) != groups.checked_mul(extents[1]) || extents[0] % groups != 0 {
        return Err(OpError::new(format!(
            "{} input channels and weights {weights} do not fit {groups} groups",
            image[0]
        )));
    }
    let op = Conv { window, groups };
    Ok(reading.node(op, 3))
}

impl Conv {
    /// For an image `[n, c, h, w]` and an output `[n, o, oh, ow]`.
    fn shapes_of(&self, image: &[usize], out: &[usize], images: usize) -> Shapes {
        Shapes {
            window: self.window.clone(),
            channels: [image[1], out[1]],
            groups: self.groups,
            sizes: [windowed::size(image), windowed::size(out)],
            images,
        }
    }

    fn is_depthwise(&self, channels: usize) -> bool {
        self.groups > 1 && self.groups == channels
    }
}

impl Op for Conv {
    fn kind(&self) -> &'static str {
        "Conv"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(3);
        spec.attrs = window_attrs(&self.window, true);
        spec.attrs.insert("group".to_owned(), Attr::Int(self.groups as i64));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let (image, weights) = (operands.ranked(0, 4)?, operands.ranked(1, 4)?);
        operands.must_be_constant(1, "the weights")?;
        if operands.has(2) {
            operands.must_be_constant(2, "the bias")?;
        }
        let sizes = weights.sample();
        if image.0[1] != Dim::Fixed(sizes[1] * self.groups) || sizes[2..] != self.window.kernel {
            return Err(OpError::new(format!(
                "image {image} and weights {weights} do not fit {} groups of a {:?} kernel",
                self.groups, self.window.kernel
            )));
        }
        if sizes[0] % self.groups != 0 {
            return Err(OpError::new(format!(
                "{} outputs do not fall into {} groups",
                sizes[0], self.groups
            )));
        }
        if operands.has(2) && operands.shape(2)? != &Shape::fixed(&sizes[..1]) {
            return Err(OpError::new(format!(
                "bias has shape {}, expected [{}]",
                operands.shape(2)?,
                sizes[0]
            )));
        }
        windowed::shape(&self.window, image, sizes[0], false).map(|shape| vec![shape])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let inputs = match flow.labels_along(0, 1) {
            Ok(labels) => labels,
            Err(_) => return flow.freeze_all("the image's channels do not lie along axis 1"),
        };
        let outputs = flow.extents(1)[0];
        let labels = if self.is_depthwise(inputs.len()) {
            let each = outputs / inputs.len();
            inputs.iter().flat_map(|&label| std::iter::repeat_n(label, each)).collect()
        } else {
            flow.contract(1, 1, self.groups, &inputs);
            flow.fresh(outputs)
        };
        flow.follow(1, 0, &labels);
        flow.follow(2, 0, &labels);
        flow.layer(inputs, labels.clone(), self.groups);
        flow.set_along(0, 1, labels);
    }

    fn resized(&self, kept: &Kept<'_>) -> Result<Option<Arc<dyn Op>>, OpError> {
        if self.groups == 1 {
            return Ok(None);
        }
        let each = kept.input(0).before[1] / self.groups;
        let mut alive: Vec<usize> = kept.input(0).indices(1)?.iter().map(|i| i / each).collect();
        alive.dedup();
        Ok(Some(Arc::new(Self { groups: alive.len(), ..self.clone() })))
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        let groups: Option<Vec<usize>> = joint
            .parts
            .iter()
            .map(|&op| (op as &dyn Any).downcast_ref::<Self>())
            .map(|conv| conv.filter(|conv| conv.window == self.window).map(|conv| conv.groups))
            .collect();
        let groups = groups.ok_or_else(|| OpError::new("the parts' windows differ"))?;
        if groups.iter().all(|&groups| groups == 1) {
            return Ok(Arc::new(self.clone()));
        }
        let sizes: Vec<usize> = joint.counts.iter().zip(&groups).map(|(c, g)| c / g).collect();
        let natural = joint.inputs[0].as_ref().is_some_and(|arranged| {
            *arranged == Arrangement::natural(arranged.axis, &joint.counts)
        });
        if sizes.iter().any(|&size| size != sizes[0]) || !(natural || sizes[0] == 1) {
            return Err(OpError::new("groups of different size cannot stand side by side"));
        }
        Ok(Arc::new(Self { groups: groups.iter().sum(), ..self.clone() }))
    }

    fn cost(&self, operands: &Operands<'_>, output: &Shape) -> Cost {
        let out = output.sample();
        let weights = operands.shape(1).map_or(0, Shape::sample_volume);
        Cost::of((weights * out[2] * out[3]) as u64, operands, output)
    }

    fn weighted(&self, operands: &Operands<'_>) -> Option<Weighted> {
        let weights = operands.shape(1).ok()?.extents()?;
        operands.constant(1)?;
        Some(Weighted {
            outputs: weights[0],
            inputs: weights[1] * self.groups,
            groups: self.groups,
            window: Some(self.window.clone()),
            layout: WeightLayout::OutputsFirst,
            bias_slot: Some(2),
        })
    }
}

impl Execute for Conv {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let order = Order::channels_last(4);
        lower.want(0, order.clone());
        let image = lower.extents(0)?;
        let out = lower.output(0).to_vec();
        let epilogue = lower.epilogue().clone();
        // With several outputs per channel it is a grouped product like any other.
        let depthwise = self.is_depthwise(image[1]) && image[1] == out[1];
        let weights = lower.constant(1)?.clone();
        let bias = lower.optional_constant(2).cloned();
        let level = lower.level();
        let extents =
            Extents { images: image[0], input: [image[2], image[3]], output: [out[2], out[3]] };
        if depthwise {
            let weights = lower.once(|| {
                let (w, b) = scaled(&weights, bias.as_deref(), &epilogue);
                Depthwise::new(self.window.clone(), &w, Some(&b), out[1])
            });
            let (clamp, then) = split_clamp(epilogue.pointwise);
            return Ok(Lowered::kernel(
                RunDepthwise { weights, extents, clamp, then, level },
                order,
            ));
        }
        let images = lower.typical_batch();
        let weights = lower.once(|| {
            let (w, b) = scaled(&weights, bias.as_deref(), &epilogue);
            let shapes = self.shapes_of(&image, &out, images);
            Convolution::new(level, &shapes, &w, &b)
        });
        let (clamp, then) = split_clamp(epilogue.pointwise);
        let residual = epilogue.residual;
        let kernel = RunConvolution { weights, images: image[0], clamp, residual, then, level };
        Ok(Lowered::kernel(kernel, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let order = Order::channels_last(4);
        lower.want(0, order.clone());
        let (image, out) = (lower.extents(0)?, lower.output(0).to_vec());
        let level = lower.level();
        let gives = lower.needed(0..3);
        let depthwise = self.is_depthwise(image[1]) && image[1] == out[1];
        let make = || TrainedConv {
            images: image[0],
            shapes: self.shapes_of(&image, &out, image[0]),
            depthwise,
            level,
        };
        let reads = vec![Reads::Gradient(0), Reads::Operand(0), Reads::Operand(1)];
        let of = make();
        let [input, output] = of.shapes.sizes;
        let gathers = !depthwise && gives.contains(&1);
        let gather = gathers.then(|| self.window.gather(input, image[1], output));
        let back = Unconvolve { of, gives: gives.clone(), gather };
        Ok(Trained::new(Lowered::kernel(make(), order), back, reads, gives))
    }

    fn absorbs(&self) -> Absorbs {
        Absorbs { affine: true, residual: self.groups == 1, pointwise: true }
    }
}

/// Weights (`[o, ...]`) and bias with the epilogue's scale and shift multiplied in.
pub(crate) fn scaled(
    weights: &Tensor,
    bias: Option<&Tensor>,
    epilogue: &Epilogue,
) -> (Vec<f32>, Vec<f32>) {
    let outputs = weights.shape()[0];
    let mut w = weights.data().to_vec();
    let mut b = bias.map_or_else(|| vec![0.0; outputs], |bias| bias.data().to_vec());
    if let Some((scale, shift)) = &epilogue.affine {
        let each = w.len() / outputs;
        for (o, row) in w.chunks_mut(each.max(1)).enumerate() {
            row.iter_mut().for_each(|x| *x *= scale[o]);
            b[o] = b[o] * scale[o] + shift[o];
        }
    }
    (w, b)
}

/// A clamp the kernel does itself, or the function to apply afterwards.
pub(crate) fn split_clamp(function: Option<Pointwise>) -> ((f32, f32), Option<Pointwise>) {
    match function {
        Some(Pointwise::Clip(low, high)) => ((low, high), None),
        other => ((f32::NEG_INFINITY, f32::INFINITY), other),
    }
}

/// Runs a packed matrix product over gathered rows.
pub(crate) struct Product {
    packed: Arc<Packed>,
    gather: Gather,
    rows: usize,
    clamp: (f32, f32),
    residual: bool,
    then: Option<Pointwise>,
    level: Level,
}

impl Product {
    pub(crate) fn new(
        packed: Arc<Packed>,
        gather: Gather,
        rows: usize,
        epilogue: &Epilogue,
        level: Level,
    ) -> Self {
        let (clamp, then) = split_clamp(epilogue.pointwise.clone());
        Self { packed, gather, rows, clamp, residual: epilogue.residual, then, level }
    }
}

impl Kernel for Product {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let residual = self.residual.then(|| inputs[inputs.len() - 1]);
        let finish_sum = Finish { residual, low: self.clamp.0, high: self.clamp.1 };
        self.packed.run(&self.gather, inputs[0], self.rows, finish_sum, outputs[0]);
        finish(self.then.as_ref(), outputs[0], self.level);
    }
}

struct RunConvolution {
    weights: Arc<Convolution>,
    images: usize,
    clamp: (f32, f32),
    residual: bool,
    then: Option<Pointwise>,
    level: Level,
}

impl Kernel for RunConvolution {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer) {
        let residual = self.residual.then(|| inputs[inputs.len() - 1]);
        let finish_sum = Finish { residual, low: self.clamp.0, high: self.clamp.1 };
        self.weights.run(self.images, inputs[0], finish_sum, outputs[0], scratch);
        finish(self.then.as_ref(), outputs[0], self.level);
    }
}

struct RunDepthwise {
    weights: Arc<Depthwise>,
    extents: Extents,
    clamp: (f32, f32),
    then: Option<Pointwise>,
    level: Level,
}

impl Kernel for RunDepthwise {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        self.weights.run(inputs[0], self.extents, self.clamp, outputs[0], self.level);
        finish(self.then.as_ref(), outputs[0], self.level);
    }
}

/// A convolution whose weights change with every step.
struct TrainedConv {
    images: usize,
    shapes: Shapes,
    depthwise: bool,
    level: Level,
}

impl TrainedConv {
    fn extents(&self) -> Extents {
        let [input, output] = self.shapes.sizes;
        Extents { images: self.images, input, output }
    }
}

const UNCLAMPED: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

impl Kernel for TrainedConv {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer) {
        let (x, w, b) = (inputs[0], inputs[1], inputs.get(2).copied());
        let [channels, outs] = self.shapes.channels;
        if self.depthwise {
            let conv = Depthwise::new(self.shapes.window.clone(), w, b, channels);
            return conv.run(x, self.extents(), UNCLAMPED, outputs[0], self.level);
        }
        let zeros = vec![0.0; outs];
        let conv = Convolution::new(self.level, &self.shapes, w, b.unwrap_or(&zeros));
        conv.run(self.images, x, Finish::PLAIN, outputs[0], scratch);
    }
}

/// Gradients of image, weights and bias: those of them in `gives`.
struct Unconvolve {
    of: TrainedConv,
    gives: Vec<usize>,
    /// Where the weights' gradients read the image.
    gather: Option<Gather>,
}

impl Kernel for Unconvolve {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer) {
        let [dy, x, w] = [inputs[0], inputs[1], inputs[2]];
        for (slot, out) in self.gives.iter().zip(outputs) {
            match slot {
                0 => self.image(dy, w, out, scratch),
                1 => self.weights(dy, x, out, scratch),
                _ => out.copy_from_slice(&column_sums(dy, out.len())),
            }
        }
    }
}

impl Unconvolve {
    fn image(&self, dy: &[f32], w: &[f32], out: &mut [f32], scratch: &mut Buffer) {
        let TrainedConv { images, shapes, depthwise, level } = &self.of;
        if *depthwise {
            let conv = Depthwise::new(shapes.window.clone(), w, None, shapes.channels[0]);
            return conv.image_gradient(dy, self.of.extents(), out, *level);
        }
        let conv = Convolution::backward(*level, shapes, w);
        conv.run(*images, dy, Finish::PLAIN, out, scratch);
    }

    fn weights(&self, dy: &[f32], x: &[f32], out: &mut [f32], scratch: &mut Buffer) {
        let TrainedConv { images, shapes, level, .. } = &self.of;
        let [channels, outputs] = shapes.channels;
        let Some(gather) = &self.gather else {
            return weight_gradient(
                &shapes.window,
                x,
                dy,
                self.of.extents(),
                channels,
                out,
                *level,
            );
        };
        let connections = Connections { channels, outputs, groups: shapes.groups };
        let [_, [height, width]] = shapes.sizes;
        let rows = images * height * width;
        correlate(*level, connections, gather, x, dy, rows, out, scratch);
    }
}
