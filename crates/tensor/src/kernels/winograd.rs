//! 3x3 convolution with stride 1 by fewer multiplications (Winograd; Lavin and Gray 2016).
//!
//! The image is cut into overlapping tiles. Input tiles and kernels are transformed so that the
//! convolution becomes one matrix product per transformed pixel; transforming back gives an output
//! tile. Tiles of 4x4 outputs need 36 products where the definition needs 144, tiles of 2x2 need
//! 16 for 36. Channels are innermost, so every transform works on whole vectors.
// Register arrays are walked by index: iterator adapters keep them out of registers.
#![allow(unsafe_code, clippy::needless_range_loop)]

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::depthwise::Extents;
use super::gemm::{Finish, Packed, Shared};
use crate::buffer::Buffer;
use crate::nd::volume;
use crate::simd::{Level, Simd, dispatch};

/// A convolution in transformed form.
#[derive(Debug)]
pub struct Winograd {
    level: Level,
    /// Outputs of a tile along each side: 4 or 2.
    side: usize,
    /// One product for every transformed pixel.
    products: Vec<Packed>,
    bias: Buffer,
    channels: usize,
    outputs: usize,
    /// Padding before (top, left).
    before: [usize; 2],
}

/// Bytes of transformed tiles a task works on at a time.
const BLOCK_BYTES: usize = 512 << 10;

impl Winograd {
    /// `weights` is `[outputs, channels, 3, 3]`; `side` is 4 or 2.
    ///
    /// # Panics
    /// If the lengths do not fit or `side` is another number.
    pub fn new(
        level: Level,
        side: usize,
        weights: &[f32],
        bias: &[f32],
        channels: usize,
        before: [usize; 2],
    ) -> Self {
        let outputs = bias.len();
        assert_eq!(weights.len(), volume(&[outputs, channels, 9]), "weight count");
        let kernel: &[[f64; 3]] = match side {
            4 => &KERNEL_4,
            2 => &KERNEL_2,
            _ => panic!("tiles of {side} outputs"),
        };
        let points = kernel.len();
        let pixels = by_pixel(weights);
        let products = (0..points * points)
            .into_par_iter()
            .map(|point| {
                let (a, b) = (kernel[point / points], kernel[point % points]);
                let factors = std::array::from_fn(|k| a[k / 3] * b[k % 3]);
                let mut transformed = vec![0.0; outputs * channels];
                // SAFETY: `transform` only touches the slices.
                dispatch!(level, transform(
                    pixels: &[f32] = &pixels,
                    factors: [f64; 9] = factors,
                    out: &mut [f32] = &mut transformed,
                ));
                Packed::new(level, &transformed, None, outputs, channels, 1, 1)
            })
            .collect();
        Self { level, side, products, bias: Buffer::copy_of(bias), channels, outputs, before }
    }

    /// Convolves `input` `[n, h, w, channels]` into `out` `[n, oh, ow, outputs]`. `scratch` is for
    /// transformed tiles.
    ///
    /// # Panics
    /// If the lengths do not fit the extents.
    pub fn run(
        &self,
        input: &[f32],
        extents: Extents,
        finish: Finish<'_>,
        out: &mut [f32],
        scratch: &mut Buffer,
    ) {
        let Extents { images, output: [oh, ow], .. } = extents;
        extents.check(input, out, [self.channels, self.outputs]);
        assert!(finish.residual.is_none_or(|r| r.len() >= out.len()), "residual length");
        let grid = [oh.div_ceil(self.side), ow.div_ceil(self.side)];
        let tiles = images * grid[0] * grid[1];
        if tiles == 0 {
            return;
        }
        let each = [self.channels, self.outputs].map(|c| self.products.len() * c);
        let most = (BLOCK_BYTES / size_of::<f32>() / (each[0] + each[1])).clamp(8, 64);
        let threads = rayon::current_num_threads();
        let blocks = tiles.div_ceil(most).next_multiple_of(threads);
        let block = tiles.div_ceil(blocks).next_multiple_of(8);
        let to = Shared(out.as_mut_ptr());
        let next = AtomicUsize::new(0);
        // Every thread has its share of the scratch and takes the next block until none is left.
        let share = block * (each[0] + each[1]);
        scratch.ensure(volume(&[threads, share])).par_chunks_mut(share).for_each(|scratch| {
            let (spread, summed) = scratch.split_at_mut(block * each[0]);
            loop {
                let first = next.fetch_add(block, Ordering::Relaxed);
                if first >= tiles {
                    break;
                }
                let count = block.min(tiles - first);
                let job = Job { of: self, input, extents, grid, finish, first, count };
                // SAFETY: lengths were checked above; tiles write disjoint outputs.
                dispatch!(self.level, spread_tiles(
                    job: &Job<'_> = &job,
                    to: &mut [f32] = &mut *spread,
                ));
                Packed::multiply_stacks(&self.products, spread, count, summed);
                dispatch!(self.level, gather_tiles(
                    job: &Job<'_> = &job,
                    from: &[f32] = &*summed,
                    out: Shared = to,
                ));
            }
        });
    }
}

