//! Resampling of channels-last images.

use rayon::prelude::*;

use super::whole_rows;
use crate::nd::volume;

/// Where an output coordinate falls in the input, per axis: source coordinates as ONNX defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// `(x + 1/2) / scale - 1/2`.
    HalfPixel,
    /// As half pixel, but 0 where the output has a single pixel.
    PytorchHalfPixel,
    /// `x / scale`.
    Asymmetric,
    /// `x * (input - 1) / (output - 1)`.
    AlignCorners,
}

/// How a fractional coordinate picks one pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Halves go down.
    PreferFloor,
    /// Halves go up.
    PreferCeil,
    /// Always down.
    Floor,
    /// Always up.
    Ceil,
}

/// How pixels are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The nearest one.
    Nearest(Rounding),
    /// Linear between the two neighbours along each axis.
    Linear,
}

/// Two source indices and the weight of the second, for every output index of one axis.
pub type AxisTable = Vec<(usize, usize, f32)>;

/// The table of one axis. `scale` is output / input as the model states it.
pub fn axis_table(
    interpolation: Interpolation,
    coordinates: Coordinates,
    input: usize,
    output: usize,
    scale: f32,
) -> AxisTable {
    (0..output)
        .map(|index| {
            let x = index as f32;
            let source = match coordinates {
                Coordinates::PytorchHalfPixel if output <= 1 => 0.0,
                Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
                Coordinates::Asymmetric => x / scale,
                Coordinates::AlignCorners if output <= 1 => 0.0,
                Coordinates::AlignCorners => x * (input - 1) as f32 / (output - 1) as f32,
            };
            let clamp = |x: f32| (x.max(0.0) as usize).min(input - 1);
            match interpolation {
                Interpolation::Nearest(rounding) => {
                    let at = clamp(match rounding {
                        Rounding::PreferFloor => (source - 0.5).ceil(),
                        Rounding::PreferCeil => (source + 0.5).floor(),
                        Rounding::Floor => source.floor(),
                        Rounding::Ceil => source.ceil(),
                    });
                    (at, at, 0.0)
                }
                Interpolation::Linear => {
                    let source = source.clamp(0.0, (input - 1) as f32);
                    let low = source.floor();
                    (clamp(low), clamp(low + 1.0), source - low)
                }
            }
        })
        .collect()
}

/// Resamples `input` `[n, h, w, c]` to the extents of the two tables.
///
/// # Panics
/// If the lengths do not fit or a table reads outside the image.
pub fn resize(
    input: &[f32],
    [height, width]: [usize; 2],
    channels: usize,
    rows: &AxisTable,
    columns: &AxisTable,
    out: &mut [f32],
) {
    check([height, width], channels, [rows, columns], input, out);
    let image = height * width * channels;
    let line = columns.len() * channels;
    out.par_chunks_mut(line).enumerate().for_each(|(index, out)| {
        let input = &input[index / rows.len() * image..][..image];
        let (top, bottom, v) = rows[index % rows.len()];
        for (x, out) in out.chunks_mut(channels).enumerate() {
            let (left, right, u) = columns[x];
            let pixel = |r: usize, q: usize| &input[(r * width + q) * channels..][..channels];
            if u == 0.0 && v == 0.0 {
                out.copy_from_slice(pixel(top, left));
                continue;
            }
            let corners =
                [pixel(top, left), pixel(top, right), pixel(bottom, left), pixel(bottom, right)];
            for (c, y) in out.iter_mut().enumerate() {
                let above = corners[0][c] * (1.0 - u) + corners[1][c] * u;
                let below = corners[2][c] * (1.0 - u) + corners[3][c] * u;
                *y = above * (1.0 - v) + below * v;
            }
        }
    });
}

