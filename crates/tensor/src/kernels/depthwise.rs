//! Depthwise convolution over channels-last images: every channel has a kernel of its own.
#![allow(unsafe_code)]

use rayon::prelude::*;

use super::window::Window;
use crate::buffer::Buffer;
use crate::nd::volume;
use crate::simd::{Level, Simd, dispatch};

/// Weights of a depthwise convolution, tap by tap.
#[derive(Debug)]
pub struct Depthwise {
    window: Window,
    channels: usize,
    /// `[taps, channels]`.
    weights: Buffer,
    bias: Buffer,
}

/// Extents of a run: images, input (h, w), output (h, w).
#[derive(Clone, Copy, Debug)]
pub struct Extents {
    /// Batch size.
    pub images: usize,
    /// Input height and width.
    pub input: [usize; 2],
    /// Output height and width.
    pub output: [usize; 2],
}

impl Extents {
    /// Panics unless `input` is `[n, h, w, c]` and `output` `[n, oh, ow, o]`, for `channels` (c, o).
    pub(super) fn check(&self, input: &[f32], output: &[f32], channels: [usize; 2]) {
        let len = |[h, w]: [usize; 2], channels| volume(&[self.images, h, w, channels]);
        assert_eq!(input.len(), len(self.input, channels[0]), "input length");
        assert_eq!(output.len(), len(self.output, channels[1]), "output length");
    }
}

impl Depthwise {
    /// `weights` is `[channels, taps]`, `bias` `[channels]`.
    ///
    /// # Panics
    /// If the lengths do not fit the window.
    pub fn new(window: Window, weights: &[f32], bias: Option<&[f32]>, channels: usize) -> Self {
        let taps = volume(&window.kernel);
        assert_eq!(weights.len(), volume(&[channels, taps]), "weight count");
        assert!(bias.is_none_or(|bias| bias.len() == channels), "bias count");
        let mut by_tap = Buffer::zeroed(channels * taps);
        for channel in 0..channels {
            for tap in 0..taps {
                by_tap[tap * channels + channel] = weights[channel * taps + tap];
            }
        }
        let bias = bias.map_or_else(|| Buffer::zeroed(channels), Buffer::copy_of);
        Self { window, channels, weights: by_tap, bias }
    }