/// Weights `[kernels, 9]` as `[9, kernels]`.
fn by_pixel(weights: &[f32]) -> Vec<f32> {
    let count = weights.len() / 9;
    let mut pixels = vec![0.0; weights.len()];
    pixels.par_chunks_mut(count.max(1)).enumerate().for_each(|(k, pixels)| {
        pixels.iter_mut().zip(weights.chunks_exact(9)).for_each(|(to, w)| *to = w[k]);
    });
    pixels
}

/// One transformed pixel of every kernel: `out[j] = sum over k of factors[k] * pixels[k, j]`.
#[inline(always)]
unsafe fn transform<S: Simd>(pixels: &[f32], factors: [f64; 9], out: &mut [f32]) {
    const TOGETHER: usize = 64;
    let count = out.len();
    for (block, out) in out.chunks_mut(TOGETHER).enumerate() {
        let mut sums = [0.0f64; TOGETHER];
        for (k, factor) in factors.iter().enumerate().filter(|(_, factor)| **factor != 0.0) {
            let from = &pixels[k * count + block * TOGETHER..][..out.len()];
            sums.iter_mut().zip(from).for_each(|(sum, &w)| *sum += factor * f64::from(w));
        }
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32);
    }
}

struct Job<'a> {
    of: &'a Winograd,
    input: &'a [f32],
    extents: Extents,
    grid: [usize; 2],
    finish: Finish<'a>,
    first: usize,
    count: usize,
}

impl Job<'_> {
    /// Image, and first output row and column, of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let [rows, columns] = self.grid;
        let (image, inside) = (tile / (rows * columns), tile % (rows * columns));
        (image, inside / columns * self.of.side, inside % columns * self.of.side)
    }
}

/// Tiles of 4x4 are evaluated at 0, plus and minus `NEAR`, plus and minus `FAR`, and infinity. These
/// points, which oneDNN uses too, keep rounding near that of the plain product; 1 and 2, which make
/// simpler transforms, triple it.
const NEAR: f64 = 0.625;
const FAR: f64 = 1.5;
const NEAR_2: f64 = NEAR * NEAR;
const FAR_2: f64 = FAR * FAR;

/// Transformed kernels: `G` of the two tile sizes.
const KERNEL_4: [[f64; 3]; 6] = [
    [1.0 / (NEAR_2 * FAR_2), 0.0, 0.0],
    at_point(NEAR, FAR_2),
    at_point(-NEAR, FAR_2),
    at_point(FAR, NEAR_2),
    at_point(-FAR, NEAR_2),
    [0.0, 0.0, 1.0],
];

/// The kernel polynomial at `x`, over the product of the distances to the other finite points.
const fn at_point(x: f64, other_2: f64) -> [f64; 3] {
    let distances = 2.0 * x * x * (x * x - other_2);
    [1.0 / distances, x / distances, x * x / distances]
}

