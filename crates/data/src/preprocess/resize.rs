//! Resizing, as Pillow and torchvision do it: filters that widen when an image shrinks, so that nothing
//! aliases; first along the rows, then down the columns.
//!
//! Images of bytes are rounded to bytes after either pass, with weights of 22 bits behind the point, which
//! gives the bytes of Pillow up to version 12 (`src/libImaging/Resample.c`; version 13 goes down the columns
//! first where an image shrinks much more in height than in width). A preprocessing of neither filter nor crop ratio is
//! that of files before there were any: a triangle in floating point.
//!
//! Only the part that is kept is computed, so extreme proportions cost nothing.

use std::f64::consts::PI;
use std::ops::{AddAssign, Mul, Range};

use super::{Filter, Fit, Preprocess};
use crate::error::DataError;
use crate::image::{Image, Pixels};

/// `image` resized and cut as `wanted` says, of its size. The values are bytes or f32, in the unit of the
/// image.
pub(super) fn fit(image: &Image, wanted: &Preprocess) -> Result<Image, DataError> {
    let found = [image.height(), image.width()];
    let window = Window::of(found, wanted);
    let pixels = match image.pixels() {
        Pixels::U8(pixels) if wanted.is_as_pillow() => {
            Pixels::U8(resample::<Bytes, u8>(pixels, image, &window))
        }
        Pixels::U8(pixels) => Pixels::F32(resample::<Floats, u8>(pixels, image, &window)),
        Pixels::F32(pixels) => Pixels::F32(resample::<Floats, f32>(pixels, image, &window)),
    };
    let [height, width] = wanted.size;
    Image::new(height, width, image.channels(), pixels)
}

/// What is resized to what, and which part of it is kept: by axis, rows first.
struct Window {
    filter: Filter,
    resized: [usize; 2],
    kept: [Range<usize>; 2],
}

impl Window {
    fn of(found: [usize; 2], wanted: &Preprocess) -> Self {
        let least = wanted.before_crop();
        let resized = match wanted.fit {
            Fit::Stretch => least,
            _ if wanted.is_as_pillow() => covering(found, least, |product, by| product / by),
            _ => covering(found, least, |product, by| (2 * product + by) / (2 * by)),
        };
        let kept = [0, 1].map(|axis| {
            let rest = resized[axis] - wanted.size[axis];
            let start = if wanted.is_as_pillow() { half_to_even(rest) } else { rest / 2 };
            start..start + wanted.size[axis]
        });
        Self { filter: wanted.filter.unwrap_or(Filter::Bilinear), resized, kept }
    }
}

/// The smallest size in the proportions of `found` with no side below that of `wanted`; the longer side
/// is `divided`, which torchvision cuts off to a whole number.
fn covering(
    found: [usize; 2],
    wanted: [usize; 2],
    divided: impl Fn(u128, u128) -> u128,
) -> [usize; 2] {
    let [height, width] = found.map(|side| side as u128);
    let [rows, columns] = wanted.map(|side| side as u128);
    let side = |product, by, least| (divided(product, by) as usize).max(least);
    match columns * height >= rows * width {
        true => [side(columns * height, width, wanted[0]), wanted[1]],
        false => [wanted[0], side(rows * width, height, wanted[1])],
    }
}

