//! Batch normalisation in training (Ioffe and Szegedy 2015, algorithm 1), over rows of channels.
//!
//! Sums are taken over chunks of rows whose length depends on the channels alone, and put together
//! in order in `f64`: the result does not depend on the number of threads.
#![allow(unsafe_code)]

use rayon::prelude::*;

use super::whole_rows;
use crate::simd::{Level, Simd, dispatch};

/// Elements of a chunk.
const CHUNK: usize = 1 << 14;

/// Mean and (biased) variance of every channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `[channels]`.
    pub mean: Vec<f32>,
    /// `[channels]`.
    pub variance: Vec<f32>,
}

fn chunk_len(channels: usize) -> usize {
    (CHUNK / channels).max(1) * channels
}

/// Moments of `values` `[rows, channels]`, chunk by chunk and joined by Chan's formula.
///
/// # Panics
/// If there are no rows or the last is not whole.
pub fn moments(values: &[f32], channels: usize, level: Level) -> Moments {
    assert!(whole_rows(values.len(), channels) > 0, "no rows");
    let chunks: Vec<(Vec<f32>, Vec<f32>)> = values
        .par_chunks(chunk_len(channels))
        .map(|chunk| {
            let (mut mean, mut spread) = (vec![0.0; channels], vec![0.0; channels]);
            // SAFETY: `chunk_moments` indexes with bounds checks.
            dispatch!(level, chunk_moments(
                chunk: &[f32] = chunk,
                mean: &mut [f32] = &mut mean,
                spread: &mut [f32] = &mut spread,
            ));
            (mean, spread)
        })
        .collect();
    let (mut mean, mut spread) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    let (mut rows, whole) = (0.0, chunk_len(channels) / channels);
    for (k, (means, spreads)) in chunks.iter().enumerate() {
        let count = whole.min(values.len() / channels - k * whole) as f64;
        let total = rows + count;
        for c in 0..channels {
            let apart = f64::from(means[c]) - mean[c];
            mean[c] += apart * count / total;
            spread[c] += f64::from(spreads[c]) + apart * apart * rows * count / total;
        }
        rows = total;
    }
    Moments {
        mean: mean.iter().map(|&x| x as f32).collect(),
        variance: spread.iter().map(|&x| (x / rows) as f32).collect(),
    }
}

/// Mean and sum of squared distances from it.
#[inline(always)]
unsafe fn chunk_moments<S: Simd>(chunk: &[f32], mean: &mut [f32], spread: &mut [f32]) {
    let channels = mean.len();
    let spread = &mut spread[..channels];
    let rows = (chunk.len() / channels) as f32;
    for row in chunk.chunks_exact(channels) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x);
    }
    mean.iter_mut().for_each(|m| *m /= rows);
    // What rounding left of the sum of distances corrects both.
    let mut rest = vec![0.0; channels];
    for row in chunk.chunks_exact(channels) {
        for c in 0..channels {
            let apart = row[c] - mean[c];
            spread[c] += apart * apart;
            rest[c] += apart;
        }
    }
    for c in 0..channels {
        mean[c] += rest[c] / rows;
        spread[c] -= rest[c] * rest[c] / rows;
    }
}

/// What the backward pass finds out about a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// Of the scale: sum over rows of `dy * (x - mean) * inverse`, `[channels]`.
    pub scale: Vec<f32>,
    /// Of the shift: sum over rows of `dy`, `[channels]`.
    pub shift: Vec<f32>,
}

