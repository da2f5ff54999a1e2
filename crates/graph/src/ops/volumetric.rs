//! Convolutions and pools over volumes `[n, c, d, h, w]`, written as those over images: what lies under a window along
//! the depth is put together first.

use std::sync::Arc;

use brickwork_tensor::Nd;
use brickwork_tensor::kernels::window::Window;

use super::formula::Formula;
use super::windowed::{self, MOST_STEP};
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::{Dim, Shape};

/// A window that slides over a volume.
struct Walk {
    /// Samples.
    batch: Dim,
    /// Channels of the volume.
    channels: usize,
    /// Depth, height and width: the window along each of them, as its axis 0, and extents before and after.
    windows: [Window; 3],
    before: [usize; 3],
    after: [usize; 3],
}

impl Walk {
    fn read(reading: &Reading<'_>, kernel: [usize; 3], ceil: bool) -> Result<Self, OpError> {
        let volume = reading.image(0, 5)?;
        let before = [volume[1], volume[2], volume[3]];
        let axis = |axis: usize| along(reading, axis, kernel[axis], before[axis]);
        let windows = [axis(0)?, axis(1)?, axis(2)?];
        let outputs = |axis: usize| {
            windows[axis].outputs(0, before[axis], ceil).ok_or_else(|| {
                OpError::new(format!(
                    "a volume of {before:?} is smaller than the kernel {kernel:?}"
                ))
            })
        };
        let after = [outputs(0)?, outputs(1)?, outputs(2)?];
        let read = [after[0], kernel[0], volume[0], before[1], before[2]];
        Shape::fixed(&[read.into_iter().fold(1, usize::saturating_mul)]).sound()?;
        Ok(Self { batch: reading.shape(0)?.0[0], channels: volume[0], windows, before, after })
    }

    /// Taps along the depth.
    fn taps(&self) -> usize {
        self.windows[0].kernel[0]
    }

    /// For every output along the depth, the slices under its taps; padding is `None`.
    fn slices(&self) -> Vec<Vec<Option<usize>>> {
        let pixel = |output, tap| self.windows[0].pixel(0, output, tap, self.before[0]);
        let slices = |output| (0..self.taps()).map(|tap| pixel(output, tap)).collect();
        (0..self.after[0]).map(slices).collect()
    }

    /// What the same node over images needs to know.
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        let [_, y, x] = &self.windows;
        let list = |list: &[usize]| Attr::Ints(list.iter().map(|&x| x as i64).collect());
        vec![
            ("kernel_shape", list(&[y.kernel[0], x.kernel[0]])),
            ("strides", list(&[y.stride[0], x.stride[0]])),
            ("dilations", list(&[y.dilation[0], x.dilation[0]])),
            ("pads", list(&[y.before[0], x.before[0], y.after[0], x.after[0]])),
        ]
    }

    /// `input` with the slices of every tap apart: `[n, c, taps, outputs, h, w]`.
    fn unfolded(&self, formula: &mut Formula<'_>, input: &str, slices: &[Vec<usize>]) -> String {
        let by_tap = (0..self.taps()).flat_map(|tap| slices.iter().map(move |own| own[tap] as i64));
        let indices = formula.whole(by_tap.collect());
        let taken = formula.step_with("Gather", &[input, &indices], &[("axis", Attr::Int(2))]);
        let [_, height, width] = self.before;
        let extents = [self.channels, self.taps(), self.after[0], height, width];
        formula.reshape(&taken, &Shape::under(self.batch, &extents))
    }

    /// Pools images of which each channel and slice is one, and takes slices apart again.
    fn pooled(&self, formula: &mut Formula<'_>, name: &str, kind: &str, attrs: &[(&str, Attr)]) {
        let [depth, height, width] = self.after;
        let flat = [self.channels * depth, self.before[1], self.before[2]];
        let images = formula.reshape(name, &Shape::under(self.batch, &flat));
        let pooled = formula.step_with(kind, &[&images], attrs);
        let apart = [self.channels, depth, height, width];
        formula.reshape(&pooled, &Shape::under(self.batch, &apart));
    }
}

/// The window along one of three axes, as axis 0.
fn along(
    reading: &Reading<'_>,
    axis: usize,
    kernel: usize,
    extent: usize,
) -> Result<Window, OpError> {
    let sized = |name: &'static str, count: usize, least: i64| {
        let Some(list) = reading.ints(name)? else { return Ok(vec![least as usize; count]) };
        let fits = |x: &i64| (least..=MOST_STEP as i64).contains(x);
        match list.len() == count && list.iter().all(fits) {
            true => Ok(list.iter().map(|&x| x as usize).collect::<Vec<usize>>()),
            false => Err(OpError::new(format!(
                "{name} {list:?}, expected {count} from {least} to {MOST_STEP} for a volume"
            ))),
        }
    };
    let (strides, dilations) = (sized("strides", 3, 1)?, sized("dilations", 3, 1)?);
    let pads = sized("pads", 6, 0)?;
    if kernel == 0 || kernel > MOST_STEP {
        return Err(OpError::new(format!("a kernel of {kernel} is out of range")));
    }
    let mut window = Window {
        stride: [strides[axis], 1],
        dilation: [dilations[axis], 1],
        ..Window::plain([kernel, 1])
    };
    let mode = reading.text_or("auto_pad", "NOTSET")?;
    let given = [pads[axis], pads[axis + 3]];
    [window.before[0], window.after[0]] = windowed::pads(&mode, given, &window, 0, extent)?;
    Ok(window)
}

