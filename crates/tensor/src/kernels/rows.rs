//! Operations that work row by row: reductions, softmax, normalisations.

use rayon::prelude::*;

use super::pointwise::Pointwise;
use super::whole_rows;
use crate::nd::volume;
use crate::simd::{Level, Simd, dispatch};

/// `clamp(scale[c] * x + shift[c])` in place, for rows of `scale.len()` channels.
///
/// # Panics
/// If `shift` differs in length from `scale` or the last row is not whole.
pub fn scale_rows(
    values: &mut [f32],
    scale: &[f32],
    shift: &[f32],
    clamp: (f32, f32),
    level: Level,
) {
    assert_eq!(scale.len(), shift.len(), "shift length");
    whole_rows(values.len(), scale.len());
    let together = (1_usize << 14).div_ceil(scale.len());
    values.par_chunks_mut(together * scale.len()).for_each(|rows| {
        // SAFETY: `scale_here` indexes with bounds checks.
        #[allow(unsafe_code)]
        {
            dispatch!(level, scale_here(
                rows: &mut [f32] = rows,
                scale: &[f32] = scale,
                shift: &[f32] = shift,
                clamp: (f32, f32) = clamp,
            ));
        }
    });
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn scale_here<S: Simd>(
    rows: &mut [f32],
    scale: &[f32],
    shift: &[f32],
    (low, high): (f32, f32),
) {
    let channels = scale.len();
    let shift = &shift[..channels];
    for row in rows.chunks_exact_mut(channels) {
        for c in 0..channels {
            let y = row[c] * scale[c] + shift[c];
            let y = if y < low { low } else { y };
            row[c] = if y > high { high } else { y };
        }
    }
}

/// Means over the middle axis: `input` `[outer, middle, inner]` to `out` `[outer, inner]`.
///
/// # Panics
/// If the lengths do not fit.
pub fn mean_middle(input: &[f32], middle: usize, inner: usize, out: &mut [f32]) {
    check_middle(input, middle, inner, out);
    let scale = 1.0 / middle as f32;
    out.par_chunks_mut(inner).enumerate().for_each(|(outer, out)| {
        let rows = &input[outer * middle * inner..][..middle * inner];
        if inner == 1 {
            out[0] = sum(rows) * scale;
            return;
        }
        out.fill(0.0);
        for row in rows.chunks(inner) {
            out.iter_mut().zip(row).for_each(|(y, &x)| *y += x);
        }
        out.iter_mut().for_each(|y| *y *= scale);
    });
}

/// Largest element over the middle axis, shapes as in [`mean_middle`].
///
/// # Panics
/// If the lengths do not fit.
pub fn max_middle(input: &[f32], middle: usize, inner: usize, out: &mut [f32]) {
    check_middle(input, middle, inner, out);
    out.par_chunks_mut(inner).enumerate().for_each(|(outer, out)| {
        out.fill(f32::NEG_INFINITY);
        for row in input[outer * middle * inner..][..middle * inner].chunks(inner) {
            out.iter_mut().zip(row).for_each(|(y, &x)| *y = if *y > x { *y } else { x });
        }
    });
}

/// The way back of [`mean_middle`]: `gradient` `[outer, inner]` spread evenly over `out`
/// `[outer, middle, inner]`.
///
/// # Panics
/// If the lengths do not fit.
pub fn mean_middle_backward(gradient: &[f32], middle: usize, inner: usize, out: &mut [f32]) {
    check_middle(out, middle, inner, gradient);
    let scale = 1.0 / middle as f32;
    out.par_chunks_mut(middle * inner).zip(gradient.par_chunks(inner)).for_each(|(out, dy)| {
        for row in out.chunks_mut(inner) {
            row.iter_mut().zip(dy).for_each(|(x, dy)| *x = dy * scale);
        }
    });
}

/// The way back of [`max_middle`]: the first of the largest elements of `input` gets the gradient.
///
/// # Panics
/// If the lengths do not fit.
pub fn max_middle_backward(
    gradient: &[f32],
    input: &[f32],
    middle: usize,
    inner: usize,
    out: &mut [f32],
) {
    check_middle(out, middle, inner, gradient);
    assert_eq!(out.len(), input.len(), "input length");
    let outer = out.par_chunks_mut(middle * inner).zip(input.par_chunks(middle * inner));
    outer.zip(gradient.par_chunks(inner)).for_each(|((out, rows), dy)| {
        out.fill(0.0);
        for (k, dy) in dy.iter().enumerate() {
            let larger = |best: usize, m: usize| {
                if rows[m * inner + k] > rows[best * inner + k] { m } else { best }
            };
            out[(1..middle).fold(0, larger) * inner + k] = *dy;
        }
    });
}

/// Panics unless `whole` is `[outer, middle, inner]` and `reduced` `[outer, inner]`.
fn check_middle(whole: &[f32], middle: usize, inner: usize, reduced: &[f32]) {
    let outer = whole_rows(reduced.len(), inner);
    assert_eq!(whole.len(), volume(&[outer, middle, inner]), "length before the reduction");
}

/// A sum in sixteen lanes: quick, and more exact than one running sum.
fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let chunks = values.chunks_exact(16);
    let rest = chunks.remainder();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane += x);
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane += x);
    lanes.iter().sum()
}

