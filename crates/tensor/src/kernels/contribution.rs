//! The arithmetic of contributions: how much each input channel adds to each output of a layer.
//!
//! For a sample b, `s[o, i] = sum over taps k of w[o, k, i] * u[k, i]`, where `u[k, i]` sums the
//! padded input channel i over the output grid at tap k (Model LEGO, section 3.1, in closed form).

use rayon::prelude::*;

use super::depthwise::Extents;
use super::exact::{ExactSums, add_terms};
use super::window::Window;
use crate::simd::{Level, Simd, dispatch};

/// Sums of `input` `[n, h, w, c]` over the output grid at every tap: `[n, taps, c]` into `out`.
///
/// # Panics
/// If the lengths do not fit.
pub fn window_sums(
    window: &Window,
    input: &[f32],
    extents: Extents,
    channels: usize,
    out: &mut [f32],
    level: Level,
) {
    let [height, width] = extents.input;
    let image = height * width * channels;
    let taps = window.kernel[0] * window.kernel[1];
    assert_eq!(input.len(), extents.images * image, "input length");
    assert_eq!(out.len(), extents.images * taps * channels, "output length");
    out.par_chunks_mut(taps * channels).zip(input.par_chunks(image)).for_each(|(out, image)| {
        let job = Sums { window, extents, channels };
        // SAFETY: `sum_image` indexes with bounds checks.
        #[allow(unsafe_code)]
        {
            dispatch!(level, sum_image(
                job: &Sums<'_> = &job,
                image: &[f32] = image,
                out: &mut [f32] = out,
            ));
        }
    });
}

struct Sums<'a> {
    window: &'a Window,
    extents: Extents,
    channels: usize,
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn sum_image<S: Simd>(job: &Sums<'_>, image: &[f32], out: &mut [f32]) {
    let (c, [height, width]) = (job.channels, job.extents.input);
    let [kernel_h, kernel_w] = job.window.kernel;
    let mut columns = vec![0.0f32; kernel_w * c];
    // Which input columns each tap column sees.
    let seen: Vec<Vec<usize>> = (0..kernel_w).map(|kx| pixels(job, 1, kx)).collect();
    let rows: Vec<Vec<usize>> = (0..kernel_h).map(|ky| pixels(job, 0, ky)).collect();
    out.fill(0.0);
    for y in 0..height {
        let takers: Vec<usize> = (0..kernel_h).filter(|&ky| rows[ky].contains(&y)).collect();
        if takers.is_empty() {
            continue;
        }
        let row = &image[y * width * c..(y + 1) * width * c];
        sum_columns(row, &seen, c, &mut columns);
        for ky in takers {
            let to = &mut out[ky * kernel_w * c..(ky + 1) * kernel_w * c];
            to.iter_mut().zip(&columns).for_each(|(y, &x)| *y += x);
        }
    }
}

/// Input pixels along `axis` under tap `tap`, over all outputs.
fn pixels(job: &Sums<'_>, axis: usize, tap: usize) -> Vec<usize> {
    let extent = job.extents.input[axis];
    (0..job.extents.output[axis])
        .filter_map(|output| job.window.pixel(axis, output, tap, extent))
        .collect()
}

/// For every tap column, the sum of the row's pixels it sees. Where it sees nearly all of them,
/// those it misses are taken off the total instead.
#[inline(always)]
fn sum_columns(row: &[f32], seen: &[Vec<usize>], c: usize, out: &mut [f32]) {
    let width = row.len() / c;
    let mut total: Option<Vec<f32>> = None;
    for (seen, out) in seen.iter().zip(out.chunks_mut(c)) {
        let dense = seen.windows(2).all(|pair| pair[1] == pair[0] + 1);
        if dense && seen.len() * 2 > width {
            let total = total.get_or_insert_with(|| {
                let mut sum = vec![0.0; c];
                row.chunks(c).for_each(|pixel| add(&mut sum, pixel, 1.0));
                sum
            });
            out.copy_from_slice(total);
            let (first, last) = (seen[0], seen[seen.len() - 1]);
            (0..first)
                .chain(last + 1..width)
                .for_each(|x| add(out, &row[x * c..(x + 1) * c], -1.0));
        } else {
            out.fill(0.0);
            seen.iter().for_each(|&x| add(out, &row[x * c..(x + 1) * c], 1.0));
        }
    }
}