/// A convolution: taps along the depth become channels, slices samples.
pub(crate) fn conv(reading: &Reading<'_>) -> Result<Read, OpError> {
    let weights = reading.shape(1)?;
    let Some(&[outputs, inputs, depth, height, width]) = weights.extents().as_deref() else {
        return Err(OpError::new(format!(
            "weights have shape {weights}, expected [o, i, kd, kh, kw]"
        )));
    };
    reading.ignore(&["kernel_shape"]);
    let walk = Walk::read(reading, [depth, height, width], false)?;
    let mut formula = Formula::of(reading)?;
    // Behind the last slice is one of zeros, which stands for all padding.
    let pads = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0].to_vec();
    let input = reading.named(0);
    let padded = formula.step_with("Pad", &[input], &[("pads", Attr::Ints(pads))]);
    let zeros = walk.before[0];
    let slices = walk.slices().into_iter();
    let slices = slices.map(|own| own.into_iter().map(|at| at.unwrap_or(zeros)).collect());
    let apart = walk.unfolded(&mut formula, &padded, &slices.collect::<Vec<_>>());
    let turn = [("perm", Attr::Ints(vec![0, 3, 1, 2, 4, 5]))];
    let turned = formula.step_with("Transpose", &[&apart], &turn);
    let samples = match walk.batch {
        Dim::Fixed(count) => Dim::Fixed(count * walk.after[0]),
        Dim::Batch(each) => Dim::Batch(each * walk.after[0]),
    };
    let extents = [walk.channels * depth, walk.before[1], walk.before[2]];
    let images = formula.reshape(&turned, &Shape::under(samples, &extents));
    let flat = Shape::fixed(&[outputs, inputs * depth, height, width]);
    let flat = formula.reshape(reading.named(1), &flat);
    let mut attrs = walk.attrs();
    attrs.push(("group", Attr::Int(reading.int_or("group", 1)?)));
    let mut operands = vec![images.as_str(), &flat];
    operands.extend(reading.form.inputs.get(2).map(String::as_str));
    let made = formula.step_with("Conv", &operands, &attrs);
    let [slices, height, width] = walk.after;
    let apart = Shape::under(walk.batch, &[slices, outputs, height, width]);
    let apart = formula.reshape(&made, &apart);
    formula.step_with("Transpose", &[&apart], &[("perm", Attr::Ints(vec![0, 2, 1, 3, 4]))]);
    Ok(formula.done())
}

/// A pool `kind`: along the depth first.
pub(crate) fn pool(reading: &Reading<'_>, kind: &str) -> Result<Read, OpError> {
    let kernel = reading.ints("kernel_shape")?.unwrap_or_default();
    let sizes: Option<Vec<usize>> = kernel.iter().map(|&x| usize::try_from(x).ok()).collect();
    let Some(Ok(sizes)) = sizes.map(<[usize; 3]>::try_from) else {
        return Err(OpError::new(format!(
            "kernel_shape {kernel:?}, expected three positive numbers for a volume"
        )));
    };
    let ceil = reading.int_or("ceil_mode", 0)?;
    let walk = Walk::read(reading, sizes, ceil != 0)?;
    windowed::reaches_inside(&walk.windows[0], 0)?;
    let mut attrs = walk.attrs();
    attrs.push(("ceil_mode", Attr::Int(ceil)));
    let mut formula = Formula::of(reading)?;
    let input = reading.named(0);
    let along_depth = if kind == "MaxPool" {
        let slices = walk.slices().into_iter().map(filled).collect::<Result<Vec<_>, OpError>>()?;
        let apart = walk.unfolded(&mut formula, input, &slices);
        let over = [("axes", Attr::Ints(vec![2])), ("keepdims", Attr::Int(0))];
        formula.step_with("ReduceMax", &[&apart], &over)
    } else {
        let padded = reading.int_or("count_include_pad", 0)?;
        attrs.push(("count_include_pad", Attr::Int(padded)));
        reading.affords(&[walk.after[0], walk.before[0]], false)?;
        let means = formula.reals(&Arc::new(means(&walk, padded != 0)));
        let [depth, height, width] = walk.before;
        let rows = Shape::under(walk.batch, &[walk.channels, depth, height * width]);
        let rows = formula.reshape(input, &rows);
        formula.step("MatMul", &[&means, &rows])
    };
    walk.pooled(&mut formula, &along_depth, kind, &attrs);
    Ok(formula.done())
}

/// Slices with the first in the place of padding, which changes no maximum.
fn filled(slices: Vec<Option<usize>>) -> Result<Vec<usize>, OpError> {
    let first = slices.iter().flatten().next().copied();
    let first = first.ok_or_else(|| OpError::new("a window pools nothing but padding"))?;
    Ok(slices.into_iter().map(|at| at.unwrap_or(first)).collect())
}

/// For every output along the depth, what each slice counts in its mean: `[outputs, slices]`.
fn means(walk: &Walk, padded: bool) -> Nd<f32> {
    let window = &walk.windows[0];
    let end = walk.before[0] + window.before[0] + window.after[0];
    let mut means = Nd::filled([walk.after[0], walk.before[0]], 0.0);
    let rows = means.data_mut().chunks_mut(walk.before[0]);
    for ((output, row), slices) in rows.enumerate().zip(walk.slices()) {
        let start = output * window.stride[0];
        let taps = (0..walk.taps()).filter(|tap| start + tap * window.dilation[0] < end);
        let counted = if padded { taps.count() } else { slices.iter().flatten().count() };
        slices.into_iter().flatten().for_each(|at| row[at] += 1.0 / counted as f32);
    }
    means
}