const KERNEL_2: [[f64; 3]; 4] =
    [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

#[inline(always)]
unsafe fn spread_tiles<S: Simd>(job: &Job<'_>, to: &mut [f32]) {
    match job.of.side {
        4 => unsafe { spread_all::<S, 6>(job, to) },
        _ => unsafe { spread_all::<S, 4>(job, to) },
    }
}

/// Input tiles to `[point, tile, channel]`.
#[inline(always)]
unsafe fn spread_all<S: Simd, const N: usize>(job: &Job<'_>, to: &mut [f32]) {
    let c = job.of.channels;
    let [h, w] = job.extents.input;
    for tile in 0..job.count {
        let (image, y, x) = job.place(job.first + tile);
        let base = &job.input[image * h * w * c..(image + 1) * h * w * c];
        let pixel = |axis: usize, start: usize, k: usize| {
            (start + k).checked_sub(job.of.before[axis]).filter(|&p| p < job.extents.input[axis])
        };
        let pixels: [[Option<usize>; N]; N] = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                pixel(0, y, i).zip(pixel(1, x, j)).map(|(row, column)| (row * w + column) * c)
            })
        });
        let mut channel = 0;
        while channel < c {
            let count = S::LANES.min(c - channel);
            unsafe {
                let mut rows = [[S::splat(0.0); N]; N];
                for j in 0..N {
                    let mut column = [S::splat(0.0); N];
                    for i in 0..N {
                        if let Some(at) = pixels[i][j] {
                            column[i] = S::load_up_to(base.as_ptr().add(at + channel), count);
                        }
                    }
                    let moved = spread_line::<S, N>(column);
                    for i in 0..N {
                        rows[i][j] = moved[i];
                    }
                }
                for i in 0..N {
                    let points = spread_line::<S, N>(rows[i]);
                    for j in 0..N {
                        let at = ((i * N + j) * job.count + tile) * c + channel;
                        S::store_up_to(to.as_mut_ptr().add(at), count, points[j]);
                    }
                }
            }
            channel += S::LANES;
        }
    }
}

/// `B' d` for one line of an input tile.
#[inline(always)]
unsafe fn spread_line<S: Simd, const N: usize>(d: [S::V; N]) -> [S::V; N] {
    let mut out = d;
    unsafe {
        if N == 6 {
            let (near, far) = (S::splat(NEAR as f32), S::splat(FAR as f32));
            let (near_2, far_2) = (S::splat(-NEAR_2 as f32), S::splat(-FAR_2 as f32));
            let product = S::splat((NEAR_2 * FAR_2) as f32);
            let sum = S::splat(-(NEAR_2 + FAR_2) as f32);
            out[0] = S::fma(product, d[0], S::fma(sum, d[2], d[4]));
            let even = S::fma(far_2, d[2], d[4]);
            let odd = S::mul(near, S::fma(far_2, d[1], d[3]));
            out[1] = S::add(even, odd);
            out[2] = S::sub(even, odd);
            let even = S::fma(near_2, d[2], d[4]);
            let odd = S::mul(far, S::fma(near_2, d[1], d[3]));
            out[3] = S::add(even, odd);
            out[4] = S::sub(even, odd);
            out[5] = S::fma(product, d[1], S::fma(sum, d[3], d[5]));
        } else {
            out[0] = S::sub(d[0], d[2]);
            out[1] = S::add(d[1], d[2]);
            out[2] = S::sub(d[2], d[1]);
            out[3] = S::sub(d[1], d[3]);
        }
    }
    out
}

/// `A' m` for one line of summed points.
#[inline(always)]
unsafe fn gather_line<S: Simd, const N: usize, const M: usize>(m: [S::V; N]) -> [S::V; M] {
    unsafe {
        let mut out = [S::splat(0.0); M];
        let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        if N == 6 {
            let (outer_sum, outer_difference) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            let (near, far) = (S::splat(NEAR as f32), S::splat(FAR as f32));
            let (near_2, far_2) = (S::splat(NEAR_2 as f32), S::splat(FAR_2 as f32));
            let near_3 = S::splat((NEAR_2 * NEAR) as f32);
            let far_3 = S::splat((FAR_2 * FAR) as f32);
            out[0] = S::add(S::add(m[0], sum), outer_sum);
            out[1] = S::fma(near, difference, S::mul(far, outer_difference));
            out[2] = S::fma(near_2, sum, S::mul(far_2, outer_sum));
            out[3] = S::fma(near_3, difference, S::fma(far_3, outer_difference, m[5]));
        } else {
            out[0] = S::add(m[0], sum);
            out[1] = S::sub(difference, m[3]);
        }
        out
    }
}

#[inline(always)]
unsafe fn gather_tiles<S: Simd>(job: &Job<'_>, from: &[f32], out: Shared) {
    match job.of.side {
        4 => unsafe { gather_all::<S, 6, 4>(job, from, out) },
        _ => unsafe { gather_all::<S, 4, 2>(job, from, out) },
    }
}

