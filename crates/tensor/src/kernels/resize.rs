//! Resampling of channels-last images.

use rayon::prelude::*;

use super::whole_rows;
use crate::nd::volume;

/// Where an output coordinate falls in the input, per axis: source coordinates as ONNX defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// `(x + 1/2) / scale - 1/2`.
    HalfPixel,
    /// As half pixel, around the middle of the input where `scale * input` is no whole number.
    HalfPixelSymmetric,
    /// As half pixel, but 0 where the output has a single pixel.
    PytorchHalfPixel,
    /// `x / scale`.
    Asymmetric,
    /// `x * (input - 1) / (output - 1)`.
    AlignCorners,
}

impl Coordinates {
    /// The source coordinate of output index `index`.
    fn source(self, axis: Axis, index: usize) -> f32 {
        let Axis { input, output, scale } = axis;
        let x = index as f32;
        match self {
            Self::PytorchHalfPixel | Self::AlignCorners if output <= 1 => 0.0,
            Self::HalfPixel | Self::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
            Self::HalfPixelSymmetric => {
                let middle = input as f32 / 2.0;
                let adjustment = output as f32 / (scale * input as f32);
                middle * (1.0 - adjustment) + (x + 0.5) / scale - 0.5
            }
            Self::Asymmetric => x / scale,
            Self::AlignCorners => x * (input - 1) as f32 / (output - 1) as f32,
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interpolation {
    /// The nearest one.
    Nearest(Rounding),
    /// Linear between the two neighbours along each axis.
    Linear,
    /// By the cubic convolution of Keys (1981), eq. 4, over the four neighbours along each axis.
    Cubic {
        /// The free coefficient, usually -0.5 or -0.75.
        coefficient: f32,
    },
}

impl Interpolation {
    /// The weight of a pixel at `distance`.
    fn filter(self, distance: f32) -> f32 {
        let x = distance.abs();
        match self {
            Self::Cubic { coefficient: a } if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            Self::Cubic { coefficient: a } if x < 2.0 => ((x - 5.0) * x + 8.0) * x * a - 4.0 * a,
            Self::Cubic { .. } => 0.0,
            Self::Linear | Self::Nearest(_) => (1.0 - x).max(0.0),
        }
    }

    /// Pixels farther away count nothing.
    fn radius(self) -> f32 {
        if matches!(self, Self::Cubic { .. }) { 2.0 } else { 1.0 }
    }
}

/// How an axis is resampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// How pixels are combined.
    pub interpolation: Interpolation,
    /// Where an output falls in the input.
    pub coordinates: Coordinates,
    /// Whether the weights of an image that gets smaller spread over all pixels that fall together.
    pub antialias: bool,
    /// Whether pixels beyond the edge count nothing; otherwise they are those at the edge.
    pub exclude_outside: bool,
}

/// Extents of an axis before and after, and output / input as the model states it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// Pixels of the input.
    pub input: usize,
    /// Pixels of the output.
    pub output: usize,
    /// Output over input.
    pub scale: f32,
}

/// For every output index of one axis, source indices and their weights.
pub type AxisTable = Vec<Vec<(usize, f32)>>;

impl Resampling {
    /// The table of one axis.
    pub fn table(&self, axis: Axis) -> AxisTable {
        (0..axis.output)
            .map(|index| self.taps(axis, self.coordinates.source(axis, index)))
            .collect()
    }