#[inline(always)]
fn add(sum: &mut [f32], pixel: &[f32], sign: f32) {
    sum.iter_mut().zip(pixel).for_each(|(s, &x)| *s += sign * x);
}

/// Sums of `input` `[n, positions, c]` over the positions: `[n, c]` into `out`.
///
/// # Panics
/// If the lengths do not fit.
pub fn position_sums(input: &[f32], positions: usize, channels: usize, out: &mut [f32]) {
    assert_eq!(input.len(), out.len() * positions, "input length");
    out.par_chunks_mut(channels).zip(input.par_chunks(positions * channels)).for_each(
        |(out, sample)| {
            out.fill(0.0);
            sample.chunks(channels).for_each(|position| add(out, position, 1.0));
        },
    );
}

/// A layer's weights as the contribution wants them.
#[derive(Clone, Debug)]
pub struct TapWeights {
    /// `[outputs, taps, inputs of a group]`.
    pub data: Vec<f32>,
    /// Output channels.
    pub outputs: usize,
    /// Input channels of one group.
    pub inputs: usize,
    /// Kernel positions.
    pub taps: usize,
    /// Independent groups.
    pub groups: usize,
}

/// Adds `max(s[o, i], 0)` of every sample to `totals` `[outputs, slots, inputs of a group]`, in the
/// slot of the sample. `sums` is `[n, taps, channels]`.
///
/// # Panics
/// If the lengths do not fit.
pub fn add_positive(
    weights: &TapWeights,
    sums: &[f32],
    slots: &[usize],
    slot_count: usize,
    totals: &mut ExactSums,
    level: Level,
) {
    let inputs = weights.inputs;
    let per_sample = weights.taps * inputs * weights.groups;
    assert_eq!(sums.len(), slots.len() * per_sample, "sums");
    assert_eq!(totals.len(), weights.outputs * slot_count * inputs, "totals");
    let (high, low) = totals.parts_mut();
    let each = slot_count * inputs;
    high.par_chunks_mut(each).zip(low.par_chunks_mut(each)).enumerate().for_each(
        |(output, (high, low))| {
            let row = &weights.data[output * weights.taps * inputs..][..weights.taps * inputs];
            let group = output / (weights.outputs / weights.groups);
            let mut terms = vec![0.0; inputs];
            for (sample, &slot) in slots.iter().enumerate() {
                let sums = &sums[sample * per_sample + group * inputs..];
                positive(row, sums, inputs * weights.groups, &mut terms, level);
                let at = slot * inputs..(slot + 1) * inputs;
                add_terms(&mut high[at.clone()], &mut low[at], &terms, level);
            }
        },
    );
}