    /// Convolves `input` `[n, h, w, c]` into `out` and clamps to `low..=high`.
    ///
    /// # Panics
    /// If the lengths do not fit the extents or a window ends beyond what can be counted.
    pub fn run(
        &self,
        input: &[f32],
        extents: Extents,
        clamp: (f32, f32),
        out: &mut [f32],
        level: Level,
    ) {
        let Extents { input: [h, w], output: [oh, ow], .. } = extents;
        extents.check(input, out, [self.channels; 2]);
        self.window.check([oh, ow]);
        out.par_chunks_mut(ow * self.channels).enumerate().for_each(|(line, out)| {
            let image = &input[line / oh * h * w * self.channels..][..h * w * self.channels];
            let job = Line { of: self, image, y: line % oh, extents, clamp };
            // SAFETY: lengths and windows were checked above; every pixel comes from `Window::pixel`,
            // or from between two that do.
            dispatch!(level, run_line(job: &Line<'_> = &job, out: &mut [f32] = out));
        });
    }
}

impl Depthwise {
    /// The gradient of the input, `[n, h, w, c]`, from that of the output, `[n, oh, ow, c]`.
    ///
    /// # Panics
    /// If the lengths do not fit the extents.
    pub fn image_gradient(
        &self,
        gradient: &[f32],
        extents: Extents,
        out: &mut [f32],
        level: Level,
    ) {
        let Extents { input: [h, w], output: [oh, ow], .. } = extents;
        let c = self.channels;
        extents.check(out, gradient, [c, c]);
        let taps = volume(&self.window.kernel);
        let places = self.window.scatter([h, w], c, [oh, ow]).offsets;
        out.par_chunks_mut(w * c).enumerate().for_each(|(line, out)| {
            let image = &gradient[line / h * oh * ow * c..][..oh * ow * c];
            out.fill(0.0);
            for (x, out) in out.chunks_mut(c).enumerate() {
                let pixel = line % h * w + x;
                for (tap, place) in places[pixel * taps..][..taps].iter().enumerate() {
                    let Some(place) = *place else { continue };
                    let (weights, dy) =
                        (&self.weights[tap * c..][..c], &image[place as usize..][..c]);
                    // SAFETY: `add_product` only touches the slices.
                    dispatch!(level, add_product(
                        out: &mut [f32] = out,
                        a: &[f32] = weights,
                        b: &[f32] = dy,
                    ));
                }
            }
        });
    }
}

/// `out += a * b`.
#[inline(always)]
unsafe fn add_product<S: Simd>(out: &mut [f32], a: &[f32], b: &[f32]) {
    out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out += a * b);
}

/// The gradient of depthwise weights, `[c, taps]`, from input `[n, h, w, c]` and gradient
/// `[n, oh, ow, c]`. Images are summed in an order that depends on their number alone.
///
/// # Panics
/// If the lengths do not fit the extents.
pub fn weight_gradient(
    window: &Window,
    input: &[f32],
    gradient: &[f32],
    extents: Extents,
    channels: usize,
    out: &mut [f32],
    level: Level,
) {
    /// Parts that the images are summed in.
    const PARTS: usize = 16;
    let Extents { images, input: [h, w], output: [oh, ow] } = extents;
    let taps = volume(&window.kernel);
    let (image, result) = (volume(&[h, w, channels]), volume(&[oh, ow, channels]));
    extents.check(input, gradient, [channels; 2]);
    assert_eq!(out.len(), volume(&[channels, taps]), "weight count");
    let places = window.gather_all([h, w], channels, [oh, ow]);
    let each = images.div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = input
        .par_chunks((each * image).max(1))
        .zip(gradient.par_chunks((each * result).max(1)))
        .map(|(input, gradient)| {
            let mut sums = vec![0.0; taps * channels];
            for (image, gradient) in input.chunks(image).zip(gradient.chunks(result)) {
                for (pixel, dy) in gradient.chunks(channels).enumerate() {
                    for (tap, place) in places[pixel * taps..][..taps].iter().enumerate() {
                        let Some(place) = *place else { continue };
                        let (sums, x) = (
                            &mut sums[tap * channels..][..channels],
                            &image[place as usize..][..channels],
                        );
                        // SAFETY: `add_product` only touches the slices.
                        dispatch!(level, add_product(
                            out: &mut [f32] = sums,
                            a: &[f32] = x,
                            b: &[f32] = dy,
                        ));
                    }
                }
            }
            sums
        })
        .collect();
    for (k, out) in out.iter_mut().enumerate() {
        let (channel, tap) = (k / taps, k % taps);
        *out = parts.iter().map(|sums| sums[tap * channels + channel]).sum();
    }
}

struct Line<'a> {
    of: &'a Depthwise,
    image: &'a [f32],
    y: usize,
    extents: Extents,
    clamp: (f32, f32),
}

/// Neighbouring outputs computed together, sharing the loads of their weights.
const TOGETHER: usize = 4;

#[inline(always)]
unsafe fn run_line<S: Simd>(job: &Line<'_>, out: &mut [f32]) {
    let (conv, width) = (job.of, job.extents.output[1]);
    let [kh, kw] = conv.window.kernel;
    let c = conv.channels;
    // (tap, row) of the kernel rows that meet the image.
    let rows: Vec<(usize, usize)> = (0..kh)
        .filter_map(|ky| {
            conv.window.pixel(0, job.y, ky, job.extents.input[0]).map(|row| (ky * kw, row))
        })
        .collect();
    let inside =
        |x: usize| (0..kw).all(|kx| conv.window.pixel(1, x, kx, job.extents.input[1]).is_some());
    let mut x = 0;
    while x < width {
        let last = x + TOGETHER - 1;
        let at = unsafe { out.as_mut_ptr().add(x * c) };
        if last < width && inside(x) && inside(last) {
            unsafe { run_pixels::<S, TOGETHER>(job, &rows, x, at) };
            x += TOGETHER;
        } else {
            unsafe { run_pixels::<S, 1>(job, &rows, x, at) };
            x += 1;
        }
    }
}

