//! Max and average pooling over channels-last images.

use rayon::prelude::*;

use super::depthwise::Extents;
use super::window::Window;
use crate::simd::{Level, Simd, dispatch};

/// What a pool makes of the pixels under its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The largest; padding never wins.
    Max,
    /// The mean of the pixels that exist.
    Average,
    /// The mean over the window where it lies on the padded image.
    AveragePadded,
}

/// Pools `input` `[n, h, w, c]` with `channels` = c into `out`.
///
/// # Panics
/// If the lengths do not fit the extents.
pub fn pool(
    pool: Pool,
    window: &Window,
    input: &[f32],
    extents: Extents,
    channels: usize,
    out: &mut [f32],
    level: Level,
) {
    let Extents { input: [h, w], output: [oh, ow], .. } = extents;
    extents.check(input, out, [channels; 2]);
    window.check([oh, ow]);
    out.par_chunks_mut(ow * channels).enumerate().for_each(|(line, out)| {
        let image = &input[line / oh * h * w * channels..][..h * w * channels];
        let job = Line { pool, window, image, y: line % oh, size: [h, w], channels };
        // SAFETY: `run_line` indexes with bounds checks.
        #[allow(unsafe_code)]
        {
            dispatch!(level, run_line(job: &Line<'_> = &job, out: &mut [f32] = out));
        }
    });
}

/// The gradient of a pool's input, `[n, h, w, c]`, from that of its output: a maximum passes it to
/// the first pixel that reaches it, a mean to all its pixels alike.
///
/// # Panics
/// If the lengths do not fit the extents.
pub fn pool_backward(
    pool: Pool,
    window: &Window,
    input: &[f32],
    gradient: &[f32],
    extents: Extents,
    channels: usize,
    out: &mut [f32],
) {
    let Extents { input: [h, w], output: [oh, ow], .. } = extents;
    extents.check(input, gradient, [channels; 2]);
    window.check([oh, ow]);
    assert_eq!(out.len(), input.len(), "input length");
    let images = out.par_chunks_mut(h * w * channels).zip(input.par_chunks(h * w * channels));
    images.zip(gradient.par_chunks(oh * ow * channels)).for_each(|((out, image), gradient)| {
        out.fill(0.0);
        let (mut pixels, mut best) = (Vec::new(), vec![(0.0, 0); channels]);
        for (y, gradient) in gradient.chunks(ow * channels).enumerate() {
            let line = Line { pool, window, image, y, size: [h, w], channels };
            for (x, dy) in gradient.chunks(channels).enumerate() {
                let places = line.pixels(x, &mut pixels);
                match pool {
                    Pool::Max => line.pass_to_best(&pixels, &mut best, dy, out),
                    Pool::Average => pass_to_all(&pixels, pixels.len(), dy, out),
                    Pool::AveragePadded => pass_to_all(&pixels, places, dy, out),
                }
            }
        }
    });
}

fn pass_to_all(pixels: &[usize], count: usize, gradient: &[f32], out: &mut [f32]) {
    let scale = 1.0 / count as f32;
    for &at in pixels {
        out[at..][..gradient.len()].iter_mut().zip(gradient).for_each(|(x, dy)| *x += dy * scale);
    }
}

struct Line<'a> {
    pool: Pool,
    window: &'a Window,
    image: &'a [f32],
    y: usize,
    size: [usize; 2],
    channels: usize,
}

impl Line<'_> {
    /// `best` is room for the largest pixel of every channel and its place.
    fn pass_to_best(
        &self,
        pixels: &[usize],
        best: &mut [(f32, usize)],
        gradient: &[f32],
        out: &mut [f32],
    ) {
        for (k, &at) in pixels.iter().enumerate() {
            let pixel = &self.image[at..][..best.len()];
            for (c, (best, &x)) in best.iter_mut().zip(pixel).enumerate() {
                if k == 0 || x > best.0 {
                    *best = (x, at + c);
                }
            }
        }
        best.iter().zip(gradient).for_each(|(&(_, at), dy)| out[at] += dy);
    }

    /// Pixels under the window at output column `x`, and how many places it covers on the padded image.
    fn pixels(&self, x: usize, into: &mut Vec<usize>) -> usize {
        into.clear();
        let places = self.places(0, self.y) * self.places(1, x);
        for ky in 0..self.window.kernel[0] {
            let Some(row) = self.window.pixel(0, self.y, ky, self.size[0]) else { continue };
            for kx in 0..self.window.kernel[1] {
                if let Some(column) = self.window.pixel(1, x, kx, self.size[1]) {
                    into.push((row * self.size[1] + column) * self.channels);
                }
            }
        }
        places
    }

    fn places(&self, axis: usize, output: usize) -> usize {
        let padded = self.window.before[axis] + self.size[axis] + self.window.after[axis];
        let (kernel, stride, dilation) =
            (self.window.kernel[axis], self.window.stride[axis], self.window.dilation[axis]);
        (0..kernel).filter(|tap| output * stride + tap * dilation < padded).count()
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn run_line<S: Simd>(job: &Line<'_>, out: &mut [f32]) {
    let mut pixels = Vec::new();
    for (x, out) in out.chunks_mut(job.channels).enumerate() {
        let places = job.pixels(x, &mut pixels);
        let (start, divisor) = match job.pool {
            Pool::Max => (f32::NEG_INFINITY, 1),
            Pool::Average => (0.0, pixels.len()),
            Pool::AveragePadded => (0.0, places),
        };
        out.fill(start);
        for &at in &pixels {
            let pixel = &job.image[at..at + job.channels];
            match job.pool {
                Pool::Max => {
                    out.iter_mut().zip(pixel).for_each(|(y, &x)| *y = if *y > x { *y } else { x });
                }
                _ => out.iter_mut().zip(pixel).for_each(|(y, &x)| *y += x),
            }
        }
        if divisor > 1 {
            let scale = 1.0 / divisor as f32;
            out.iter_mut().for_each(|y| *y *= scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(kind: Pool, window: &Window, input: &[f32], size: usize) -> Vec<f32> {
        let out = window.outputs(0, size, true).unwrap();
        let extents = Extents { images: 1, input: [size; 2], output: [out; 2] };
        let mut y = vec![0.0; out * out];
        pool(kind, window, input, extents, 1, &mut y, Level::best());
        y
    }

    #[test]
    fn padding_counts_only_where_asked() {
        let window =
            Window { stride: [2, 2], before: [1, 1], after: [1, 1], ..Window::plain([3, 3]) };
        let ones = [1.0; 9];
        assert_eq!(run(Pool::Max, &window, &[-1.0; 9], 3), [-1.0; 4]);
        assert_eq!(run(Pool::Average, &window, &ones, 3), [1.0; 4]);
        let padded = run(Pool::AveragePadded, &window, &ones, 3);
        assert!(padded.iter().all(|y| (y - 4.0 / 9.0).abs() < 1e-6));
    }

    #[test]
    fn gradients_go_where_the_outputs_came_from() {
        let window =
            Window { stride: [2, 2], before: [1, 1], after: [1, 1], ..Window::plain([3, 3]) };
        let input = [3.0, 1.0, 2.0, 0.0, 7.0, 5.0, 4.0, 6.0, 7.0];
        let extents = Extents { images: 1, input: [3; 2], output: [2; 2] };
        let back = |kind| {
            let mut dx = [0.0; 9];
            pool_backward(kind, &window, &input, &[1.0, 2.0, 4.0, 8.0], extents, 1, &mut dx);
            dx
        };
        // All four windows hold the centre; the last also its equal, which comes later.
        assert_eq!(back(Pool::Max), [0.0, 0.0, 0.0, 0.0, 15.0, 0.0, 0.0, 0.0, 0.0]);
        let quarters = [1.0, 3.0, 2.0, 5.0, 15.0, 10.0, 4.0, 12.0, 8.0];
        assert_eq!(back(Pool::Average), quarters.map(|x| x / 4.0));
        let ninths = back(Pool::AveragePadded);
        assert!(ninths.iter().zip(quarters).all(|(x, y)| (x - y / 9.0).abs() < 1e-6));
    }

    #[test]
    fn a_window_hanging_over_is_clipped() {
        let window = Window { stride: [2, 2], ..Window::plain([2, 2]) };
        let input: Vec<f32> = (0..9).map(|k| k as f32).collect();
        assert_eq!(run(Pool::Max, &window, &input, 3), [4.0, 5.0, 7.0, 8.0]);
        assert_eq!(run(Pool::AveragePadded, &window, &input, 3), [2.0, 3.5, 6.5, 8.0]);
    }
}
