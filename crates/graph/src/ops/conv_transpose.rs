//! ConvTranspose: a convolution that is walked backwards, written as a convolution over an image or a volume with
//! zeros between its pixels, whose channels, weights and gradients are then those of any other.

use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use super::formula::Formula;
use super::windowed;
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::{Dim, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let rank = reading.shape(0)?.rank();
    if rank == 3 {
        return windowed::over_line(reading, 2);
    }
    let image = reading.image(0, if rank == 5 { 5 } else { 4 })?;
    let weights = reading.floats_at(1, "the weights")?;
    let weights = weights.filter(|weights| weights.rank() == rank).ok_or_else(|| {
        let expected = if rank == 5 { "[i, o, kd, kh, kw]" } else { "[i, o, kh, kw]" };
        OpError::new(format!("weights (operand 1) must be a constant of shape {expected}"))
    })?;
    if weights.data().is_empty() {
        return Err(OpError::new(format!("weights {:?} are empty", weights.shape())));
    }
    let groups = usize::try_from(reading.int_or("group", 1)?).unwrap_or(0);
    if groups == 0 || image[0] != weights.shape()[0] || image[0] % groups != 0 {
        return Err(OpError::new(format!(
            "{} input channels and weights {:?} do not fit {groups} groups",
            image[0],
            weights.shape()
        )));
    }
    let walk = Walk::read(reading, &image[1..], &weights.shape()[2..])?;
    let mut formula = Formula::of(reading)?;
    let batch = reading.shape(0)?.0[0];
    let mut last = reading.named(0).to_owned();
    if walk.stride.iter().any(|&step| step != 1) {
        last = spread(&mut formula, &last, batch, &image, &walk.stride);
    }
    last = walk.trimmed(&mut formula, last);
    let turned = formula.reals(&Arc::new(turned(&weights, groups)));
    let mut operands = vec![last.as_str(), &turned];
    operands.extend(reading.form.inputs.get(2).map(String::as_str));
    let dilations = walk.dilation.iter().map(|&size| size as i64).collect();
    let pads = walk.before.iter().chain(&walk.after).map(|&pad| pad.max(0)).collect();
    let attrs = [
        ("dilations", Attr::Ints(dilations)),
        ("pads", Attr::Ints(pads)),
        ("group", Attr::Int(groups as i64)),
    ];
    formula.step_with("Conv", &operands, &attrs);
    Ok(formula.done())
}

/// Strides, pads and the like, at most.
const MOST: usize = 1 << 16;

/// How the equal convolution goes over the spread image, along each of its axes.
struct Walk {
    stride: Vec<usize>,
    dilation: Vec<usize>,
    /// Zeros around the spread image; negative ones are pixels left out.
    before: Vec<i64>,
    after: Vec<i64>,
    /// Extents of the spread image.
    extents: Vec<usize>,
}

/// An attribute with one number from 0 to [`MOST`] for each of `axes` axes.
fn sizes(
    reading: &Reading<'_>,
    name: &'static str,
    axes: usize,
) -> Result<Option<Vec<usize>>, OpError> {
    let Some(list) = reading.ints(name)? else { return Ok(None) };
    let sizes = list.iter().map(|&x| usize::try_from(x).ok().filter(|&size| size <= MOST));
    let sizes: Option<Vec<usize>> = sizes.collect();
    sizes.filter(|sizes| sizes.len() == axes).map(Some).ok_or_else(|| {
        OpError::new(format!("{name} {list:?} out of range, expected {axes} from 0 to {MOST}"))
    })
}

impl Walk {
    /// Over an image of the extents `image`, with a kernel of the extents `kernel`.
    fn read(reading: &Reading<'_>, image: &[usize], kernel: &[usize]) -> Result<Self, OpError> {
        reading.ignore(&["kernel_shape"]);
        let axes = image.len();
        let stride = sizes(reading, "strides", axes)?.unwrap_or_else(|| vec![1; axes]);
        let dilation = sizes(reading, "dilations", axes)?.unwrap_or_else(|| vec![1; axes]);
        let more = sizes(reading, "output_padding", axes)?.unwrap_or_else(|| vec![0; axes]);
        let wanted = sizes(reading, "output_shape", axes)?;
        let pads = reading.ints("pads")?.unwrap_or_else(|| vec![0; 2 * axes]);
        let mode = reading.text_or("auto_pad", "NOTSET")?;
        let small = pads.iter().all(|pad| pad.unsigned_abs() <= MOST as u64);
        if pads.len() != 2 * axes || !small || stride.contains(&0) || dilation.contains(&0) {
            return Err(OpError::new(format!(
                "strides {stride:?}, dilations {dilation:?} or pads {pads:?} out of range, which begins at 1 (0 for \
                 pads) and ends at {MOST}"
            )));
        }
        let extents = image.iter().zip(&stride).map(|(extent, step)| extent * step).collect();
        let (before, after) = (pads[..axes].to_vec(), pads[axes..].to_vec());
        let mut walk = Self { stride, dilation, before, after, extents };
        for axis in 0..axes {
            let same = mode.starts_with("SAME").then_some(walk.extents[axis]);
            let wanted = wanted.as_ref().map(|sizes| sizes[axis]).or(same);
            walk.turn(axis, [image[axis], kernel[axis]], more[axis] as i64, wanted, &mode);
        }
        Ok(walk)
    }