/// `max(sum over taps of row[k, i] * sums[k * stride + i], 0)` for every i.
fn positive(row: &[f32], sums: &[f32], stride: usize, out: &mut [f32], level: Level) {
    // SAFETY: `positive_here` indexes with bounds checks.
    #[allow(unsafe_code)]
    {
        dispatch!(level, positive_here(
            row: &[f32] = row,
            sums: &[f32] = sums,
            stride: usize = stride,
            out: &mut [f32] = out,
        ));
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn positive_here<S: Simd>(row: &[f32], sums: &[f32], stride: usize, out: &mut [f32]) {
    let inputs = out.len();
    out.fill(0.0);
    for (tap, weights) in row.chunks_exact(inputs).enumerate() {
        let sums = &sums[tap * stride..][..inputs];
        for ((y, w), u) in out.iter_mut().zip(weights).zip(sums) {
            *y += w * u;
        }
    }
    out.iter_mut().for_each(|y| *y = if *y > 0.0 { *y } else { 0.0 });
}

/// For layers with one tap: adds the positive and the negative parts of `sums` `[n, channels]` to
/// `totals` `[slots, 2, channels]`, in the slot of the sample. With `w` the contribution total is
/// `w * positive` for positive `w` and `w * negative` otherwise.
///
/// # Panics
/// If the lengths do not fit.
pub fn add_signed(
    sums: &[f32],
    slots: &[usize],
    channels: usize,
    totals: &mut ExactSums,
    level: Level,
) {
    assert_eq!(sums.len(), slots.len() * channels, "sums");
    let (high, low) = totals.parts_mut();
    for (sums, &slot) in sums.chunks(channels).zip(slots) {
        for (part, sign) in [1.0f32, -1.0].into_iter().enumerate() {
            let terms: Vec<f32> =
                sums.iter().map(|&x| if x * sign > 0.0 { x } else { 0.0 }).collect();
            let at = (slot * 2 + part) * channels..(slot * 2 + part + 1) * channels;
            add_terms(&mut high[at.clone()], &mut low[at], &terms, level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|k| ((k * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0).collect()
    }

    /// Contributions by their definition: partial convolutions, summed over the grid.
    fn naive(
        window: &Window,
        w: &[f32],
        x: &[f32],
        e: Extents,
        c: usize,
        outputs: usize,
    ) -> Vec<f64> {
        let taps = window.kernel[0] * window.kernel[1];
        let mut s = vec![0.0f64; outputs * c];
        for o in 0..outputs {
            for i in 0..c {
                for y in 0..e.output[0] {
                    for q in 0..e.output[1] {
                        for tap in 0..taps {
                            let row = window.pixel(0, y, tap / window.kernel[1], e.input[0]);
                            let column = window.pixel(1, q, tap % window.kernel[1], e.input[1]);
                            if let Some((r, p)) = row.zip(column) {
                                let value = x[(r * e.input[1] + p) * c + i];
                                s[o * c + i] +=
                                    f64::from(value) * f64::from(w[(o * c + i) * taps + tap]);
                            }
                        }
                    }
                }
            }
        }
        s
    }

    #[test]
    fn closed_form_equals_partial_convolutions() {
        let (c, outputs) = (5, 4);
        for (kernel, stride, dilation, pad) in [
            ([3, 3], 1, 1, 1),
            ([3, 3], 2, 1, 1),
            ([5, 3], 1, 2, 2),
            ([1, 1], 2, 1, 0),
            ([7, 7], 2, 1, 3),
        ] {
            let window = Window {
                stride: [stride; 2],
                dilation: [dilation; 2],
                before: [pad; 2],
                after: [pad; 2],
                ..Window::plain(kernel)
            };
            let input = [11, 13];
            let output = [0, 1].map(|axis| window.outputs(axis, input[axis], false).unwrap());
            let extents = Extents { images: 2, input, output };
            let taps = kernel[0] * kernel[1];
            let (x, w) = (noise(2 * 11 * 13 * c, 1), noise(outputs * c * taps, 2));
            let by_tap = (0..outputs * taps * c)
                .map(|k| w[(k / (taps * c) * c + k % c) * taps + k / c % taps])
                .collect();
            let weights = TapWeights { data: by_tap, outputs, inputs: c, taps, groups: 1 };
            let mut sums = vec![0.0; 2 * taps * c];
            window_sums(&window, &x, extents, c, &mut sums, Level::best());
            let mut totals = ExactSums::zeros(outputs * c);
            add_positive(&weights, &sums, &[0, 0], 1, &mut totals, Level::best());
            let one = Extents { images: 1, ..extents };
            let samples: Vec<Vec<f64>> = x
                .chunks(11 * 13 * c)
                .map(|image| naive(&window, &w, image, one, c, outputs))
                .collect();
            for (k, total) in totals.values().enumerate() {
                let want: f64 = samples.iter().map(|s| s[k].max(0.0)).sum();
                assert!((total - want).abs() < 1e-3, "{kernel:?}/{stride}: {total} {want}");
            }
        }
    }

    #[test]
    fn groups_read_their_own_channels() {
        let weights = TapWeights {
            data: vec![1.0, 2.0, -1.0, 1.0],
            outputs: 2,
            inputs: 2,
            taps: 1,
            groups: 2,
        };
        let mut totals = ExactSums::zeros(4);
        add_positive(&weights, &[1.0, 2.0, 3.0, 4.0], &[0], 1, &mut totals, Level::best());
        assert_eq!(totals.values().collect::<Vec<_>>(), [1.0, 4.0, 0.0, 4.0]);
    }

    #[test]
    fn signed_parts_go_to_their_slots() {
        let mut totals = ExactSums::zeros(8);
        add_signed(&[1.0, -2.0, 3.0, 4.0, -5.0, 6.0], &[1, 0, 1], 2, &mut totals, Level::best());
        assert_eq!(totals.values().collect::<Vec<_>>(), [3.0, 4.0, 0.0, 0.0, 1.0, 6.0, -5.0, -2.0]);
    }
}