    fn taps(&self, axis: Axis, source: f32) -> Vec<(usize, f32)> {
        let edge = |x: f32| (x.max(0.0) as usize).min(axis.input - 1);
        if let Interpolation::Nearest(rounding) = self.interpolation {
            let rounded = match rounding {
                Rounding::PreferFloor => (source - 0.5).ceil(),
                Rounding::PreferCeil => (source + 0.5).floor(),
                Rounding::Floor => source.floor(),
                Rounding::Ceil => source.ceil(),
            };
            return vec![(edge(rounded), 1.0)];
        }
        let narrow = if self.antialias { axis.scale.min(1.0) } else { 1.0 };
        let reach = self.interpolation.radius() / narrow;
        let (first, last) = ((source - reach).ceil() as i64, (source + reach).floor() as i64);
        let mut taps: Vec<(usize, f32)> = Vec::new();
        for at in (first..=last).map(|at| at as f32) {
            let weight = self.interpolation.filter((at - source) * narrow);
            let outside = at < 0.0 || at > (axis.input - 1) as f32;
            match taps.last_mut() {
                _ if weight == 0.0 || outside && self.exclude_outside => {}
                Some((last, sum)) if *last == edge(at) => *sum += weight,
                _ => taps.push((edge(at), weight)),
            }
        }
        if self.antialias || self.exclude_outside {
            let sum: f32 = taps.iter().map(|(_, weight)| weight).sum();
            taps.iter_mut().for_each(|(_, weight)| *weight /= sum);
        }
        taps
    }
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
        let row = &rows[index % rows.len()];
        for (out, column) in out.chunks_mut(channels).zip(columns) {
            let pixel = |r: usize, q: usize| &input[(r * width + q) * channels..][..channels];
            if let ([(r, 1.0)], [(q, 1.0)]) = (&row[..], &column[..]) {
                out.copy_from_slice(pixel(*r, *q));
                continue;
            }
            out.fill(0.0);
            for &(r, v) in row {
                for &(q, u) in column {
                    let weight = u * v;
                    out.iter_mut().zip(pixel(r, q)).for_each(|(sum, x)| *sum += weight * x);
                }
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
        assert!(table.iter().flatten().all(|(at, _)| *at < extent), "table outside the image");
    }
}

/// What reads every source index of one axis: output indices and their weights.
fn readers(table: &AxisTable, input: usize) -> Vec<Vec<(usize, f32)>> {
    let mut readers = vec![Vec::new(); input];
    for (index, taps) in table.iter().enumerate() {
        taps.iter().for_each(|&(at, weight)| readers[at].push((index, weight)));
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

    fn plain(interpolation: Interpolation, coordinates: Coordinates) -> Resampling {
        Resampling { interpolation, coordinates, antialias: false, exclude_outside: false }
    }

    const KEYS: Interpolation = Interpolation::Cubic { coefficient: -0.75 };

    #[test]
    fn the_way_back_is_the_transpose() {
        let (input, output, channels) = ([5, 3], [4, 7], 2);
        let coordinates = [
            Coordinates::HalfPixel,
            Coordinates::HalfPixelSymmetric,
            Coordinates::PytorchHalfPixel,
            Coordinates::Asymmetric,
            Coordinates::AlignCorners,
        ];
        let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let nearest = Interpolation::Nearest(Rounding::PreferFloor);
        for interpolation in [Interpolation::Linear, nearest, KEYS] {
            for coordinates in coordinates {
                let table = |k: usize| {
                    let scale = output[k] as f32 / input[k] as f32;
                    let axis = Axis { input: input[k], output: output[k], scale };
                    plain(interpolation, coordinates).table(axis)
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
        let nearest = plain(Interpolation::Nearest(Rounding::Floor), Coordinates::Asymmetric);
        let table = nearest.table(Axis { input: 2, output: 4, scale: 2.0 });
        assert_eq!(table, [[(0, 1.0)], [(0, 1.0)], [(1, 1.0)], [(1, 1.0)]]);
    }

    #[test]
    fn linear_half_pixel() {
        let linear = plain(Interpolation::Linear, Coordinates::HalfPixel);
        let table = linear.table(Axis { input: 2, output: 4, scale: 2.0 });
        let mut out = [0.0; 4];
        let rows = vec![vec![(0, 1.0)]];
        resize(&[0.0, 4.0], [1, 2], 1, &rows, &table, &mut out);
        assert_eq!(out, [0.0, 1.0, 3.0, 4.0]);
    }

    /// Weights of the four neighbours at a quarter of a pixel, as in the ONNX specification.
    #[test]
    fn cubic_weights_are_those_of_the_specification() {
        let table =
            plain(KEYS, Coordinates::HalfPixel).table(Axis { input: 8, output: 16, scale: 2.0 });
        let expected = [-0.035_156_25, 0.261_718_75, 0.878_906_25, -0.105_468_75];
        let found: Vec<f32> = table[6].iter().map(|(_, weight)| *weight).collect();
        assert_eq!(found, expected);
        assert_eq!(table[6][0].0, 1);
    }

    /// Halved with antialiasing, a pixel is the weighted mean of the four around it.
    #[test]
    fn antialiasing_spreads_over_what_falls_together() {
        let linear = plain(Interpolation::Linear, Coordinates::HalfPixel);
        let linear = Resampling { antialias: true, exclude_outside: true, ..linear };
        let table = linear.table(Axis { input: 6, output: 3, scale: 0.5 });
        assert_eq!(table[1], [(1, 0.125), (2, 0.375), (3, 0.375), (4, 0.125)]);
        assert_eq!(table[0].iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 2]);
        assert!((table[0].iter().map(|(_, weight)| weight).sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
