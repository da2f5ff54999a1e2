//! One image to one sample.

use std::borrow::Cow;

use super::resize;
use super::{ChannelOrder, Fit, Preprocess, pick};
use crate::error::DataError;
use crate::image::{Image, Pixels};

/// ITU-R 601 luma.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

impl Preprocess {
    /// Writes `image` as one sample into `out`, `[c, h, w]` row-major.
    ///
    /// # Errors
    /// [`DataError::Preprocess`] if a value is not allowed or `out` does not hold exactly
    /// `c * h * w` numbers; [`DataError::Size`] if the image has another size and the fit is
    /// [`Fit::Exact`]; [`DataError::Channels`] if its channels cannot be converted.
    pub fn apply(&self, image: &Image, out: &mut [f32]) -> Result<(), DataError> {
        self.validate()?;
        if out.len() != self.elements() {
            let problem = format!("room for {} numbers, expected {}", out.len(), self.elements());
            return Err(DataError::Preprocess { problem });
        }
        let sources = self.sources(image.channels())?;
        let fitted = self.fitted(image)?;
        let default = if matches!(image.pixels(), Pixels::U8(_)) { 1.0 / 255.0 } else { 1.0 };
        let scale = self.scale.unwrap_or(default);
        let area = self.size[0] * self.size[1];
        for (channel, plane) in out.chunks_exact_mut(area).enumerate() {
            let (mean, std) = (pick(&self.mean, channel), pick(&self.std, channel));
            let formula = |x: f32| (x * scale - mean) / std;
            let (step, source) = (image.channels(), sources[channel]);
            match fitted.pixels() {
                Pixels::U8(pixels) => write(pixels, step, source, formula, plane),
                Pixels::F32(pixels) => write(pixels, step, source, formula, plane),
            }
        }
        Ok(())
    }

    /// Where each channel of a sample comes from.
    fn sources(&self, found: usize) -> Result<Vec<Source>, DataError> {
        match (found, self.channels) {
            (1, _) => Ok(vec![Source::Channel(0); self.channels]),
            (3 | 4, 1) => Ok(vec![Source::Luma]),
            (3 | 4, _) => Ok(match self.order {
                ChannelOrder::Rgb => [0, 1, 2],
                ChannelOrder::Bgr => [2, 1, 0],
            }
            .map(Source::Channel)
            .to_vec()),
            (found, expected) => Err(DataError::Channels { expected, found }),
        }
    }

    fn fitted<'a>(&self, image: &'a Image) -> Result<Cow<'a, Image>, DataError> {
        let found = [image.height(), image.width()];
        match self.fit {
            _ if found == self.size && self.before_crop() == found => Ok(Cow::Borrowed(image)),
            Fit::Exact => Err(DataError::Size { expected: self.size, found }),
            Fit::Cover | Fit::Stretch => resize::fit(image, self).map(Cow::Owned),
        }
    }
}

#[derive(Clone, Copy)]
enum Source {
    Channel(usize),
    Luma,
}