/// Panics unless `input` `[n, h, w, c]` has what the tables read for `output` `[n, rows, columns, c]`.
fn check(
    extents: [usize; 2],
    channels: usize,
    tables: [&AxisTable; 2],
    input: &[f32],
    output: &[f32],
) {
    let images = whole_rows(input.len(), volume(&[extents[0], extents[1], channels]));
    let resized = volume(&[images, tables[0].len(), tables[1].len(), channels]);
    assert_eq!(output.len(), resized, "output length");
    for (table, extent) in tables.into_iter().zip(extents) {
        assert!(
            table.iter().all(|(low, high, _)| low.max(high) < &extent),
            "table outside the image"
        );
    }
}

/// What reads every source index of one axis: output indices and their weights.
fn readers(table: &AxisTable, input: usize) -> Vec<Vec<(usize, f32)>> {
    let mut readers = vec![Vec::new(); input];
    for (index, &(low, high, weight)) in table.iter().enumerate() {
        for (at, weight) in [(low, 1.0 - weight), (high, weight)] {
            if weight != 0.0 {
                readers[at].push((index, weight));
            }
        }
    }
    readers
}

/// The way back of [`resize`], the transpose of the linear map: `out` `[n, h, w, c]` gets the
/// `gradient`s of the pixels that read it, times its weight in them.
///
/// # Panics
/// If the lengths do not fit or a table reads outside the image.
pub fn resize_backward(
    gradient: &[f32],
    [height, width]: [usize; 2],
    channels: usize,
    rows: &AxisTable,
    columns: &AxisTable,
    out: &mut [f32],
) {
    check([height, width], channels, [rows, columns], out, gradient);
    let (line, image) = (columns.len() * channels, rows.len() * columns.len() * channels);
    let (row_readers, column_readers) = (readers(rows, height), readers(columns, width));
    out.par_chunks_mut(width * channels).enumerate().for_each(|(index, out)| {
        let gradient = &gradient[index / height * image..][..image];
        out.fill(0.0);
        for &(y, v) in &row_readers[index % height] {
            for (out, readers) in out.chunks_mut(channels).zip(&column_readers) {
                for &(x, u) in readers {
                    let dy = &gradient[y * line + x * channels..][..channels];
                    out.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += u * v * dy);
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;

    #[test]
    fn the_way_back_is_the_transpose() {
        let (input, output, channels) = ([5, 3], [4, 7], 2);
        let coordinates = [
            Coordinates::HalfPixel,
            Coordinates::PytorchHalfPixel,
            Coordinates::Asymmetric,
            Coordinates::AlignCorners,
        ];
        let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        for interpolation in [Interpolation::Linear, Interpolation::Nearest(Rounding::PreferFloor)]
        {
            for coordinates in coordinates {
                let table = |k: usize| {
                    let scale = output[k] as f32 / input[k] as f32;
                    axis_table(interpolation, coordinates, input[k], output[k], scale)
                };
                let (rows, columns) = (table(0), table(1));
                let (x, dy) = (noise(2 * 5 * 3 * channels, 1), noise(2 * 4 * 7 * channels, 2));
                let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
                resize(&x, input, channels, &rows, &columns, &mut y);
                resize_backward(&dy, input, channels, &rows, &columns, &mut dx);
                assert!((dot(&y, &dy) - dot(&x, &dx)).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn nearest_doubles() {
        let table =
            axis_table(Interpolation::Nearest(Rounding::Floor), Coordinates::Asymmetric, 2, 4, 2.0);
        assert_eq!(table.iter().map(|t| t.0).collect::<Vec<_>>(), [0, 0, 1, 1]);
    }

    #[test]
    fn linear_half_pixel() {
        let table = axis_table(Interpolation::Linear, Coordinates::HalfPixel, 2, 4, 2.0);
        let mut out = [0.0; 4];
        let rows = vec![(0, 0, 0.0)];
        resize(&[0.0, 4.0], [1, 2], 1, &rows, &table, &mut out);
        assert_eq!(out, [0.0, 1.0, 3.0, 4.0]);
    }
}
