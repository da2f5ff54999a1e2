//! ConvTranspose: a convolution that is walked backwards, written as a convolution over an image with
//! zeros between its pixels, whose channels, weights and gradients are then those of any other.

use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use super::formula::Formula;
use super::windowed::{self, pair};
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::{Dim, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    if reading.shape(0)?.rank() == 3 {
        return windowed::over_line(reading, 2);
    }
    let image = reading.image(0, 4)?;
    let weights = reading.floats_at(1, "the weights")?;
    let weights = weights.filter(|weights| weights.rank() == 4).ok_or_else(|| {
        OpError::new("weights (operand 1) must be a constant of shape [i, o, kh, kw]")
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
    let walk = Walk::read(reading, &image, weights.shape())?;
    let mut formula = Formula::of(reading)?;
    let batch = reading.shape(0)?.0[0];
    let mut last = reading.form.inputs[0].clone();
    if walk.stride != [1, 1] {
        last = spread(&mut formula, &last, batch, &image, walk.stride);
    }
    last = walk.trimmed(&mut formula, last);
    let turned = formula.reals(&Arc::new(turned(&weights, groups)));
    let mut operands = vec![last.as_str(), &turned];
    operands.extend(reading.form.inputs.get(2).map(String::as_str));
    let list = |sizes: [usize; 2]| Attr::Ints(sizes.map(|size| size as i64).to_vec());
    let pads = [walk.before, walk.after].concat().iter().map(|&pad| pad.max(0)).collect();
    let attrs = [
        ("dilations", list(walk.dilation)),
        ("pads", Attr::Ints(pads)),
        ("group", Attr::Int(groups as i64)),
    ];
    formula.step_with("Conv", &operands, &attrs);
    Ok(formula.done())
}

/// Strides, pads and the like, at most.
const MOST: usize = 1 << 16;

/// How the equal convolution goes over the spread image.
struct Walk {
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Zeros around the spread image; negative ones are pixels left out.
    before: [i64; 2],
    after: [i64; 2],
    /// Extents of the spread image.
    extents: [usize; 2],
}

impl Walk {
    fn read(reading: &Reading<'_>, image: &[usize], weights: &[usize]) -> Result<Self, OpError> {
        reading.ignore(&["kernel_shape"]);
        let stride = pair(reading, "strides")?.unwrap_or([1, 1]);
        let dilation = pair(reading, "dilations")?.unwrap_or([1, 1]);
        let more = pair(reading, "output_padding")?.unwrap_or([0, 0]);
        let wanted = pair(reading, "output_shape")?;
        let pads = reading.ints("pads")?.unwrap_or_else(|| vec![0; 4]);
        let mode = reading.text_or("auto_pad", "NOTSET")?;
        let sized = stride.iter().chain(&dilation).all(|&x| x > 0 && x <= MOST)
            && more.iter().chain(wanted.iter().flatten()).all(|&x| x <= MOST)
            && pads.iter().all(|pad| pad.unsigned_abs() <= MOST as u64);
        let ([top, left, bottom, right], true) = (
            <[i64; 4]>::try_from(pads)
                .map_err(|pads| OpError::new(format!("pads {pads:?}, expected four")))?,
            sized,
        ) else {
            return Err(OpError::new(format!(
                "strides {stride:?}, dilations {dilation:?}, pads, output_padding {more:?} or output_shape out of \
                 range, which ends at {MOST}"
            )));
        };
        let mut walk = Self {
            stride,
            dilation,
            before: [top, left],
            after: [bottom, right],
            extents: [image[1] * stride[0], image[2] * stride[1]],
        };
        for axis in 0..2 {
            let reach = (dilation[axis] * (weights[2 + axis] - 1)) as i64;
            let whole = (stride[axis] * (image[1 + axis] - 1)) as i64 + reach + 1;
            let same = mode.starts_with("SAME").then(|| image[1 + axis] * stride[axis]);
            if let Some(size) = wanted.map(|sizes| sizes[axis]).or(same) {
                let total = whole + more[axis] as i64 - size as i64;
                // What is missing is added behind.
                let padded = total.max(0);
                let less = padded / 2;
                let upper = mode == "SAME_UPPER";
                walk.before[axis] = if upper { less } else { padded - less };
                walk.after[axis] = total - walk.before[axis];
            }
            walk.before[axis] = reach - walk.before[axis];
            walk.after[axis] =
                reach - walk.after[axis] + more[axis] as i64 - (stride[axis] as i64 - 1);
        }
        Ok(walk)
    }

    /// `input` without the pixels that are left out.
    fn trimmed(&self, formula: &mut Formula<'_>, input: String) -> String {
        if self.before.iter().chain(&self.after).all(|&pad| pad >= 0) {
            return input;
        }
        let extents = self.extents.map(|extent| extent as i64);
        let starts = [0, 1].map(|axis: usize| (-self.before[axis]).max(0)).to_vec();
        let ends = [0, 1].map(|axis: usize| extents[axis] + self.after[axis].min(0)).to_vec();
        let attrs = [("starts", Attr::Ints(starts)), ("ends", Attr::Ints(ends))];
        let axes = formula.whole(vec![2, 3]);
        formula.step_with("Slice", &[&input, "", "", &axes], &attrs)
    }
}

/// `input` with `stride - 1` zeros behind every pixel along each axis.
fn spread(
    formula: &mut Formula<'_>,
    input: &str,
    batch: Dim,
    image: &[usize],
    stride: [usize; 2],
) -> String {
    let [channels, height, width] = [image[0], image[1], image[2]];
    let fixed = |extents: &[usize]| Shape::under(batch, extents);
    let apart = formula.reshape(input, &fixed(&[channels, height, 1, width, 1]));
    let mut pads = vec![0; 12];
    (pads[9], pads[11]) = (stride[0] as i64 - 1, stride[1] as i64 - 1);
    let padded = formula.step_with("Pad", &[&apart], &[("pads", Attr::Ints(pads))]);
    formula.reshape(&padded, &fixed(&[channels, height * stride[0], width * stride[1]]))
}

/// Weights `[i, o / groups, kh, kw]` as those of the equal convolution: `[o, i / groups, kh, kw]`, turned
/// around.
fn turned(weights: &Tensor, groups: usize) -> Tensor {
    let [inputs, outputs] = [weights.shape()[0] / groups, weights.shape()[1]];
    let [height, width] = [weights.shape()[2], weights.shape()[3]];
    let grouped = weights.clone().reshape([groups, inputs, outputs, height, width]);
    let swapped = grouped.transpose(&[0, 2, 1, 3, 4]);
    let turned = swapped.slice(3, height - 1, -1, height).slice(4, width - 1, -1, width);
    Nd::new([groups * outputs, inputs, height, width], turned.into_data())
}
