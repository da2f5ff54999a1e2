//! Attributes and shapes that convolutions and pools share.

use brickwork_tensor::kernels::window::Window;

use super::formula::Formula;
use crate::attrs::{Attr, Attrs};
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::{Dim, Shape};

/// Strides, dilations, pads and kernels are at most this.
pub(crate) const MOST_STEP: usize = 1 << 16;

/// Pixels that all windows over one channel may read together.
const MOST_TAPS: usize = 1 << 27;

/// Reads `auto_pad`, `dilations`, `pads` and `strides` for a kernel over an image of `extents`.
pub(crate) fn read(
    reading: &Reading<'_>,
    kernel: [usize; 2],
    extents: [usize; 2],
) -> Result<Window, OpError> {
    let stride = pair(reading, "strides")?.unwrap_or([1, 1]);
    let dilation = pair(reading, "dilations")?.unwrap_or([1, 1]);
    if [kernel, stride, dilation].iter().flatten().any(|&x| x == 0 || x > MOST_STEP) {
        return Err(OpError::new(format!(
            "kernel {kernel:?}, strides {stride:?} or dilations {dilation:?} out of range"
        )));
    }
    let mut window = Window { stride, dilation, ..Window::plain(kernel) };
    let stated = reading.ints("pads")?.unwrap_or_else(|| vec![0; 4]);
    let mode = reading.text_or("auto_pad", "NOTSET")?;
    let given = match mode.as_str() {
        "NOTSET" => four(stated)?,
        _ => [0; 4],
    };
    for axis in 0..2 {
        let given = [given[axis], given[axis + 2]];
        [window.before[axis], window.after[axis]] =
            pads(&mode, given, &window, axis, extents[axis])?;
    }
    Ok(window)
}

/// Pads before both axes, then after them.
fn four(pads: Vec<i64>) -> Result<[usize; 4], OpError> {
    let sizes: Option<Vec<usize>> =
        pads.iter().map(|&p| usize::try_from(p).ok().filter(|&p| p <= MOST_STEP)).collect();
    let sizes = sizes.and_then(|sizes| <[usize; 4]>::try_from(sizes).ok());
    sizes.ok_or_else(|| OpError::new(format!("pads {pads:?}, expected four that are not negative")))
}

/// Pads before and after `extent` pixels along `axis` of a window without pads: those that are `given`, unless `auto_pad`
/// says otherwise.
///
/// # Errors
/// If `auto_pad` is unknown.
pub(crate) fn pads(
    auto_pad: &str,
    given: [usize; 2],
    window: &Window,
    axis: usize,
    extent: usize,
) -> Result<[usize; 2], OpError> {
    match auto_pad {
        "NOTSET" => Ok(given),
        "VALID" => Ok([0, 0]),
        "SAME_UPPER" | "SAME_LOWER" => {
            let outputs = extent.div_ceil(window.stride[axis]);
            let needed = (outputs - 1) * window.stride[axis] + window.span(axis);
            let total = needed.saturating_sub(extent);
            let (less, more) = (total / 2, total - total / 2);
            Ok(if auto_pad == "SAME_UPPER" { [less, more] } else { [more, less] })
        }
        other => Err(OpError::new(format!("auto_pad `{other}` is not supported"))),
    }
}

/// Makes sure that no window of a pool lies in the padding as a whole.
///
/// # Errors
/// If pads along `axis` are as large as the window.
pub(crate) fn reaches_inside(window: &Window, axis: usize) -> Result<(), OpError> {
    if window.before[axis].max(window.after[axis]) < window.span(axis) {
        return Ok(());
    }
    Err(OpError::new("a pad as large as the kernel would pool nothing but padding"))
}

