//! The arithmetic of contributions: how much each input channel adds to each output of a layer.
//!
//! For a sample b, `s[o, i] = sum over taps k of w[o, k, i] * u[k, i]`, where `u[k, i]` sums the
//! padded input channel i over the output grid at tap k (Model LEGO, section 3.1, in closed form).

// Register arrays are walked by index: iterator adapters keep them out of registers.
#![allow(clippy::needless_range_loop)]

use rayon::prelude::*;

use super::depthwise::Extents;
use super::exact::{ExactSums, HIGH, LOW, add_terms};
use super::whole_rows;
use super::window::Window;
use crate::nd::volume;
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
    let image = volume(&[height, width, channels]);
    let taps = volume(&window.kernel);
    assert_eq!(input.len(), volume(&[extents.images, image]), "input length");
    assert_eq!(out.len(), volume(&[extents.images, taps, channels]), "output length");
    window.check(extents.output);
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
    let samples = whole_rows(out.len(), channels);
    assert_eq!(input.len(), volume(&[samples, positions, channels]), "input length");
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

/// Adds `max(s[o, i], 0)` of every sample to `totals` `[outputs, inputs of a group]`. `sums` is
/// `[n, taps, channels]`.
///
/// # Panics
/// If the lengths do not fit.
pub fn add_positive(weights: &TapWeights, sums: &[f32], totals: &mut ExactSums, level: Level) {
    let TapWeights { inputs, taps, groups, outputs, .. } = *weights;
    let samples = whole_rows(sums.len(), volume(&[taps, inputs, groups]));
    assert_eq!(totals.len(), volume(&[outputs, inputs]), "totals");
    assert_eq!(weights.data.len(), volume(&[outputs, taps, inputs]), "weights");
    assert_eq!(outputs % groups, 0, "outputs of a group");
    let (high, low) = totals.parts_mut();
    let each = OUTPUTS_AT_A_TIME * inputs;
    high.par_chunks_mut(each).zip(low.par_chunks_mut(each)).enumerate().for_each(
        |(block, (high, low))| {
            let job = Positive { weights, sums, samples, first: block * OUTPUTS_AT_A_TIME };
            // SAFETY: lengths were checked above.
            #[allow(unsafe_code)]
            {
                dispatch!(level, add_positive_rows(
                    job: &Positive<'_> = &job,
                    high: &mut [f64] = high,
                    low: &mut [f64] = low,
                ));
            }
        },
    );
}

/// Outputs of a task: they share what they read of the samples while it is in cache.
const OUTPUTS_AT_A_TIME: usize = 16;

struct Positive<'a> {
    weights: &'a TapWeights,
    sums: &'a [f32],
    samples: usize,
    /// First output of the task.
    first: usize,
}

/// Relies on what [`add_positive`] checked: `sums` `[samples, taps, channels]`, weights `[outputs, taps,
/// inputs]`, as many outputs in every group; `high` and `low` hold whole rows of `inputs`, from output `job.first` on.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add_positive_rows<S: Simd>(job: &Positive<'_>, high: &mut [f64], low: &mut [f64]) {
    let TapWeights { inputs, outputs, groups, .. } = *job.weights;
    let (rows, each) = (high.len() / inputs, outputs / groups);
    for channel in (0..inputs).step_by(S::LANES) {
        let count = S::LANES.min(inputs - channel);
        let mut row = 0;
        while row < rows {
            let output = job.first + row;
            let place = Place { output, channel, read: output / each * inputs + channel, count };
            let at = row * inputs + channel;
            let pair = row + 1 < rows && (output + 1) / each == output / each;
            // SAFETY: the rows `row` and, of a pair, `row + 1` are there; `count` channels are left in each.
            unsafe {
                if pair {
                    add_positive_here::<S, 2>(job, &place, &mut high[at..], &mut low[at..]);
                } else {
                    add_positive_here::<S, 1>(job, &place, &mut high[at..], &mut low[at..]);
                }
            }
            row += 1 + usize::from(pair);
        }
    }
}

