//! Resize: nearest or linear resampling of height and width.

use std::sync::Arc;

use brickwork_tensor::kernels::resize::{
    AxisTable, Coordinates, Interpolation, Rounding, axis_table, resize, resize_backward,
};
use brickwork_tensor::{Buffer, Nd, Order};

use super::windowed::size;
use crate::attrs::{Attr, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Operand, Read, Reading};
use crate::shape::{Dim, Operands, Shape, listed};
use crate::training::{Reads, Trained};

/// Operand: image `[n, c, h, w]`.
#[derive(Clone, Debug)]
pub(crate) struct Resize {
    pub(crate) interpolation: Interpolation,
    pub(crate) coordinates: Coordinates,
    /// Output height and width.
    pub(crate) output: [usize; 2],
    /// Output over input.
    pub(crate) scales: [f32; 2],
}

/// Images grow by less than this.
const MOST_SCALE: f32 = 1024.0;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let image = reading.image(0, 4)?;
    let refused = |what: String| Err(OpError::new(format!("{what} is not supported")));
    reading.ignore(&["cubic_coeff_a", "extrapolation_value", "exclude_outside"]);
    if reading.int_or("antialias", 0)? != 0 {
        return refused("antialias".to_owned());
    }
    let stretch = reading.text_or("keep_aspect_ratio_policy", "stretch")?;
    if stretch != "stretch" || reading.raw("axes").is_some() {
        return refused("keep_aspect_ratio_policy or axes".to_owned());
    }
    let modern = reading.opset >= 11;
    let coordinates = reading.text_or(
        "coordinate_transformation_mode",
        if modern { "half_pixel" } else { "asymmetric" },
    )?;
    let coordinates = match coordinates.as_str() {
        "half_pixel" => Coordinates::HalfPixel,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "asymmetric" => Coordinates::Asymmetric,
        "align_corners" => Coordinates::AlignCorners,
        other => return refused(format!("coordinate_transformation_mode `{other}`")),
    };
    let rounding =
        reading.text_or("nearest_mode", if modern { "round_prefer_floor" } else { "floor" })?;
    let rounding = match rounding.as_str() {
        "round_prefer_floor" => Rounding::PreferFloor,
        "round_prefer_ceil" => Rounding::PreferCeil,
        "floor" => Rounding::Floor,
        "ceil" => Rounding::Ceil,
        other => return refused(format!("nearest_mode `{other}`")),
    };
    let interpolation = match reading.text_or("mode", "nearest")?.as_str() {
        "nearest" => Interpolation::Nearest(rounding),
        "linear" => Interpolation::Linear,
        other => return refused(format!("mode `{other}`")),
    };
    let (output, scales) = target(reading, &image)?;
    Ok(reading.node(Resize { interpolation, coordinates, output, scales }, 1))
}

/// Output size and scales.
fn target(reading: &Reading<'_>, image: &[usize]) -> Result<([usize; 2], [f32; 2]), OpError> {
    let scales_slot = if reading.opset >= 11 { 2 } else { 1 };
    let stated = match reading.operand(scales_slot) {
        Operand::Floats(data) if !data.data().is_empty() => Some(data.data().to_vec()),
        _ => None,
    };
    if let Some(scales) = stated {
        let [batch, channels, y, x] = scales[..] else {
            return Err(OpError::new(format!("scales {scales:?}, expected four")));
        };
        if batch != 1.0 || channels != 1.0 || !(y > 0.0 && x > 0.0) {
            return Err(OpError::new(format!(
                "scales {scales:?}: only height and width can be resized"
            )));
        }
        return Ok(([scaled(image[1], y)?, scaled(image[2], x)?], [y, x]));
    }
    let sizes =
        reading.ints_at(3, "sizes")?.ok_or_else(|| OpError::new("scales and sizes are missing"))?;
    let dims: Vec<Option<usize>> =
        sizes.iter().map(|size| size.dim().and_then(|dim| dim.fixed())).collect();
    let [_, channels, Some(height), Some(width)] = dims[..] else {
        return Err(OpError::new("sizes must give a fixed height and width"));
    };
    if channels != Some(image[0]) {
        let sizes = listed(&sizes);
        return Err(OpError::new(format!("sizes {sizes}: only height and width can be resized")));
    }
    Ok(([height, width], [scale_to(image[1], height)?, scale_to(image[2], width)?]))
}

