//! Resize: nearest, linear or cubic resampling of height and width.

use std::sync::Arc;

use brickwork_tensor::kernels::resize::{
    Axis, AxisTable, Coordinates, Interpolation, Resampling, Rounding, resize, resize_backward,
};
use brickwork_tensor::{Buffer, Nd, Order};

use super::formula::Formula;
use super::windowed::size;
use crate::attrs::{Attr, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Operand, Read, Reading, axis_of};
use crate::shape::{Dim, Operands, Shape, listed};
use crate::training::{Reads, Trained};

/// Operand: image `[n, c, h, w]`.
#[derive(Clone, Debug)]
struct Resize {
    how: Resampling,
    target: Target,
}

/// What the image becomes.
#[derive(Clone, Debug)]
struct Target {
    /// Output height and width.
    output: [usize; 2],
    /// Output over input.
    scales: [f32; 2],
}

/// Images grow by less than this.
const MOST_SCALE: f32 = 1024.0;

/// The coefficient of cubic interpolation that a node leaves out.
const COEFFICIENT: f32 = -0.75;

/// Names of ONNX.
const COORDINATES: [(&str, Coordinates); 5] = [
    ("half_pixel", Coordinates::HalfPixel),
    ("half_pixel_symmetric", Coordinates::HalfPixelSymmetric),
    ("pytorch_half_pixel", Coordinates::PytorchHalfPixel),
    ("asymmetric", Coordinates::Asymmetric),
    ("align_corners", Coordinates::AlignCorners),
];
const ROUNDINGS: [(&str, Rounding); 4] = [
    ("round_prefer_floor", Rounding::PreferFloor),
    ("round_prefer_ceil", Rounding::PreferCeil),
    ("floor", Rounding::Floor),
    ("ceil", Rounding::Ceil),
];

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let image = reading.image(0, 4)?;
    let modern = reading.opset >= 11;
    let how = how(reading, if modern { "half_pixel" } else { "asymmetric" })?;
    let target = target(reading, &image, if modern { 2 } else { 1 })?;
    if how.antialias || how.coordinates == Coordinates::HalfPixelSymmetric {
        return as_products(reading, &Resize { how, target }, [image[1], image[2]]);
    }
    Ok(reading.node(Resize { how, target }, 1))
}

/// What operator set 17 cannot say, as products of each axis with what its outputs are made of.
fn as_products(reading: &Reading<'_>, resize: &Resize, input: [usize; 2]) -> Result<Read, OpError> {
    let mut formula = Formula::of(reading)?;
    let mut last = reading.named(0).to_owned();
    let turn = [("perm", Attr::Ints(vec![0, 1, 3, 2]))];
    for axis in [0, 1] {
        let table = resize.table(axis, input[axis]);
        let mut matrix = Nd::filled([table.len(), input[axis]], 0.0);
        for (row, taps) in matrix.data_mut().chunks_mut(input[axis]).zip(&table) {
            taps.iter().for_each(|&(at, weight)| row[at] += weight);
        }
        let matrix = formula.reals(&Arc::new(matrix));
        let product = formula.step("MatMul", &[&matrix, &last]);
        last = formula.step_with("Transpose", &[&product], &turn);
    }
    Ok(formula.done())
}

/// Upsample, which Resize took the place of: `scales` are an attribute before opset 9.
pub(crate) fn upsample(reading: &Reading<'_>) -> Result<Read, OpError> {
    let image = reading.image(0, 4)?;
    let how = Resampling {
        interpolation: interpolation(reading, Rounding::Floor)?,
        coordinates: Coordinates::Asymmetric,
        antialias: false,
        exclude_outside: false,
    };
    let target = match reading.raw("scales") {
        Some(Attr::Floats(scales)) => by_scales(&image, scales, &[0, 1, 2, 3])?,
        _ => target(reading, &image, 1)?,
    };
    Ok(reading.node(Resize { how, target }, 1))
}

/// The attributes, with the coordinates that a node leaves out.
fn how(reading: &Reading<'_>, coordinates: &str) -> Result<Resampling, OpError> {
    reading.ignore(&["extrapolation_value"]);
    let modern = reading.opset >= 11;
    let coordinates = reading.text_or("coordinate_transformation_mode", coordinates)?;
    let rounding =
        reading.text_or("nearest_mode", if modern { "round_prefer_floor" } else { "floor" })?;
    let rounding = named(&ROUNDINGS, "nearest_mode", &rounding)?;
    Ok(Resampling {
        interpolation: interpolation(reading, rounding)?,
        coordinates: named(&COORDINATES, "coordinate_transformation_mode", &coordinates)?,
        antialias: reading.int_or("antialias", 0)? != 0,
        exclude_outside: reading.int_or("exclude_outside", 0)? != 0,
    })
}

fn interpolation(reading: &Reading<'_>, rounding: Rounding) -> Result<Interpolation, OpError> {
    let coefficient = reading.float_or("cubic_coeff_a", COEFFICIENT)?;
    match reading.text_or("mode", "nearest")?.as_str() {
        "nearest" => Ok(Interpolation::Nearest(rounding)),
        "linear" | "bilinear" => Ok(Interpolation::Linear),
        "cubic" => Ok(Interpolation::Cubic { coefficient }),
        other => Err(OpError::new(format!("mode `{other}` is not supported"))),
    }
}

/// What a name of the file stands for.
fn named<T: Copy>(table: &[(&str, T)], attribute: &str, name: &str) -> Result<T, OpError> {
    let found = table.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, value)| *value)
        .ok_or_else(|| OpError::new(format!("{attribute} `{name}` is not supported")))
}

