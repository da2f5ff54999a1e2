//! Resizing with a triangle filter that widens when it shrinks, so that nothing aliases.
//!
//! Only the part that is kept is computed, so extreme proportions cost nothing.

use std::ops::Range;

use crate::error::DataError;
use crate::image::{Image, Pixels};

/// `image` resized to cover `size` (height, width) in its own proportions, cut to the centre.
/// The values are f32 in the unit of the image.
pub(super) fn cover(image: &Image, size: [usize; 2]) -> Result<Image, DataError> {
    let resized = covering([image.height(), image.width()], size);
    let taps = |source: usize, axis: usize| {
        let start = (resized[axis] - size[axis]) / 2;
        Taps::along(source, resized[axis], start..start + size[axis])
    };
    let (rows, columns) = (taps(image.height(), 0), taps(image.width(), 1));
    let pixels = match image.pixels() {
        Pixels::U8(pixels) => resample(pixels, image, &rows, &columns),
        Pixels::F32(pixels) => resample(pixels, image, &rows, &columns),
    };
    Image::new(size[0], size[1], image.channels(), Pixels::F32(pixels))
}

/// The smallest size in the proportions of `found` with no side below that of `wanted`.
fn covering(found: [usize; 2], wanted: [usize; 2]) -> [usize; 2] {
    let [height, width] = found.map(|side| side as u128);
    let [rows, columns] = wanted.map(|side| side as u128);
    let rounded = |product: u128, by: u128| ((2 * product + by) / (2 * by)) as usize;
    match columns * height >= rows * width {
        true => [rounded(columns * height, width).max(wanted[0]), wanted[1]],
        false => [wanted[0], rounded(rows * width, height).max(wanted[1])],
    }
}

/// The source positions one output position is made of.
struct Taps {
    start: usize,
    weights: Vec<f32>,
}

impl Taps {
    /// For the positions `kept` of an axis of `source` positions resized to `resized`.
    fn along(source: usize, resized: usize, kept: Range<usize>) -> Vec<Self> {
        let ratio = source as f64 / resized as f64;
        let reach = ratio.max(1.0);
        kept.map(|position| {
            let centre = (position as f64 + 0.5) * ratio;
            let start = ((centre - reach).floor().max(0.0) as usize).min(source - 1);
            let end = ((centre + reach).ceil() as usize).clamp(start + 1, source);
            let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / reach).abs()).max(0.0);
            let total: f64 = (start..end).map(weight).sum();
            Self { start, weights: (start..end).map(|at| (weight(at) / total) as f32).collect() }
        })
        .collect()
    }

    fn end(&self) -> usize {
        self.start + self.weights.len()
    }
}

/// First along the rows that are needed, then down the columns.
fn resample<T: Copy + Into<f32>>(
    pixels: &[T],
    image: &Image,
    rows: &[Taps],
    columns: &[Taps],
) -> Vec<f32> {
    let channels = image.channels();
    let first = rows.first().map_or(0, |taps| taps.start);
    let last = rows.last().map_or(0, Taps::end);
    let mut narrow = vec![0.0; (last - first) * columns.len() * channels];
    let source = pixels.chunks_exact(image.width() * channels).skip(first);
    for (out, row) in narrow.chunks_exact_mut(columns.len() * channels).zip(source) {
        for (pixel, taps) in out.chunks_exact_mut(channels).zip(columns) {
            let near = row[taps.start * channels..taps.end() * channels].chunks_exact(channels);
            for (from, weight) in near.zip(&taps.weights) {
                add(pixel, from, *weight);
            }
        }
    }
    let length = columns.len() * channels;
    let mut result = vec![0.0; rows.len() * length];
    for (out, taps) in result.chunks_exact_mut(length).zip(rows) {
        let near = narrow.chunks_exact(length).skip(taps.start - first);
        for (from, weight) in near.zip(&taps.weights) {
            add(out, from, *weight);
        }
    }
    result
}

fn add<T: Copy + Into<f32>>(sums: &mut [f32], values: &[T], weight: f32) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += weight * value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::imageops::{self, FilterType};
    use image::{ImageBuffer, Rgb};
    use proptest::prelude::*;

    #[test]
    fn the_shorter_side_fits() {
        assert_eq!(covering([100, 200], [50, 50]), [50, 100]);
        assert_eq!(covering([3, 2], [224, 224]), [336, 224]);
        assert_eq!(covering([7, 7], [7, 9]), [9, 9]);
        assert_eq!(covering([1, 100_000], [224, 224]), [224, 22_400_000]);
    }

    #[test]
    fn extreme_proportions_are_cheap() {
        let image = Image::new(1, 60_000, 1, Pixels::U8(vec![9; 60_000])).expect("image");
        let small = cover(&image, [64, 64]).expect("covers");
        let Pixels::F32(pixels) = small.pixels() else { panic!("f32") };
        assert!(pixels.iter().all(|x| (x - 9.0).abs() < 1e-4));
    }

    proptest! {
        #[test]
        fn agrees_with_the_image_crate(
            height in 1_usize..24,
            width in 1_usize..24,
            rows in 1_usize..24,
            columns in 1_usize..24,
            bytes in prop::collection::vec(any::<u8>(), 24 * 24 * 3),
        ) {
            let bytes = bytes[..height * width * 3].to_vec();
            let theirs = ImageBuffer::<Rgb<u8>, _>::from_raw(width as u32, height as u32, bytes.clone())
                .expect("buffer");
            let full = covering([height, width], [rows, columns]);
            let theirs = imageops::resize(&theirs, full[1] as u32, full[0] as u32, FilterType::Triangle);
            let (top, left) = ((full[0] - rows) / 2, (full[1] - columns) / 2);
            let theirs = imageops::crop_imm(&theirs, left as u32, top as u32, columns as u32, rows as u32)
                .to_image();
            let ours = Image::new(height, width, 3, Pixels::U8(bytes)).expect("image");
            let ours = cover(&ours, [rows, columns]).expect("covers");
            let Pixels::F32(ours) = ours.pixels() else { panic!("f32") };
            for (own, &other) in ours.iter().zip(theirs.as_raw()) {
                prop_assert!((own - f32::from(other)).abs() <= 0.51, "{own} {other}");
            }
        }
    }
}