#[inline(always)]
unsafe fn run_pixels<S: Simd, const P: usize>(
    job: &Line<'_>,
    rows: &[(usize, usize)],
    x: usize,
    out: *mut f32,
) {
    let conv = job.of;
    let (c, width) = (conv.channels, job.extents.input[1]);
    let (kw, step) = (conv.window.kernel[1], conv.window.stride[1] * c);
    let mut channel = 0;
    while channel < c {
        let count = S::LANES.min(c - channel);
        unsafe {
            let mut acc = [S::load_up_to(conv.bias.as_ptr().add(channel), count); P];
            for &(tap, row) in rows {
                for kx in 0..kw {
                    let Some(column) = conv.window.pixel(1, x, kx, width) else { continue };
                    let w = conv.weights.as_ptr().add((tap + kx) * c + channel);
                    let w = S::load_up_to(w, count);
                    let from = job.image.as_ptr().add((row * width + column) * c + channel);
                    for (p, acc) in acc.iter_mut().enumerate() {
                        *acc = S::fma(S::load_up_to(from.add(p * step), count), w, *acc);
                    }
                }
            }
            let (low, high) = (S::splat(job.clamp.0), S::splat(job.clamp.1));
            for (p, acc) in acc.into_iter().enumerate() {
                let y = S::min(high, S::max(low, acc));
                S::store_up_to(out.add(p * c + channel), count, y);
            }
        }
        channel += S::LANES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition() {
        let (n, h, w, c) = (2, 7, 13, 19);
        for (stride, dilation, pad) in [(1, 1, 1), (2, 1, 1), (1, 2, 2), (2, 1, 0)] {
            let window = Window {
                stride: [stride; 2],
                dilation: [dilation; 2],
                before: [pad; 2],
                after: [pad; 2],
                ..Window::plain([3, 3])
            };
            let out_h = window.outputs(0, h, false).unwrap();
            let out_w = window.outputs(1, w, false).unwrap();
            let input: Vec<f32> =
                (0..n * h * w * c).map(|k| (k * 37 % 101) as f32 / 50.0 - 1.0).collect();
            let weights: Vec<f32> = (0..c * 9).map(|k| (k * 53 % 97) as f32 / 48.0 - 1.0).collect();
            let bias: Vec<f32> = (0..c).map(|k| k as f32 * 0.1).collect();
            let conv = Depthwise::new(window.clone(), &weights, Some(&bias), c);
            let extents = Extents { images: n, input: [h, w], output: [out_h, out_w] };
            for level in Level::available() {
                let mut out = vec![0.0; n * out_h * out_w * c];
                conv.run(&input, extents, (-5.0, 5.0), &mut out, level);
                for (k, got) in out.iter().enumerate() {
                    let (ch, x) = (k % c, k / c % out_w);
                    let (y, image) = (k / c / out_w % out_h, k / c / out_w / out_h);
                    let mut want = f64::from(bias[ch]);
                    for ky in 0..3 {
                        for kx in 0..3 {
                            let pixel = window.pixel(0, y, ky, h).zip(window.pixel(1, x, kx, w));
                            if let Some((r, q)) = pixel {
                                let value = input[((image * h + r) * w + q) * c + ch];
                                want += f64::from(value) * f64::from(weights[ch * 9 + ky * 3 + kx]);
                            }
                        }
                    }
                    assert!((f64::from(*got) - want.clamp(-5.0, 5.0)).abs() < 1e-5);
                }
            }
        }
    }
}