/// Pixels that remain of `input`, as ONNX rounds them (down).
fn scaled(input: usize, scale: f32) -> Result<usize, OpError> {
    let output = (input as f32 * scale) as usize;
    if output == 0 || output > 1 << 16 || scale >= MOST_SCALE {
        return Err(OpError::new(format!("{input} pixels cannot be resized by {scale}")));
    }
    Ok(output)
}

/// The scale that takes `input` pixels to exactly `output`.
fn scale_to(input: usize, output: usize) -> Result<f32, OpError> {
    let scale = output as f32 / input as f32;
    let exact =
        [scale, scale.next_up()].into_iter().find(|&scale| scaled(input, scale) == Ok(output));
    exact.ok_or_else(|| OpError::new(format!("{input} pixels cannot be resized to {output}")))
}

impl Op for Resize {
    fn kind(&self) -> &'static str {
        "Resize"
    }

    fn spec(&self) -> Spec {
        let mode = match self.interpolation {
            Interpolation::Nearest(_) => "nearest",
            Interpolation::Linear => "linear",
        };
        let coordinates = match self.coordinates {
            Coordinates::HalfPixel => "half_pixel",
            Coordinates::PytorchHalfPixel => "pytorch_half_pixel",
            Coordinates::Asymmetric => "asymmetric",
            Coordinates::AlignCorners => "align_corners",
        };
        let mut spec = Spec::slots(1);
        spec.inputs.push(SpecInput::Absent);
        let [y, x] = self.scales;
        let scales = Literal::Floats(Nd::vector(vec![1.0, 1.0, y, x]));
        spec.inputs.push(SpecInput::Literal("scales", scales));
        let text = |x: &str| Attr::Text(x.to_owned());
        spec.attrs.insert("mode".to_owned(), text(mode));
        spec.attrs.insert("coordinate_transformation_mode".to_owned(), text(coordinates));
        if let Interpolation::Nearest(rounding) = self.interpolation {
            let rounding = match rounding {
                Rounding::PreferFloor => "round_prefer_floor",
                Rounding::PreferCeil => "round_prefer_ceil",
                Rounding::Floor => "floor",
                Rounding::Ceil => "ceil",
            };
            spec.attrs.insert("nearest_mode".to_owned(), text(rounding));
        }
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let mut shape = operands.ranked(0, 4)?.clone();
        (shape.0[2], shape.0[3]) = (Dim::Fixed(self.output[0]), Dim::Fixed(self.output[1]));
        Ok(vec![shape])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        flow.pass_whole_along(&[2, 3], "it resamples along the channels");
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }
}

impl Execute for Resize {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let order = Order::channels_last(4);
        lower.want(0, order.clone());
        Ok(Lowered::kernel(self.kernel(lower)?, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let (forward, back) = (self.lower(lower)?, Unresize(self.kernel(lower)?));
        Ok(Trained::new(forward, back, vec![Reads::Gradient(0)], vec![0]))
    }
}

impl Resize {
    fn kernel(&self, lower: &Lower<'_>) -> Result<RunResize, OpError> {
        let image = lower.extents(0)?;
        let input = size(&image);
        let table = |axis: usize| {
            let scale = self.scales[axis];
            axis_table(self.interpolation, self.coordinates, input[axis], self.output[axis], scale)
        };
        Ok(RunResize { input, channels: image[1], rows: table(0), columns: table(1) })
    }
}

struct RunResize {
    input: [usize; 2],
    channels: usize,
    rows: AxisTable,
    columns: AxisTable,
}

impl Kernel for RunResize {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        resize(inputs[0], self.input, self.channels, &self.rows, &self.columns, outputs[0]);
    }
}

struct Unresize(RunResize);

impl Kernel for Unresize {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let RunResize { input, channels, rows, columns } = &self.0;
        resize_backward(inputs[0], *input, *channels, rows, columns, outputs[0]);
    }
}