/// The node over a line `[n, c, l]` as one over an image `[n, c, 1, l]`: its first `count` operands get a
/// new axis, all others stay.
///
/// # Errors
/// If an attribute is of the wrong kind.
pub(crate) fn over_line(reading: &Reading<'_>, count: usize) -> Result<Read, OpError> {
    let mut attrs: Vec<(&str, Attr)> = Vec::new();
    for (name, first) in [("kernel_shape", 1), ("strides", 1), ("dilations", 1)] {
        if let Some(list) = reading.ints(name)? {
            attrs.push((name, Attr::Ints([&[first], &list[..]].concat())));
        }
    }
    if let Some(pads) = reading.ints("pads")? {
        let [before, after] = pads[..] else {
            return Err(OpError::new(format!("pads {pads:?}, expected two along a line")));
        };
        attrs.push(("pads", Attr::Ints(vec![0, before, 0, after])));
    }
    for name in ["output_padding", "output_shape"] {
        if let Some(list) = reading.ints(name)? {
            let first = i64::from(name == "output_shape");
            attrs.push((name, Attr::Ints([&[first], &list[..]].concat())));
        }
    }
    for name in ["group", "auto_pad", "ceil_mode", "count_include_pad", "storage_order", "p"] {
        attrs.extend(reading.raw(name).map(|attr| (name, attr.clone())));
    }
    let mut formula = Formula::of(reading)?;
    let axis = [("axes", Attr::Ints(vec![2]))];
    let mut names = reading.form.inputs.clone();
    for name in names.iter_mut().take(count) {
        *name = formula.step_with("Unsqueeze", &[name.as_str()], &axis);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let flat = formula.step_with(&reading.form.kind, &names, &attrs);
    formula.step_with("Squeeze", &[&flat], &axis);
    Ok(formula.done())
}

/// A list attribute of two positive numbers.
pub(crate) fn pair(
    reading: &Reading<'_>,
    name: &'static str,
) -> Result<Option<[usize; 2]>, OpError> {
    let Some(list) = reading.ints(name)? else { return Ok(None) };
    let sizes: Option<Vec<usize>> = list.iter().map(|&x| usize::try_from(x).ok()).collect();
    let pair = sizes.and_then(|sizes| <[usize; 2]>::try_from(sizes).ok());
    pair.map(Some).ok_or_else(|| {
        OpError::new(format!("{name} {list:?}: only two-dimensional images are supported"))
    })
}

/// The attributes that [`read`] reads.
pub(crate) fn window_attrs(window: &Window, dilations: bool) -> Attrs {
    let ints = |list: &[usize]| Attr::Ints(list.iter().map(|&x| x as i64).collect());
    let pads = [window.before, window.after].concat();
    let mut attrs = Attrs::from([
        ("kernel_shape".to_owned(), ints(&window.kernel)),
        ("strides".to_owned(), ints(&window.stride)),
        ("pads".to_owned(), ints(&pads)),
    ]);
    if dilations {
        attrs.insert("dilations".to_owned(), ints(&window.dilation));
    }
    attrs
}

/// The shape of the result over `image` with `channels`.
pub(crate) fn shape(
    window: &Window,
    image: &Shape,
    channels: usize,
    ceil: bool,
) -> Result<Shape, OpError> {
    let mut dims = vec![image.0[0], Dim::Fixed(channels)];
    for axis in 0..2 {
        let outputs =
            image.0[2 + axis].fixed().and_then(|extent| window.outputs(axis, extent, ceil));
        let outputs = outputs.ok_or_else(|| {
            OpError::new(format!("image {image} is smaller than the kernel {:?}", window.kernel))
        })?;
        dims.push(Dim::Fixed(outputs));
    }
    let shape = Shape(dims);
    let taps = window.kernel[0] * window.kernel[1];
    let touched = shape.sample()[2..].iter().try_fold(taps, |all, &n| all.checked_mul(n));
    if touched.is_none_or(|touched| touched > MOST_TAPS) {
        return Err(OpError::new(format!(
            "a kernel of {:?} for outputs of {shape} reads more than {MOST_TAPS} pixels per channel",
            window.kernel
        )));
    }
    Ok(shape)
}

/// Height and width of an image `[n, c, h, w]`.
pub(crate) fn size(extents: &[usize]) -> [usize; 2] {
    [extents[2], extents[3]]
}