/// Summed points `[point, tile, output]` to output tiles.
#[inline(always)]
unsafe fn gather_all<S: Simd, const N: usize, const M: usize>(
    job: &Job<'_>,
    from: &[f32],
    out: Shared,
) {
    let outputs = job.of.outputs;
    let [height, width] = job.extents.output;
    unsafe {
        let (low, high) = (S::splat(job.finish.low), S::splat(job.finish.high));
        for tile in 0..job.count {
            let (image, y, x) = job.place(job.first + tile);
            let (rows, columns) = (M.min(height - y), M.min(width - x));
            let mut channel = 0;
            while channel < outputs {
                let count = S::LANES.min(outputs - channel);
                let bias = S::load_up_to(job.of.bias.as_ptr().add(channel), count);
                let mut halves = [[S::splat(0.0); N]; M];
                for j in 0..N {
                    let column: [S::V; N] = std::array::from_fn(|i| {
                        let at = ((i * N + j) * job.count + tile) * outputs + channel;
                        S::load_up_to(from.as_ptr().add(at), count)
                    });
                    let moved = gather_line::<S, N, M>(column);
                    for i in 0..M {
                        halves[i][j] = moved[i];
                    }
                }
                for i in 0..rows {
                    let line = gather_line::<S, N, M>(halves[i]);
                    for (j, &sum) in line.iter().enumerate().take(columns) {
                        let at = ((image * height + y + i) * width + x + j) * outputs + channel;
                        let mut sum = S::add(sum, bias);
                        if let Some(residual) = job.finish.residual {
                            sum = S::add(sum, S::load_up_to(residual.as_ptr().add(at), count));
                        }
                        S::store_up_to(out.0.add(at), count, S::min(high, S::max(low, sum)));
                    }
                }
                channel += S::LANES;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::super::window::Window;
    use super::*;

    #[test]
    fn equals_the_plain_product() {
        for (size, channels, outputs, pad) in [
            ([9, 7], 5, 19, 1),
            ([4, 4], 16, 3, 1),
            ([13, 6], 33, 17, 0),
            ([2, 2], 8, 8, 1),
            ([5, 5], 3, 40, 2),
        ] {
            let images = 3;
            let window = Window { before: [pad; 2], after: [pad; 2], ..Window::plain([3, 3]) };
            let output = [0, 1].map(|axis| window.outputs(axis, size[axis], false).unwrap());
            let extents = Extents { images, input: size, output };
            let x = noise(images * size[0] * size[1] * channels, 1);
            let (w, b) = (noise(outputs * channels * 9, 2), noise(outputs, 3));
            let rows = images * output[0] * output[1];
            let residual = noise(rows * outputs, 4);
            let finish = Finish { residual: Some(&residual), low: -2.0, high: 5.0 };
            for level in Level::available() {
                let plain = Packed::new(level, &w, Some(&b), outputs, channels, 9, 1);
                let mut expected = vec![0.0; rows * outputs];
                plain.run(&window.gather(size, channels, output), &x, rows, finish, &mut expected);
                for side in [2, 4] {
                    let quick = Winograd::new(level, side, &w, &b, channels, [pad; 2]);
                    let mut found = vec![f32::NAN; rows * outputs];
                    quick.run(&x, extents, finish, &mut found, &mut Buffer::default());
                    for (a, b) in found.iter().zip(&expected) {
                        assert!((a - b).abs() < 5e-5, "{level:?} {side} {size:?}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_image_does_not_depend_on_its_neighbours() {
        let (channels, outputs, size) = (20, 21, [6, 6]);
        let x = noise(4 * 36 * channels, 5);
        let quick = Winograd::new(
            Level::best(),
            4,
            &noise(outputs * channels * 9, 6),
            &noise(outputs, 7),
            channels,
            [1; 2],
        );
        let run = |x: &[f32], images: usize| {
            let extents = Extents { images, input: size, output: size };
            let mut out = vec![0.0; images * 36 * outputs];
            quick.run(x, extents, Finish::PLAIN, &mut out, &mut Buffer::default());
            out
        };
        assert!(run(&[], 0).is_empty());
        let all = run(&x, 4);
        for image in 0..4 {
            let one = run(&x[image * 36 * channels..(image + 1) * 36 * channels], 1);
            assert_eq!(one, all[image * 36 * outputs..(image + 1) * 36 * outputs]);
        }
    }
}
