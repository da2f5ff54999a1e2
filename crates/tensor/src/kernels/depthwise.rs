//! Depthwise convolution over channels-last images: every channel has a kernel of its own.
// Register arrays are walked by index: iterator adapters keep them out of registers.
#![allow(unsafe_code, clippy::needless_range_loop)]

use std::ops::Range;

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
            // or lies in a window that is within the image.
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

/// A tap of the kernel that meets the image: where its weights begin, and the pixel that the first of some outputs
/// reads.
#[derive(Clone, Copy)]
struct Tap {
    weights: usize,
    pixel: usize,
}

impl Line<'_> {
    /// The taps that meet the image at output `x`, in the order of the kernel.
    fn taps(&self, x: usize, taps: &mut Vec<Tap>) {
        let (window, c, [height, width]) = (&self.of.window, self.of.channels, self.extents.input);
        let [kh, kw] = window.kernel;
        taps.clear();
        for (ky, row) in (0..kh).filter_map(|ky| Some((ky, window.pixel(0, self.y, ky, height)?))) {
            taps.extend((0..kw).filter_map(|kx| {
                let column = window.pixel(1, x, kx, width)?;
                Some(Tap { weights: (ky * kw + kx) * c, pixel: (row * width + column) * c })
            }));
        }
    }

    /// The outputs whose windows lie within the width of the image.
    fn inside(&self) -> Range<usize> {
        let window = Window { after: [0; 2], ..self.of.window.clone() };
        let end = window.outputs(1, self.extents.input[1], false).unwrap_or(0);
        window.before[1].div_ceil(window.stride[1])..end.min(self.extents.output[1])
    }
}

#[inline(always)]
unsafe fn run_line<S: Simd>(job: &Line<'_>, out: &mut [f32]) {
    let window = &job.of.window;
    let inside = job.inside();
    let lines_of_three = [window.kernel[1], window.stride[1], window.dilation[1]] == [3, 1, 1];
    let mut taps = Vec::new();
    let mut x = 0;
    while x < job.extents.output[1] {
        job.taps(x, &mut taps);
        let to = unsafe { out.as_mut_ptr().add(x * job.of.channels) };
        // Neighbours share loads; eight sums at a time hide how long an addition takes.
        x += match if inside.contains(&x) { inside.end - x } else { 1 } {
            8.. if lines_of_three => unsafe { run_pixels::<S, 8, 1, 3>(job, &taps, to) },
            8.. => unsafe { run_pixels::<S, 8, 1, 0>(job, &taps, to) },
            4.. => unsafe { run_pixels::<S, 4, 2, 0>(job, &taps, to) },
            _ => unsafe { run_pixels::<S, 1, 4, 0>(job, &taps, to) },
        };
    }
}

/// Computes `P` outputs, `V` vectors of channels at a time; returns how many they are. Where `K` is not 0, the taps are
/// lines of `K` neighbours, and so are the outputs' pixels.
#[inline(always)]
unsafe fn run_pixels<S: Simd, const P: usize, const V: usize, const K: usize>(
    job: &Line<'_>,
    taps: &[Tap],
    out: *mut f32,
) -> usize {
    let c = job.of.channels;
    let mut channel = 0;
    unsafe {
        while channel + V * S::LANES <= c {
            run_block::<S, P, V, K>(job, taps, channel, S::LANES, out);
            channel += V * S::LANES;
        }
        while channel + S::LANES <= c {
            run_block::<S, P, 1, K>(job, taps, channel, S::LANES, out);
            channel += S::LANES;
        }
        if channel < c {
            run_block::<S, P, 1, K>(job, taps, channel, c - channel, out);
        }
    }
    P
}

/// Computes `P` outputs of the channels in `V` vectors from `channel` on, of which `lanes` lanes count.
#[inline(always)]
unsafe fn run_block<S: Simd, const P: usize, const V: usize, const K: usize>(
    job: &Line<'_>,
    taps: &[Tap],
    channel: usize,
    lanes: usize,
    out: *mut f32,
) {
    let (conv, c) = (job.of, job.of.channels);
    unsafe {
        let at = |from: &Buffer, start: usize, v: usize| {
            S::load_up_to(from.as_ptr().add(start + channel + v * S::LANES), lanes)
        };
        let mut acc: [[S::V; V]; P] = [std::array::from_fn(|v| at(&conv.bias, 0, v)); P];
        if K > 0 {
            for line in taps.chunks_exact(K) {
                let from = job.image.as_ptr().add(line[0].pixel + channel);
                for v in 0..V {
                    let w: [S::V; K] =
                        std::array::from_fn(|k| at(&conv.weights, line[k].weights, v));
                    for pixel in 0..P + K - 1 {
                        let x = S::load_up_to(from.add(pixel * c + v * S::LANES), lanes);
                        for k in 0..K {
                            if pixel >= k && pixel - k < P {
                                acc[pixel - k][v] = S::fma(x, w[k], acc[pixel - k][v]);
                            }
                        }
                    }
                }
            }
        } else {
            let step = conv.window.stride[1] * c;
            for tap in taps {
                let from = job.image.as_ptr().add(tap.pixel + channel);
                for v in 0..V {
                    let w = at(&conv.weights, tap.weights, v);
                    for p in 0..P {
                        let x = S::load_up_to(from.add(p * step + v * S::LANES), lanes);
                        acc[p][v] = S::fma(x, w, acc[p][v]);
                    }
                }
            }
        }
        let (low, high) = (S::splat(job.clamp.0), S::splat(job.clamp.1));
        for p in 0..P {
            for v in 0..V {
                let y = S::min(high, S::max(low, acc[p][v]));
                S::store_up_to(out.add(p * c + channel + v * S::LANES), lanes, y);
            }
        }
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
