//! Operations that work row by row: reductions, softmax, normalisations.

use rayon::prelude::*;

use crate::simd::{Level, Simd, dispatch};

/// `clamp(scale[c] * x + shift[c])` in place, for rows of `scale.len()` channels.
///
/// # Panics
/// If `shift` differs in length from `scale`.
pub fn scale_rows(
    values: &mut [f32],
    scale: &[f32],
    shift: &[f32],
    clamp: (f32, f32),
    level: Level,
) {
    assert_eq!(scale.len(), shift.len(), "shift length");
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
    assert_eq!(input.len() * inner, out.len() * middle * inner, "input length");
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
    assert_eq!(input.len() * inner, out.len() * middle * inner, "input length");
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
    assert_eq!(out.len() * inner, gradient.len() * middle * inner, "output length");
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
    assert_eq!(out.len() * inner, gradient.len() * middle * inner, "output length");
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

/// `exp(x) / sum exp(x)` (or its logarithm) within every row of `extent` elements, in place.
pub fn softmax(values: &mut [f32], extent: usize, logarithm: bool) {
    values.par_chunks_mut(extent).for_each(|row| {
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = row.iter().map(|&x| (x - top).exp()).sum();
        if logarithm {
            let shift = top + total.ln();
            row.iter_mut().for_each(|x| *x -= shift);
        } else {
            row.iter_mut().for_each(|x| *x = (*x - top).exp() / total);
        }
    });
}

/// Layer normalisation within every row of `scale.len()` elements:
/// `(x - mean) / sqrt(variance + epsilon) * scale + bias`.
///
/// # Panics
/// If `out` and `input` differ in length or `bias` in length from `scale`.
pub fn layer_norm(
    input: &[f32],
    scale: &[f32],
    bias: Option<&[f32]>,
    epsilon: f32,
    out: &mut [f32],
) {
    assert_eq!(input.len(), out.len(), "output length");
    let extent = scale.len();
    out.par_chunks_mut(extent).zip(input.par_chunks(extent)).for_each(|(out, row)| {
        let mean = sum(row) / extent as f32;
        out.iter_mut().zip(row).for_each(|(y, &x)| *y = (x - mean) * (x - mean));
        let inverse = 1.0 / (sum(out) / extent as f32 + epsilon).sqrt();
        for k in 0..extent {
            out[k] = (row[k] - mean) * inverse * scale[k] + bias.map_or(0.0, |b| b[k]);
        }
    });
}

/// Local response normalisation across the channels of every row of `channels` elements:
/// `x / (bias + alpha / size * sum of x^2 over the size channels around)^beta`.
pub fn local_response(
    input: &[f32],
    channels: usize,
    size: usize,
    [alpha, beta, bias]: [f32; 3],
    out: &mut [f32],
) {
    let (left, right) = ((size - 1) / 2, size / 2);
    out.par_chunks_mut(channels).zip(input.par_chunks(channels)).for_each(|(out, row)| {
        for c in 0..channels {
            let around = &row[c.saturating_sub(left)..(c + right + 1).min(channels)];
            let energy: f32 = around.iter().map(|x| x * x).sum();
            out[c] = row[c] / (bias + alpha / size as f32 * energy).powf(beta);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

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
        softmax(&mut row, 3, false);
        assert_eq!(row, [0.5, 0.5, 0.0]);
        let mut row = [0.0, 0.0];
        softmax(&mut row, 2, true);
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