/// The largest number, in sixteen lanes.
fn largest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    for chunk in values.chunks(16) {
        lanes
            .iter_mut()
            .zip(chunk)
            .for_each(|(lane, &x)| *lane = if x > *lane { x } else { *lane });
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// `exp(x) / sum exp(x)` (or its logarithm) within every row of `extent` elements, in place.
///
/// # Panics
/// If the last row is not whole.
pub fn softmax(values: &mut [f32], extent: usize, logarithm: bool, level: Level) {
    whole_rows(values.len(), extent);
    values.par_chunks_mut(extent).for_each(|row| {
        let top = largest(row);
        if logarithm {
            let total: f32 = row.iter().map(|&x| (x - top).exp()).sum();
            let shift = top + total.ln();
            row.iter_mut().for_each(|x| *x -= shift);
        } else {
            row.iter_mut().for_each(|x| *x -= top);
            Pointwise::Exp.apply_here(row, level);
            let total = sum(row);
            row.iter_mut().for_each(|x| *x /= total);
        }
    });
}

/// The way back of [`softmax`], in place: `y (dy - sum of dy y)` within every row of `extent`
/// elements, for results `y`; of the logarithm, `dy - exp(y) sum of dy`.
///
/// # Panics
/// If the lengths differ or the last row is not whole.
pub fn softmax_backward(results: &[f32], extent: usize, logarithm: bool, gradient: &mut [f32]) {
    whole_rows(results.len(), extent);
    assert_eq!(gradient.len(), results.len(), "gradient length");
    gradient.par_chunks_mut(extent).zip(results.par_chunks(extent)).for_each(|(dy, y)| {
        if logarithm {
            let total = sum(dy);
            dy.iter_mut().zip(y).for_each(|(dy, y)| *dy -= y.exp() * total);
        } else {
            let total: f32 = dy.iter().zip(y).map(|(dy, y)| dy * y).sum();
            dy.iter_mut().zip(y).for_each(|(dy, y)| *dy = y * (*dy - total));
        }
    });
}

/// Layer normalisation within every row of `scale.len()` elements:
/// `(x - mean) / sqrt(variance + epsilon) * scale + bias`.
///
/// # Panics
/// If `out` and `input` differ in length, `bias` in length from `scale`, or the last row is not
/// whole.
pub fn layer_norm(
    input: &[f32],
    scale: &[f32],
    bias: Option<&[f32]>,
    epsilon: f32,
    out: &mut [f32],
) {
    assert_eq!(input.len(), out.len(), "output length");
    assert!(bias.is_none_or(|bias| bias.len() == scale.len()), "bias length");
    let extent = scale.len();
    whole_rows(input.len(), extent);
    out.par_chunks_mut(extent).zip(input.par_chunks(extent)).for_each(|(out, row)| {
        let (mean, inverse) = row_moments(row, epsilon, out);
        for k in 0..extent {
            out[k] = (row[k] - mean) * inverse * scale[k] + bias.map_or(0.0, |b| b[k]);
        }
    });
}

/// Mean and inverse standard deviation of a row; `room` is as long.
fn row_moments(row: &[f32], epsilon: f32, room: &mut [f32]) -> (f32, f32) {
    let mean = sum(row) / row.len() as f32;
    room.iter_mut().zip(row).for_each(|(y, &x)| *y = (x - mean) * (x - mean));
    (mean, 1.0 / (sum(room) / row.len() as f32 + epsilon).sqrt())
}

/// The gradient of the input of [`layer_norm`]: with `g = dy scale` and `z` the normalised row,
/// `(g - mean of g - z mean of (g z)) / sqrt(variance + epsilon)`.
///
/// # Panics
/// If `out`, `gradient` and `input` differ in length or the last row is not whole.
pub fn layer_norm_backward(
    gradient: &[f32],
    input: &[f32],
    scale: &[f32],
    epsilon: f32,
    out: &mut [f32],
) {
    assert_eq!(input.len(), out.len(), "output length");
    assert_eq!(input.len(), gradient.len(), "gradient length");
    let extent = scale.len();
    whole_rows(input.len(), extent);
    let rows = input.par_chunks(extent).zip(gradient.par_chunks(extent));
    out.par_chunks_mut(extent).zip(rows).for_each(|(out, (row, dy))| {
        let (mean, inverse) = row_moments(row, epsilon, out);
        let (mut level, mut tilt) = (0.0f64, 0.0f64);
        for k in 0..extent {
            out[k] = dy[k] * scale[k];
            level += f64::from(out[k]);
            tilt += f64::from(out[k] * (row[k] - mean) * inverse);
        }
        let [level, tilt] = [level, tilt].map(|x| (x / extent as f64) as f32);
        for k in 0..extent {
            out[k] = (out[k] - level - (row[k] - mean) * inverse * tilt) * inverse;
        }
    });
}

/// What [`layer_norm`]'s scale gets from every element: `dy` times the normalised element.
///
/// # Panics
/// If `out`, `gradient` and `input` differ in length or the last row is not whole.
pub fn layer_norm_scale_gradients(
    gradient: &[f32],
    input: &[f32],
    extent: usize,
    epsilon: f32,
    out: &mut [f32],
) {
    assert_eq!(input.len(), gradient.len(), "gradient length");
    layer_norm(input, &vec![1.0; extent], None, epsilon, out);
    out.par_chunks_mut(extent).zip(gradient.par_chunks(extent)).for_each(|(out, dy)| {
        out.iter_mut().zip(dy).for_each(|(z, dy)| *z *= dy);
    });
}

/// Local response normalisation across the channels of every row of `channels` elements:
/// `x / (bias + alpha / size * sum of x^2 over the size channels around)^beta`.
///
/// # Panics
/// If `out` and `input` differ in length or the last row is not whole.
pub fn local_response(
    input: &[f32],
    channels: usize,
    size: usize,
    [alpha, beta, bias]: [f32; 3],
    out: &mut [f32],
) {
    assert_eq!(input.len(), out.len(), "output length");
    whole_rows(input.len(), channels);
    let (left, right) = ((size - 1) / 2, size / 2);
    out.par_chunks_mut(channels).zip(input.par_chunks(channels)).for_each(|(out, row)| {
        for c in 0..channels {
            let around = &row[c.saturating_sub(left)..(c + right + 1).min(channels)];
            let energy: f32 = around.iter().map(|x| x * x).sum();
            out[c] = row[c] / (bias + alpha / size as f32 * energy).powf(beta);
        }
    });
}

/// The way back of [`local_response`]: with `s[c]` what is raised to the power `beta` and `around`
/// the channels that have `c` among their neighbours,
/// `dy[c] / s[c]^beta - 2 alpha beta / size x[c] sum over around of dy x / s^(beta + 1)`.
///
/// # Panics
/// If `out`, `gradient` and `input` differ in length or the last row is not whole.
pub fn local_response_backward(
    gradient: &[f32],
    input: &[f32],
    channels: usize,
    size: usize,
    [alpha, beta, bias]: [f32; 3],
    out: &mut [f32],
) {
    assert_eq!(input.len(), out.len(), "output length");
    assert_eq!(input.len(), gradient.len(), "gradient length");
    whole_rows(input.len(), channels);
    let (left, right) = ((size - 1) / 2, size / 2);
    let share = alpha / size as f32;
    let rows = input.par_chunks(channels).zip(gradient.par_chunks(channels));
    let room = || vec![0.0; channels];
    out.par_chunks_mut(channels).zip(rows).for_each_init(room, |pulls, (out, (row, dy))| {
        for c in 0..channels {
            let around = &row[c.saturating_sub(left)..(c + right + 1).min(channels)];
            let base = bias + share * around.iter().map(|x| x * x).sum::<f32>();
            out[c] = dy[c] / base.powf(beta);
            pulls[c] = out[c] * row[c] / base;
        }
        for c in 0..channels {
            let around = &pulls[c.saturating_sub(right)..(c + left + 1).min(channels)];
            out[c] -= 2.0 * share * beta * row[c] * around.iter().sum::<f32>();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;

    /// Compares `gradient`, that of the sum of `dy * forward(x)`, with finite differences.
    fn check(x: &[f32], dy: &[f32], gradient: &[f32], forward: impl Fn(&[f32], &mut [f32])) {
        let loss = |k: usize, by: f32| -> f64 {
            let mut moved = x.to_vec();
            moved[k] += by;
            let mut y = vec![0.0; dy.len()];
            forward(&moved, &mut y);
            y.iter().zip(dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum()
        };
        for (k, found) in gradient.iter().enumerate() {
            let slope = (loss(k, 5e-3) - loss(k, -5e-3)) / 1e-2;
            assert!((f64::from(*found) - slope).abs() < 2e-3, "{k}: {found}, expected {slope}");
        }
    }

    #[test]
    fn softmax_passes_gradients_back() {
        let (x, dy) = (noise(12, 1), noise(12, 2));
        for logarithm in [false, true] {
            let forward = |x: &[f32], y: &mut [f32]| {
                y.copy_from_slice(x);
                softmax(y, 4, logarithm, Level::best());
            };
            let (mut y, mut gradient) = (vec![0.0; 12], dy.clone());
            forward(&x, &mut y);
            softmax_backward(&y, 4, logarithm, &mut gradient);
            check(&x, &dy, &gradient, forward);
        }
    }

    #[test]
    fn layer_norm_passes_gradients_back() {
        let (x, dy, scale) = (noise(15, 1), noise(15, 2), noise(5, 3));
        let mut gradient = vec![0.0; 15];
        layer_norm_backward(&dy, &x, &scale, 1e-3, &mut gradient);
        check(&x, &dy, &gradient, |x, y| layer_norm(x, &scale, None, 1e-3, y));
        layer_norm_scale_gradients(&dy, &x, 5, 1e-3, &mut gradient);
        let sums: Vec<f32> = (0..5).map(|c| gradient.iter().skip(c).step_by(5).sum()).collect();
        check(&scale, &dy, &sums, |scale, y| layer_norm(&x, scale, None, 1e-3, y));
    }

    #[test]
    fn local_response_passes_gradients_back() {
        let (x, dy) = (noise(14, 1), noise(14, 2));
        // An even size looks further to the right.
        for size in [1, 3, 4] {
            let factors = [2.0, 0.75, 1.5];
            let mut gradient = vec![0.0; 14];
            local_response_backward(&dy, &x, 7, size, factors, &mut gradient);
            check(&x, &dy, &gradient, |x, y| local_response(x, 7, size, factors, y));
        }
    }

    #[test]
    fn reductions() {
        let input = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0];
        let mut out = [0.0; 2];
        mean_middle(&input, 3, 2, &mut out);
        assert_eq!(out, [3.0, 5.0]);
        max_middle(&input, 3, 1, &mut out);
        assert_eq!(out, [3.0, 9.0]);
        mean_middle(&input, 3, 1, &mut out);
        assert_eq!(out, [2.0, 6.0]);
    }

    #[test]
    fn softmax_survives_large_scores() {
        let mut row = [1000.0, 1000.0, -1000.0];
        softmax(&mut row, 3, false, Level::best());
        assert_eq!(row, [0.5, 0.5, 0.0]);
        let mut row = [0.0, 0.0];
        softmax(&mut row, 2, true, Level::best());
        assert!((row[0] + 2f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn layer_norm_centres_and_scales() {
        let mut out = [0.0; 4];
        layer_norm(&[1.0, 3.0, 5.0, 7.0], &[1.0, 2.0], Some(&[0.0, 1.0]), 0.0, &mut out);
        assert_eq!(out, [-1.0, 3.0, -1.0, 3.0]);
    }

    #[test]
    fn local_response_sees_its_neighbours_only() {
        let mut out = [0.0; 3];
        local_response(&[1.0, 2.0, 3.0], 3, 3, [3.0, 1.0, 1.0], &mut out);
        assert_eq!(out, [1.0 / 6.0, 2.0 / 15.0, 3.0 / 14.0]);
    }
}