    /// Makes of the padding along `axis` that of the equal convolution. `more` pixels are added behind, or as many as make
    /// it `wanted`.
    fn turn(
        &mut self,
        axis: usize,
        [extent, kernel]: [usize; 2],
        more: i64,
        wanted: Option<usize>,
        mode: &str,
    ) {
        let stride = self.stride[axis] as i64;
        let reach = (self.dilation[axis] * (kernel - 1)) as i64;
        if let Some(size) = wanted {
            let total = stride * (extent as i64 - 1) + reach + 1 + more - size as i64;
            // What is missing is added behind.
            let padded = total.max(0);
            let less = padded / 2;
            self.before[axis] = if mode == "SAME_UPPER" { less } else { padded - less };
            self.after[axis] = total - self.before[axis];
        }
        self.before[axis] = reach - self.before[axis];
        self.after[axis] = reach - self.after[axis] + more - (stride - 1);
    }

    /// `input` without the pixels that are left out.
    fn trimmed(&self, formula: &mut Formula<'_>, input: String) -> String {
        if self.before.iter().chain(&self.after).all(|&pad| pad >= 0) {
            return input;
        }
        let starts = self.before.iter().map(|&before| (-before).max(0)).collect();
        let ends = self.extents.iter().zip(&self.after);
        let ends = ends.map(|(&extent, &after)| extent as i64 + after.min(0)).collect();
        let attrs = [("starts", Attr::Ints(starts)), ("ends", Attr::Ints(ends))];
        let axes = formula.whole((2..2 + self.extents.len() as i64).collect());
        formula.step_with("Slice", &[&input, "", "", &axes], &attrs)
    }
}

/// `input` `[n, c, ...]`, `[c, ...]` for one sample, with `stride - 1` zeros behind every pixel along each axis.
fn spread(
    formula: &mut Formula<'_>,
    input: &str,
    batch: Dim,
    image: &[usize],
    stride: &[usize],
) -> String {
    let channels = [image[0]];
    let apart: Vec<usize> = image[1..].iter().flat_map(|&extent| [extent, 1]).collect();
    let apart = [&channels[..], &apart].concat();
    let reshaped = formula.reshape(input, &Shape::under(batch, &apart));
    let mut pads = vec![0; 2 * (apart.len() + 1)];
    for (axis, &step) in stride.iter().enumerate() {
        pads[apart.len() + 1 + 3 + 2 * axis] = step as i64 - 1;
    }
    let padded = formula.step_with("Pad", &[&reshaped], &[("pads", Attr::Ints(pads))]);
    let wide: Vec<usize> =
        image[1..].iter().zip(stride).map(|(extent, step)| extent * step).collect();
    formula.reshape(&padded, &Shape::under(batch, &[&channels[..], &wide].concat()))
}

/// Weights `[i, o / groups, ...]` as those of the equal convolution: `[o, i / groups, ...]`, turned around.
fn turned(weights: &Tensor, groups: usize) -> Tensor {
    let [inputs, outputs] = [weights.shape()[0] / groups, weights.shape()[1]];
    let kernel = &weights.shape()[2..];
    let grouped = weights.clone().reshape([&[groups, inputs, outputs], kernel].concat());
    let order: Vec<usize> = [0, 2, 1].into_iter().chain(3..3 + kernel.len()).collect();
    let mut turned = grouped.transpose(&order);
    for (axis, &extent) in kernel.iter().enumerate() {
        turned = turned.slice(3 + axis, extent - 1, -1, extent);
    }
    Nd::new([&[groups * outputs, inputs], kernel].concat(), turned.into_data())
}