/// Gradients of scale and shift, from `gradient` and `values` `[rows, channels]`, the batch's mean
/// and the inverse of its standard deviation.
///
/// # Panics
/// If the lengths do not fit.
pub fn parameter_gradients(
    gradient: &[f32],
    values: &[f32],
    mean: &[f32],
    inverse: &[f32],
    level: Level,
) -> Gradients {
    let channels = mean.len();
    whole_rows(values.len(), channels);
    assert_eq!(gradient.len(), values.len(), "gradient length");
    assert_eq!(inverse.len(), channels, "inverse length");
    let len = chunk_len(channels);
    let chunks: Vec<(Vec<f32>, Vec<f32>)> = gradient
        .par_chunks(len)
        .zip(values.par_chunks(len))
        .map(|(dy, x)| {
            let (mut plain, mut weighted) = (vec![0.0; channels], vec![0.0; channels]);
            // SAFETY: `chunk_sums` indexes with bounds checks.
            dispatch!(level, chunk_sums(
                dy: &[f32] = dy,
                x: &[f32] = x,
                mean: &[f32] = mean,
                plain: &mut [f32] = &mut plain,
                weighted: &mut [f32] = &mut weighted,
            ));
            (plain, weighted)
        })
        .collect();
    let (mut shift, mut scale) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    for (plain, weighted) in &chunks {
        shift.iter_mut().zip(plain).for_each(|(sum, x)| *sum += f64::from(*x));
        scale.iter_mut().zip(weighted).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    Gradients {
        scale: scale.iter().zip(inverse).map(|(s, i)| (s * f64::from(*i)) as f32).collect(),
        shift: shift.iter().map(|&s| s as f32).collect(),
    }
}

#[inline(always)]
unsafe fn chunk_sums<S: Simd>(
    dy: &[f32],
    x: &[f32],
    mean: &[f32],
    plain: &mut [f32],
    weighted: &mut [f32],
) {
    let channels = mean.len();
    let (plain, weighted) = (&mut plain[..channels], &mut weighted[..channels]);
    for (dy, x) in dy.chunks_exact(channels).zip(x.chunks_exact(channels)) {
        for c in 0..channels {
            plain[c] += dy[c];
            weighted[c] += dy[c] * (x[c] - mean[c]);
        }
    }
}

/// Turns the gradient of the output into that of the input, in place:
/// `scale * inverse * (dy - shift' / n - (x - mean) * inverse * scale' / n)` with `scale'` and
/// `shift'` the parameters' gradients and `n` the number of rows.
///
/// # Panics
/// If the lengths do not fit.
pub fn input_gradient(
    gradient: &mut [f32],
    values: &[f32],
    [scale, mean, inverse]: [&[f32]; 3],
    sums: &Gradients,
    level: Level,
) {
    let channels = scale.len();
    assert_eq!(gradient.len(), values.len(), "gradient length");
    let lists = [mean, inverse, &sums.scale, &sums.shift];
    assert!(lists.iter().all(|list| list.len() == channels), "channels");
    let rows = whole_rows(values.len(), channels) as f32;
    let slope: Vec<f32> = (0..channels).map(|c| scale[c] * inverse[c]).collect();
    let tilt: Vec<f32> =
        (0..channels).map(|c| -slope[c] * inverse[c] * sums.scale[c] / rows).collect();
    let shift: Vec<f32> =
        (0..channels).map(|c| -slope[c] * sums.shift[c] / rows - tilt[c] * mean[c]).collect();
    let len = chunk_len(channels);
    gradient.par_chunks_mut(len).zip(values.par_chunks(len)).for_each(|(dy, x)| {
        // SAFETY: `chunk_gradient` indexes with bounds checks.
        dispatch!(level, chunk_gradient(
            dy: &mut [f32] = dy,
            x: &[f32] = x,
            by: [&[f32]; 3] = [&slope, &tilt, &shift],
        ));
    });
}

#[inline(always)]
unsafe fn chunk_gradient<S: Simd>(dy: &mut [f32], x: &[f32], [slope, tilt, shift]: [&[f32]; 3]) {
    let channels = slope.len();
    let (tilt, shift) = (&tilt[..channels], &shift[..channels]);
    for (dy, x) in dy.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
        for c in 0..channels {
            dy[c] = slope[c] * dy[c] + tilt[c] * x[c] + shift[c];
        }
    }
}

/// Sums over the rows of `values` `[rows, channels]`.
///
/// # Panics
/// If the last row is not whole.
pub fn column_sums(values: &[f32], channels: usize) -> Vec<f32> {
    whole_rows(values.len(), channels);
    let sums: Vec<Vec<f32>> = values
        .par_chunks(chunk_len(channels))
        .map(|chunk| {
            let mut sums = vec![0.0; channels];
            for row in chunk.chunks_exact(channels) {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            sums
        })
        .collect();
    let total = |c: usize| sums.iter().map(|chunk| f64::from(chunk[c])).sum::<f64>() as f32;
    (0..channels).map(total).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;

    #[test]
    fn moments_survive_a_large_mean() {
        let (rows, channels) = (3001, 7);
        let values: Vec<f32> = noise(rows * channels, 1).iter().map(|x| 500.0 + 0.25 * x).collect();
        for level in Level::available() {
            let found = moments(&values, channels, level);
            for c in 0..channels {
                let column: Vec<f64> =
                    values.iter().skip(c).step_by(channels).map(|&x| f64::from(x)).collect();
                let mean = column.iter().sum::<f64>() / rows as f64;
                let variance =
                    column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / rows as f64;
                assert!((f64::from(found.mean[c]) - mean).abs() < 1e-4);
                assert!((f64::from(found.variance[c]) / variance - 1.0).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let (rows, channels, epsilon) = (11, 3, 1e-3f64);
        let (x, dy) = (noise(rows * channels, 1), noise(rows * channels, 2));
        let scale = [0.5, -1.5, 2.0];
        // The sum of dy * normalise(x), in f64.
        let loss = |x: &[f64]| -> f64 {
            (0..channels)
                .map(|c| {
                    let column: Vec<f64> = x.iter().skip(c).step_by(channels).copied().collect();
                    let mean = column.iter().sum::<f64>() / rows as f64;
                    let variance =
                        column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / rows as f64;
                    let y = |k: usize| {
                        f64::from(scale[c]) * (column[k] - mean) / (variance + 1e-5).sqrt()
                    };
                    (0..rows).map(|k| f64::from(dy[k * channels + c]) * y(k)).sum::<f64>()
                })
                .sum()
        };
        for level in Level::available() {
            let found = moments(&x, channels, level);
            let inverse: Vec<f32> =
                found.variance.iter().map(|v| 1.0 / (v + 1e-5).sqrt()).collect();
            let sums = parameter_gradients(&dy, &x, &found.mean, &inverse, level);
            let mut dx = dy.clone();
            input_gradient(&mut dx, &x, [&scale, &found.mean, &inverse], &sums, level);
            for k in 0..x.len() {
                let mut moved: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
                moved[k] += epsilon;
                let above = loss(&moved);
                moved[k] -= 2.0 * epsilon;
                let slope = (above - loss(&moved)) / (2.0 * epsilon);
                assert!((f64::from(dx[k]) - slope).abs() < 1e-3, "{k}: {} {slope}", dx[k]);
            }
            assert_eq!(sums.shift, column_sums(&dy, channels));
        }
    }
}
