//! Col2Im (opset 18): an image as the sum of patches that overlap, written as a transposed convolution whose weights put
//! every element of a patch in its place.

use std::sync::Arc;

use brickwork_tensor::Nd;

use super::formula::Formula;
use super::windowed::{MOST_STEP, pair};
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Shape;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let columns = reading.image(0, 3)?;
    let [image, block] = [size(reading, 1, "the image")?, size(reading, 2, "a patch")?];
    let stride = pair(reading, "strides")?.unwrap_or([1, 1]);
    let dilation = pair(reading, "dilations")?.unwrap_or([1, 1]);
    let pads = reading.ints("pads")?.unwrap_or_else(|| vec![0; 4]);
    let misfit = || {
        OpError::new(format!(
            "columns [n, {}, {}] are not patches {block:?} of images {image:?} with strides {stride:?}, dilations \
             {dilation:?} and pads {pads:?}",
            columns[0], columns[1]
        ))
    };
    let sized =
        [image, block, stride, dilation].iter().flatten().all(|&x| (1..=MOST_STEP).contains(&x));
    let padded = pads.len() == 4 && pads.iter().all(|pad| (0..=MOST_STEP as i64).contains(pad));
    if !sized || !padded {
        return Err(misfit());
    }
    // Places of a patch along each axis, and pixels that no patch reaches behind the last.
    let along = |axis: usize| {
        let whole = image[axis] + (pads[axis] + pads[axis + 2]) as usize;
        let room = whole.checked_sub(dilation[axis] * (block[axis] - 1) + 1)?;
        Some((room / stride[axis] + 1, room % stride[axis]))
    };
    let (Some((rows, below)), Some((places, beside))) = (along(0), along(1)) else {
        return Err(misfit());
    };
    let taps = block[0] * block[1];
    if columns[1] != rows * places || !columns[0].is_multiple_of(taps) {
        return Err(misfit());
    }
    let channels = columns[0] / taps;
    reading.affords(&[channels, taps, taps], false)?;
    let own = |k: usize| f32::from(u8::from(k / taps % taps == k % taps));
    let weights = (0..channels * taps * taps).map(own).collect();
    let weights = Nd::new([channels * taps, 1, block[0], block[1]], weights);
    let mut formula = Formula::of(reading)?;
    let batch = reading.shape(0)?.0[0];
    let apart = Shape::under(batch, &[columns[0], rows, places]);
    let patches = formula.reshape(reading.named(0), &apart);
    let weights = formula.reals(&Arc::new(weights));
    let list = |sizes: [usize; 2]| Attr::Ints(sizes.map(|size| size as i64).to_vec());
    let attrs = [
        ("group", Attr::Int(channels as i64)),
        ("strides", list(stride)),
        ("dilations", list(dilation)),
        ("pads", Attr::Ints(pads)),
        ("output_padding", list([below, beside])),
    ];
    formula.step_with("ConvTranspose", &[&patches, &weights], &attrs);
    Ok(formula.done())
}

/// Height and width in `slot`.
fn size(reading: &Reading<'_>, slot: usize, what: &str) -> Result<[usize; 2], OpError> {
    let sizes = reading.fixed_ints_at(slot, what)?.unwrap_or_default();
    let two: Option<Vec<usize>> = sizes.iter().map(|&x| usize::try_from(x).ok()).collect();
    let two = two.and_then(|two| <[usize; 2]>::try_from(two).ok());
    two.ok_or_else(|| {
        OpError::new(format!(
            "{what} (operand {slot}) has sizes {sizes:?}, expected height and width"
        ))
    })
}