/// A vector of the weights of some neighbouring outputs.
struct Place {
    output: usize,
    channel: usize,
    /// The first channel it multiplies.
    read: usize,
    count: usize,
}

/// As [`add_terms`](super::exact::add_terms), for one vector of `O` outputs and all samples, in
/// registers.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add_positive_here<S: Simd, const O: usize>(
    job: &Positive<'_>,
    place: &Place,
    high: &mut [f64],
    low: &mut [f64],
) {
    let inputs = job.weights.inputs;
    // SAFETY: `O` rows and the samples counted up to are there, as `add_positive_rows` says; the
    // totals are sliced with bounds checks.
    unsafe {
        let mut totals = [[S::splat_wide(0.0); 2]; O];
        for o in 0..O {
            let at = o * inputs..o * inputs + place.count;
            totals[o] = [load_wide::<S>(&high[at.clone()]), load_wide::<S>(&low[at])];
        }
        let mut sample = 0;
        while sample + 4 <= job.samples {
            let terms = contributions::<S, O, 4>(job, place, sample);
            for o in 0..O {
                for k in 0..4 {
                    totals[o] = add_term::<S>(totals[o], terms[o][k]);
                }
            }
            sample += 4;
        }
        for sample in sample..job.samples {
            let terms = contributions::<S, O, 1>(job, place, sample);
            for o in 0..O {
                totals[o] = add_term::<S>(totals[o], terms[o][0]);
            }
        }
        for o in 0..O {
            let at = o * inputs..o * inputs + place.count;
            store_wide::<S>(&mut high[at.clone()], totals[o][0]);
            store_wide::<S>(&mut low[at], totals[o][1]);
        }
    }
}

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn load_wide<S: Simd>(from: &[f64]) -> S::Wide {
    let mut some = [0.0; MOST_LANES];
    // SAFETY: a vector is read from `LANES` elements of the slice, or from the array, which is wider.
    unsafe {
        if from.len() == S::LANES {
            return S::load_wide(from.as_ptr());
        }
        some[..from.len()].copy_from_slice(from);
        S::load_wide(some.as_ptr())
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn store_wide<S: Simd>(to: &mut [f64], v: S::Wide) {
    let mut some = [0.0; MOST_LANES];
    // SAFETY: a vector is written to `LANES` elements of the slice, or to the array, which is wider.
    unsafe {
        if to.len() == S::LANES {
            return S::store_wide(to.as_mut_ptr(), v);
        }
        S::store_wide(some.as_mut_ptr(), v);
        to.copy_from_slice(&some[..to.len()]);
    }
}

/// Adds `max(term, 0)` to the multiples of the coarse and of the fine grid.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add_term<S: Simd>([coarse_sum, fine_sum]: [S::Wide; 2], term: S::V) -> [S::Wide; 2] {
    // SAFETY: registers alone; the caller runs on a processor that has `S`.
    unsafe {
        let (coarse_grid, fine_grid) = (S::splat_wide(HIGH), S::splat_wide(LOW));
        let term = S::widen(S::max(term, S::splat(0.0)));
        let coarse = S::sub_wide(S::add_wide(term, coarse_grid), coarse_grid);
        let rest = S::sub_wide(term, coarse);
        let fine = S::sub_wide(S::add_wide(rest, fine_grid), fine_grid);
        [S::add_wide(coarse_sum, coarse), S::add_wide(fine_sum, fine)]
    }
}

/// `s` of `O` outputs and `N` samples, which share what is read.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn contributions<S: Simd, const O: usize, const N: usize>(
    job: &Positive<'_>,
    place: &Place,
    sample: usize,
) -> [[S::V; N]; O] {
    let TapWeights { inputs, taps, groups, .. } = *job.weights;
    let channels = inputs * groups;
    // SAFETY: `w` walks the taps of outputs `output..output + O`, `u` those of samples `sample..sample + N`, all
    // of which the caller says are there; `count` elements from `channel` and `read` on are in a row.
    unsafe {
        let mut w = job.weights.data.as_ptr().add(place.output * taps * inputs + place.channel);
        let mut u = job.sums.as_ptr().add(sample * taps * channels + place.read);
        let mut sums = [[S::splat(0.0); N]; O];
        for _ in 0..taps {
            let mut weights = [S::splat(0.0); O];
            for o in 0..O {
                weights[o] = S::load_up_to(w.add(o * taps * inputs), place.count);
            }
            for k in 0..N {
                let read = S::load_up_to(u.add(k * taps * channels), place.count);
                for o in 0..O {
                    sums[o][k] = S::fma(weights[o], read, sums[o][k]);
                }
            }
            // Behind the last tap these may point beyond the arrays, and are not read.
            w = w.wrapping_add(inputs);
            u = u.wrapping_add(channels);
        }
        sums
    }
}