/// What ONNX calls something.
fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> Attr {
    let found = table.iter().find(|(_, known)| known == value);
    Attr::Text(found.map_or(String::new(), |(name, _)| (*name).to_owned()))
}

/// Output size and scales; the latter are operand `scales` of the node.
fn target(reading: &Reading<'_>, image: &[usize], scales: usize) -> Result<Target, OpError> {
    let axes = match reading.ints("axes")? {
        None => vec![0, 1, 2, 3],
        Some(list) => list.iter().map(|&axis| axis_of(axis, 4)).collect::<Result<Vec<_>, _>>()?,
    };
    let policy = reading.text_or("keep_aspect_ratio_policy", "stretch")?;
    let stated = match reading.operand(scales) {
        Operand::Floats(data) if !data.data().is_empty() => Some(data.data().to_vec()),
        _ => None,
    };
    if let Some(stated) = stated {
        return by_scales(image, &stated, &axes);
    }
    let sizes =
        reading.ints_at(3, "sizes")?.ok_or_else(|| OpError::new("scales and sizes are missing"))?;
    let size = |wanted: usize| {
        let place = axes.iter().position(|&axis| axis == wanted)?;
        sizes.get(place).map(|size| size.dim().and_then(|dim| dim.fixed()))
    };
    let channels = size(1).unwrap_or(Some(image[0]));
    let extents = [2, 3].map(|axis| size(axis).unwrap_or(Some(image[axis - 1])));
    let ([Some(height), Some(width)], true) = (extents, sizes.len() == axes.len()) else {
        return Err(OpError::new("sizes must give a fixed height and width"));
    };
    if channels != Some(image[0]) {
        let sizes = listed(&sizes);
        return Err(OpError::new(format!("sizes {sizes}: only height and width can be resized")));
    }
    let ratios = [height as f32 / image[1] as f32, width as f32 / image[2] as f32];
    let output = match policy.as_str() {
        "stretch" => [height, width],
        "not_larger" => [1, 2].map(|k| rounded(image[k], ratios[0].min(ratios[1]))),
        "not_smaller" => [1, 2].map(|k| rounded(image[k], ratios[0].max(ratios[1]))),
        other => {
            let text = format!("keep_aspect_ratio_policy `{other}` is not supported");
            return Err(OpError::new(text));
        }
    };
    let scales = [scale_to(image[1], output[0])?, scale_to(image[2], output[1])?];
    Ok(Target { output, scales })
}

/// What `scales` of `axes` make of an image `[c, h, w]`.
fn by_scales(image: &[usize], scales: &[f32], axes: &[usize]) -> Result<Target, OpError> {
    if scales.len() != axes.len() {
        let count = if axes.len() == 4 { "four".to_owned() } else { axes.len().to_string() };
        return Err(OpError::new(format!("scales {scales:?}, expected {count}")));
    }
    let scale = |wanted: usize| {
        axes.iter().position(|&axis| axis == wanted).map_or(1.0, |place| scales[place])
    };
    let [batch, channels, y, x] = [0, 1, 2, 3].map(scale);
    if batch != 1.0 || channels != 1.0 || !(y > 0.0 && x > 0.0) {
        return Err(OpError::new(format!(
            "scales {scales:?}: only height and width can be resized"
        )));
    }
    Ok(Target { output: [scaled(image[1], y)?, scaled(image[2], x)?], scales: [y, x] })
}

/// The whole number of pixels that is next to so many times `input`.
fn rounded(input: usize, ratio: f32) -> usize {
    (input as f32 * ratio).round() as usize
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
        let Resampling { interpolation, coordinates, exclude_outside, .. } = self.how;
        let mut spec = Spec::slots(1);
        spec.inputs.push(SpecInput::Absent);
        let [y, x] = self.target.scales;
        let scales = Literal::Floats(Nd::vector(vec![1.0, 1.0, y, x]));
        spec.inputs.push(SpecInput::Literal("scales", scales));
        let mode = match interpolation {
            Interpolation::Nearest(_) => "nearest",
            Interpolation::Linear => "linear",
            Interpolation::Cubic { .. } => "cubic",
        };
        let mut attr = |name: &str, value: Attr| _ = spec.attrs.insert(name.to_owned(), value);
        attr("mode", Attr::Text(mode.to_owned()));
        attr("coordinate_transformation_mode", name_of(&COORDINATES, &coordinates));
        match interpolation {
            Interpolation::Nearest(rounding) => {
                attr("nearest_mode", name_of(&ROUNDINGS, &rounding))
            }
            Interpolation::Cubic { coefficient } => attr("cubic_coeff_a", Attr::Float(coefficient)),
            Interpolation::Linear => {}
        }
        if exclude_outside {
            attr("exclude_outside", Attr::Int(1));
        }
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let mut shape = operands.ranked(0, 4)?.clone();
        (shape.0[2], shape.0[3]) = self.target.output.map(Dim::Fixed).into();
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
        Ok(RunResize {
            input,
            channels: image[1],
            rows: self.table(0, input[0]),
            columns: self.table(1, input[1]),
        })
    }

    /// What the outputs along height (0) or width (1) of `input` pixels are made of.
    fn table(&self, axis: usize, input: usize) -> AxisTable {
        let Target { output, scales } = &self.target;
        self.how.table(Axis { input, output: output[axis], scale: scales[axis] })
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