fn write<T: Copy + Into<f32>>(
    pixels: &[T],
    step: usize,
    source: Source,
    formula: impl Fn(f32) -> f32,
    plane: &mut [f32],
) {
    let pixels = plane.iter_mut().zip(pixels.chunks_exact(step));
    match source {
        Source::Channel(channel) => pixels.for_each(|(y, x)| *y = formula(x[channel].into())),
        Source::Luma => pixels.for_each(|(y, x)| {
            let luma = LUMA.iter().zip(x).map(|(weight, &x)| weight * x.into()).sum();
            *y = formula(luma);
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image(height: usize, width: usize, channels: usize, float: bool) -> Image {
        let values = (0..height * width * channels).map(|k| (k * 37 % 251) as u8);
        let pixels = match float {
            true => Pixels::F32(values.map(|x| f32::from(x) / 7.0 - 9.0).collect()),
            false => Pixels::U8(values.collect()),
        };
        Image::new(height, width, channels, pixels).expect("image")
    }

    fn value(image: &Image, y: usize, x: usize, channel: usize) -> f32 {
        let at = (y * image.width() + x) * image.channels() + channel;
        match image.pixels() {
            Pixels::U8(pixels) => f32::from(pixels[at]),
            Pixels::F32(pixels) => pixels[at],
        }
    }

    /// The documented formula, an element at a time.
    fn naive(p: &Preprocess, image: &Image, c: usize, y: usize, x: usize) -> f32 {
        let from = |channel| value(image, y, x, channel);
        let raw = match (image.channels(), p.channels, p.order) {
            (1, _, _) => from(0),
            (_, 1, _) => 0.299 * from(0) + 0.587 * from(1) + 0.114 * from(2),
            (_, _, ChannelOrder::Rgb) => from(c),
            (_, _, ChannelOrder::Bgr) => from(2 - c),
        };
        let float = matches!(image.pixels(), Pixels::F32(_));
        let scale = p.scale.unwrap_or(if float { 1.0 } else { 1.0 / 255.0 });
        let mean = if p.mean.len() == 1 { p.mean[0] } else { p.mean[c] };
        let std = if p.std.len() == 1 { p.std[0] } else { p.std[c] };
        (raw * scale - mean) / std
    }

    proptest! {
        #[test]
        fn the_formula_holds_for_every_element(
            height in 1_usize..6,
            width in 1_usize..6,
            stored in prop::sample::select(vec![1_usize, 3, 4]),
            wanted in prop::sample::select(vec![1_usize, 3]),
            float: bool,
            bgr: bool,
            scale in prop::option::of(0.001_f32..3.0),
            means in prop::collection::vec(-2.0_f32..2.0, 3),
            stds in prop::collection::vec(0.01_f32..2.0, 3),
            single: bool,
            cover: bool,
        ) {
            let image = image(height, width, stored, float);
            let count = if single { 1 } else { wanted };
            let preprocess = Preprocess {
                size: [height, width],
                channels: wanted,
                scale,
                mean: means[..count].to_vec(),
                std: stds[..count].to_vec(),
                order: if bgr { ChannelOrder::Bgr } else { ChannelOrder::Rgb },
                fit: if cover { Fit::Cover } else { Fit::Exact },
                filter: None,
                crop: None,
            };
            let mut out = vec![0.0; preprocess.elements()];
            preprocess.apply(&image, &mut out).expect("applies");
            for (at, &found) in out.iter().enumerate() {
                let (c, y, x) = (at / (height * width), at / width % height, at % width);
                let expected = naive(&preprocess, &image, c, y, x);
                prop_assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1.0));
            }
        }
    }

    #[test]
    fn images_of_the_right_size_are_cropped_too() {
        let bytes =
            (0..64).map(|k| if k / 8 % 7 == 0 || k % 8 % 7 == 0 { 255 } else { 0 }).collect();
        let framed = Image::new(8, 8, 1, Pixels::U8(bytes)).expect("image");
        let plain = Preprocess { fit: Fit::Cover, ..Preprocess::plain([8, 8], 1) };
        let frame = |preprocess: &Preprocess| {
            let mut out = [0.0; 64];
            preprocess.apply(&framed, &mut out).expect("applies");
            out[0]
        };
        assert_eq!(frame(&plain), 1.0);
        assert_eq!(frame(&Preprocess { crop: Some(0.5), ..plain }), 0.0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let preprocess = Preprocess::plain([2, 2], 3);
        let mut out = vec![0.0; 12];
        let apply =
            |image: &Image, out: &mut [f32]| preprocess.apply(image, out).expect_err("refused");
        assert!(matches!(apply(&image(2, 3, 3, false), &mut out), DataError::Size { .. }));
        assert!(matches!(apply(&image(2, 2, 2, false), &mut out), DataError::Channels { .. }));
        assert!(matches!(
            apply(&image(2, 2, 3, false), &mut out[1..]),
            DataError::Preprocess { .. }
        ));
    }
}