/// Half of `count`, rounded to an even number where it has a half, as Python's `round` does.
fn half_to_even(count: usize) -> usize {
    let half = count / 2;
    if count % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

impl Filter {
    /// How far it reaches from a pixel, in pixels.
    fn reach(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight of a pixel that is `x` away.
    fn weight(self, x: f64) -> f64 {
        let far = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - far).max(0.0),
            // Keys 1981, equation 15, with a = -0.5.
            Self::Bicubic if far < 1.0 => (1.5 * far - 2.5) * far * far + 1.0,
            Self::Bicubic if far < 2.0 => (((far - 5.0) * far + 8.0) * far - 4.0) * -0.5,
            Self::Bicubic => 0.0,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

/// `sin(pi x) / (pi x)`.
fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// How sums of weighted pixels are taken.
trait Arithmetic {
    /// What weights and sums are.
    type Number: Copy + Default + AddAssign + Mul<Output = Self::Number>;
    /// What is left of a sum.
    type Pixel: Copy + Into<Self::Number>;

    fn weight(weight: f64) -> Self::Number;
    fn pixel(sum: Self::Number) -> Self::Pixel;
}

/// Sums as they are.
struct Floats;

impl Arithmetic for Floats {
    type Number = f32;
    type Pixel = f32;

    fn weight(weight: f64) -> f32 {
        weight as f32
    }

    fn pixel(sum: f32) -> f32 {
        sum
    }
}

/// Sums rounded to bytes. Weights of any filter here add up to less than 2 without their signs, so that
/// sums stay within i32.
struct Bytes;

/// Bits of a weight behind the point.
const PRECISION: u32 = 22;

impl Arithmetic for Bytes {
    type Number = i32;
    type Pixel = u8;

    fn weight(weight: f64) -> i32 {
        (weight * f64::from(1 << PRECISION)).round() as i32
    }

    fn pixel(sum: i32) -> u8 {
        ((sum + (1 << (PRECISION - 1))) >> PRECISION).clamp(0, 255) as u8
    }
}

/// The source positions one output position is made of.
struct Taps<N> {
    start: usize,
    weights: Vec<N>,
}

impl<N> Taps<N> {
    /// For the positions that are kept of an axis of `source` positions.
    fn along<A: Arithmetic<Number = N>>(source: usize, window: &Window, axis: usize) -> Vec<Self> {
        let (resized, kept) = (window.resized[axis], window.kept[axis].clone());
        let ratio = source as f64 / resized as f64;
        if window.filter == Filter::Nearest {
            return Self::nearest::<A>(source, ratio, kept);
        }
        let stretch = ratio.max(1.0);
        let reach = window.filter.reach() * stretch;
        kept.map(|position| {
            let centre = (position as f64 + 0.5) * ratio;
            let start = ((centre - reach + 0.5).max(0.0) as usize).min(source - 1);
            let end = ((centre + reach + 0.5) as usize).clamp(start + 1, source);
            let weight =
                |at: usize| window.filter.weight((at as f64 - centre + 0.5) * (1.0 / stretch));
            let total: f64 = (start..end).map(weight).sum();
            let weights = (start..end).map(|at| A::weight(weight(at) / total)).collect();
            Self { start, weights }
        })
        .collect()
    }

    /// The source position that each output position lies on. Sums are taken as Pillow takes them, since
    /// a position may lie on an edge but for rounding.
    fn nearest<A: Arithmetic<Number = N>>(
        source: usize,
        ratio: f64,
        kept: Range<usize>,
    ) -> Vec<Self> {
        let mut place = ratio * 0.5;
        let mut found = Vec::with_capacity(kept.len());
        for position in 0..kept.end {
            if position >= kept.start {
                let start = (place as usize).min(source - 1);
                found.push(Self { start, weights: vec![A::weight(1.0)] });
            }
            place += ratio;
        }
        found
    }

    fn end(&self) -> usize {
        self.start + self.weights.len()
    }
}

/// First along the rows that are needed, then down the columns.
fn resample<A: Arithmetic, T: Copy + Into<A::Number>>(
    pixels: &[T],
    image: &Image,
    window: &Window,
) -> Vec<A::Pixel> {
    let channels = image.channels();
    let rows = Taps::along::<A>(image.height(), window, 0);
    let columns = Taps::along::<A>(image.width(), window, 1);
    let first = rows.first().map_or(0, |taps| taps.start);
    let last = rows.last().map_or(0, Taps::end);
    let length = columns.len() * channels;
    let mut sums = vec![A::Number::default(); length];
    let mut narrow = Vec::with_capacity((last - first) * length);
    for row in pixels.chunks_exact(image.width() * channels).take(last).skip(first) {
        sums.fill(A::Number::default());
        for (pixel, taps) in sums.chunks_exact_mut(channels).zip(&columns) {
            let near = row[taps.start * channels..taps.end() * channels].chunks_exact(channels);
            for (from, &weight) in near.zip(&taps.weights) {
                add(pixel, from, weight);
            }
        }
        narrow.extend(sums.iter().map(|&sum| A::pixel(sum)));
    }
    let mut result = Vec::with_capacity(rows.len() * length);
    for taps in &rows {
        sums.fill(A::Number::default());
        let near = narrow.chunks_exact(length).skip(taps.start - first);
        for (from, &weight) in near.zip(&taps.weights) {
            add(&mut sums, from, weight);
        }
        result.extend(sums.iter().map(|&sum| A::pixel(sum)));
    }
    result
}

fn add<N, T>(sums: &mut [N], values: &[T], weight: N)
where
    N: Copy + AddAssign + Mul<Output = N>,
    T: Copy + Into<N>,
{
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
    use serde::Deserialize;

    fn cover(image: &Image, size: [usize; 2]) -> Result<Image, DataError> {
        let plain = Preprocess::plain(size, image.channels());
        fit(image, &Preprocess { fit: Fit::Cover, ..plain })
    }

    fn rounded(product: u128, by: u128) -> u128 {
        (2 * product + by) / (2 * by)
    }

    #[test]
    fn the_shorter_side_fits() {
        assert_eq!(covering([100, 200], [50, 50], rounded), [50, 100]);
        assert_eq!(covering([3, 2], [224, 224], rounded), [336, 224]);
        assert_eq!(covering([7, 7], [7, 9], rounded), [9, 9]);
        assert_eq!(covering([1, 100_000], [224, 224], rounded), [224, 22_400_000]);
    }

    #[test]
    fn extreme_proportions_are_cheap() {
        let image = Image::new(1, 60_000, 1, Pixels::U8(vec![9; 60_000])).expect("image");
        let small = cover(&image, [64, 64]).expect("covers");
        let Pixels::F32(pixels) = small.pixels() else { panic!("f32") };
        assert!(pixels.iter().all(|x| (x - 9.0).abs() < 1e-4));
    }

    /// What `fixtures/make_pillow.py` had Pillow make.
    #[derive(Deserialize)]
    struct Golden {
        images: Vec<GoldenImage>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct GoldenImage {
        height: usize,
        width: usize,
        channels: usize,
        pixels: Vec<u8>,
    }

    #[derive(Deserialize)]
    struct Case {
        image: usize,
        filter: Filter,
        fit: Fit,
        crop: f32,
        size: [usize; 2],
        pixels: Vec<u8>,
    }

    #[test]
    fn bytes_are_those_of_pillow() {
        let text = include_str!("../../../../fixtures/resized.json");
        let golden: Golden = serde_json::from_str(text).expect("reads");
        assert!(golden.cases.len() >= 40);
        for case in golden.cases {
            let Case { image, filter, fit: how, crop, size, pixels } = case;
            let GoldenImage { height, width, channels, pixels: from } = &golden.images[image];
            let from = Image::new(*height, *width, *channels, Pixels::U8(from.clone()));
            let plain = Preprocess::plain(size, *channels);
            let wanted = Preprocess { filter: Some(filter), crop: Some(crop), fit: how, ..plain };
            let made = fit(&from.expect("image"), &wanted).expect("resizes");
            let what = format!("image {image}, {filter:?}, {how:?}, {crop}, {size:?}");
            assert_eq!(*made.pixels(), Pixels::U8(pixels), "{what}");
        }
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
            let full = covering([height, width], [rows, columns], rounded);
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

        #[test]
        fn floats_are_resized_as_bytes_are_but_for_rounding(
            height in 1_usize..24,
            width in 1_usize..24,
            rows in 1_usize..24,
            columns in 1_usize..24,
            filter in prop::sample::select(vec![
                Filter::Nearest, Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos,
            ]),
            bytes in prop::collection::vec(64_u8..192, 24 * 24),
        ) {
            let bytes = bytes[..height * width].to_vec();
            let floats = bytes.iter().map(|&x| f32::from(x)).collect();
            let wanted = Preprocess {
                fit: Fit::Stretch,
                filter: Some(filter),
                ..Preprocess::plain([rows, columns], 1)
            };
            let made = |pixels| {
                let image = Image::new(height, width, 1, pixels).expect("image");
                fit(&image, &wanted).expect("resizes")
            };
            let (rounded, whole) = (made(Pixels::U8(bytes)), made(Pixels::F32(floats)));
            let (Pixels::U8(rounded), Pixels::F32(whole)) = (rounded.pixels(), whole.pixels()) else {
                panic!("of their own kind")
            };
            for (&rounded, whole) in rounded.iter().zip(whole) {
                // Half a level of the second pass, and of the first times the weights' sum.
                prop_assert!((f32::from(rounded) - whole).abs() <= 1.5, "{rounded} {whole}");
            }
        }
    }
}