/// For layers with one tap: adds the positive and the negative parts of `sums` `[n, channels]` to
/// `totals` `[slots, 2, channels]`, in the slot of the sample. With `w` the contribution total is
/// `w * positive` for positive `w` and `w * negative` otherwise.
///
/// # Panics
/// If the lengths do not fit or there is no such slot.
pub fn add_signed(
    sums: &[f32],
    slots: &[usize],
    channels: usize,
    totals: &mut ExactSums,
    level: Level,
) {
    assert_eq!(sums.len(), volume(&[slots.len(), channels]), "sums");
    let most = whole_rows(totals.len(), volume(&[2, channels]));
    assert!(slots.iter().all(|&slot| slot < most), "totals have {most} slots");
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
    use super::super::testing::noise;
    use super::*;

    #[test]
    #[should_panic(expected = "outputs of a group")]
    fn groups_of_unequal_size_are_refused() {
        let weights = TapWeights { data: vec![1.0; 5], outputs: 5, inputs: 1, taps: 1, groups: 2 };
        add_positive(&weights, &[1.0; 2], &mut ExactSums::zeros(5), Level::best());
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
        let (c, outputs) = (21, 18);
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
            let extents = Extents { images: 6, input, output };
            let taps = kernel[0] * kernel[1];
            let (x, w) = (noise(6 * 11 * 13 * c, 1), noise(outputs * c * taps, 2));
            let by_tap = (0..outputs * taps * c)
                .map(|k| w[(k / (taps * c) * c + k % c) * taps + k / c % taps])
                .collect();
            let weights = TapWeights { data: by_tap, outputs, inputs: c, taps, groups: 1 };
            let one = Extents { images: 1, ..extents };
            let samples: Vec<Vec<f64>> = x
                .chunks(11 * 13 * c)
                .map(|image| naive(&window, &w, image, one, c, outputs))
                .collect();
            for level in Level::available() {
                let mut sums = vec![0.0; 6 * taps * c];
                window_sums(&window, &x, extents, c, &mut sums, level);
                let mut totals = ExactSums::zeros(outputs * c);
                add_positive(&weights, &sums, &mut totals, level);
                for (k, total) in totals.values().enumerate() {
                    let want: f64 = samples.iter().map(|s| s[k].max(0.0)).sum();
                    assert!((total - want).abs() < 1e-3, "{kernel:?}/{stride}: {total} {want}");
                }
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
        add_positive(&weights, &[1.0, 2.0, 3.0, 4.0], &mut totals, Level::best());
        assert_eq!(totals.values().collect::<Vec<_>>(), [1.0, 4.0, 0.0, 4.0]);
    }

    #[test]
    fn signed_parts_go_to_their_slots() {
        let mut totals = ExactSums::zeros(8);
        add_signed(&[1.0, -2.0, 3.0, 4.0, -5.0, 6.0], &[1, 0, 1], 2, &mut totals, Level::best());
        assert_eq!(totals.values().collect::<Vec<_>>(), [3.0, 4.0, 0.0, 0.0, 1.0, 6.0, -5.0, -2.0]);
    }
}
