//! Whether a preprocessing can be meant for the pixels it is given.

use serde::{Deserialize, Serialize};

use super::Preprocess;
use crate::dataset::Dataset;
use crate::image::Pixels;

/// Images that are looked at, at most, spread evenly over the data.
const MOST: usize = 16;

/// A mean or standard deviation is out of place beyond so many times the range of the pixels.
const FAR: f32 = 10.0;

/// No input is as large as this: pixels of bytes less their mean, undivided, stay below 256.
const LARGEST_INPUT: f32 = 256.0;

/// The least and the largest pixel of some images, as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelRange {
    /// The least.
    pub least: f32,
    /// The largest.
    pub largest: f32,
    /// Whether they are bytes, which are scaled by 1/255 where nothing else is said.
    pub bytes: bool,
}

impl PixelRange {
    /// All that bytes can be.
    pub const BYTES: Self = Self { least: 0.0, largest: 255.0, bytes: true };

    /// The range of a few images of `dataset`, spread evenly; none if not one of them can be read. Those
    /// that cannot are passed over: whoever needs them says so.
    pub fn of(dataset: &Dataset) -> Option<Self> {
        let step = dataset.len().div_ceil(MOST).max(1);
        let images = (0..dataset.len()).step_by(step).filter_map(|index| dataset.image(index).ok());
        let ranges = images.map(|image| match image.pixels() {
            Pixels::U8(pixels) => Self::over(pixels.iter().map(|&x| f32::from(x)), true),
            Pixels::F32(pixels) => Self::over(pixels.iter().copied(), false),
        });
        ranges.reduce(Self::with)
    }

    fn over(pixels: impl Iterator<Item = f32>, bytes: bool) -> Self {
        let start = Self { least: f32::INFINITY, largest: f32::NEG_INFINITY, bytes };
        pixels.fold(start, |range, x| Self {
            least: range.least.min(x),
            largest: range.largest.max(x),
            bytes,
        })
    }

    /// The range of these pixels and of those.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            largest: self.largest.max(other.largest),
            bytes: self.bytes && other.bytes,
        }
    }
}

impl Preprocess {
    /// Why this cannot be meant for pixels of `range`, and what may have been meant, in sentences; none if
    /// it can. Pixels of one value tell nothing, and mean 0 with standard deviation 1 fits any.
    pub fn doubts(&self, range: PixelRange) -> Vec<String> {
        let Self { mean, std, .. } = self;
        let is_plain = mean.iter().all(|&mean| mean == 0.0) && std.iter().all(|&std| std == 1.0);
        let scale = self.scale.unwrap_or(if range.bytes { 1.0 / 255.0 } else { 1.0 });
        let ends = [range.least * scale, range.largest * scale];
        let (least, largest) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let span = largest - least;
        if is_plain || span.is_nan() || span <= 0.0 {
            return Vec::new();
        }
        let is_far = |mean: &f32| (least - mean).max(mean - largest) > FAR * span;
        let mut found = Vec::new();
        if mean.iter().any(is_far) {
            found.push(format!("the mean is {}", listed(mean)));
        }
        if std.iter().any(|&std| std > FAR * span) {
            found.push(format!("the standard deviation is {}", listed(std)));
        }
        let inputs = |x: f32| (0..self.channels).map(move |c| self.normalised(x, c).abs());
        let input = inputs(least).chain(inputs(largest)).fold(0.0, f32::max);
        if found.is_empty() && input >= LARGEST_INPUT {
            found.push(format!(
                "mean {} and standard deviation {} make inputs of {input:.0} of them",
                listed(mean),
                listed(std)
            ));
        }
        if found.is_empty() {
            return found;
        }
        let kind = if range.bytes { "bytes" } else { "floats" };
        let pixels = format!(
            "pixels are {kind} from {} to {}, which are {least} to {largest} when scaled by {scale}, but {}",
            range.least,
            range.largest,
            found.join(" and "),
        );
        let advice = self.advice(range, scale, span);
        vec![format!("{pixels}; {advice}")]
    }

    /// What becomes of a scaled pixel in `channel`.
    fn normalised(&self, x: f32, channel: usize) -> f32 {
        let [mean, std] = [&self.mean, &self.std].map(|values| super::pick(values, channel));
        (x - mean) / std
    }

    /// What may have been meant.
    fn advice(&self, range: PixelRange, scale: f32, span: f32) -> String {
        let is_byte_scale = self.mean.iter().chain(&self.std).any(|&x| x > FAR * span);
        let reaches = range.largest > 1.5 && range.largest <= 255.0;
        if is_byte_scale && reaches && scale != 1.0 {
            let part = |x: &f32| (x / 255.0 * 1e4).round() / 1e4;
            let [mean, std] = [&self.mean, &self.std]
                .map(|list| listed(&list.iter().map(part).collect::<Vec<f32>>()));
            return format!(
                "they are numbers of pixels from 0 to 255: say `scale=1`, or `mean={mean}` `std={std}`"
            );
        }
        if !is_byte_scale && reaches && scale == 1.0 {
            return "they are numbers of pixels from 0 to 1: say `scale=0.003921569` (1/255)"
                .to_owned();
        }
        "give the `scale=`, `mean=` and `std=` that the model was trained with".to_owned()
    }
}

/// Numbers as options take them.
fn listed(numbers: &[f32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures;

    fn wanted(scale: Option<f32>, mean: &[f32], std: &[f32]) -> Preprocess {
        let (mean, std) = (mean.to_vec(), std.to_vec());
        Preprocess { scale, mean, std, ..Preprocess::plain([2, 2], 3) }
    }

    const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    const BYTES: ([f32; 3], [f32; 3]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]);

    fn floats(least: f32, largest: f32) -> PixelRange {
        PixelRange { least, largest, bytes: false }
    }

    #[test]
    fn what_is_in_use_is_not_doubted() {
        let bytes = PixelRange::BYTES;
        let dark = PixelRange { largest: 30.0, ..bytes };
        let (mean, std) = IMAGENET;
        for (preprocess, range) in [
            (wanted(None, &mean, &std), bytes),
            (wanted(None, &mean, &std), dark),
            (wanted(None, &mean, &std), floats(0.0, 1.0)),
            (wanted(Some(1.0), &BYTES.0, &BYTES.1), bytes),
            (wanted(None, &BYTES.0, &BYTES.1), floats(0.0, 255.0)),
            // Caffe: a mean and no standard deviation.
            (wanted(Some(1.0), &[103.94, 116.78, 123.68], &[1.0]), bytes),
            (wanted(Some(1.0 / 127.5), &[1.0], &[1.0]), bytes),
            (wanted(Some(1.0), &[127.0], &[128.0]), bytes),
            (wanted(None, &[0.0], &[1.0]), floats(0.0, 65535.0)),
            (wanted(None, &[0.1307], &[0.3081]), floats(-2.0, 2.0)),
            (wanted(None, &[0.5], &[0.5]), floats(3.0, 3.0)),
        ] {
            assert_eq!(preprocess.doubts(range), [""; 0], "{preprocess:?} {range:?}");
        }
    }

    #[test]
    fn another_scale_is_doubted_and_the_right_one_named() {
        let bytes = PixelRange::BYTES;
        let said = |preprocess: &Preprocess, range| preprocess.doubts(range).join("");
        let scaled = said(&wanted(None, &BYTES.0, &BYTES.1), bytes);
        assert!(scaled.contains("bytes from 0 to 255, which are 0 to 1"), "{scaled}");
        assert!(scaled.contains("`mean=0.485,0.456,0.406` `std=0.229,0.224,0.225`"), "{scaled}");
        let (mean, std) = IMAGENET;
        let whole = said(&wanted(None, &mean, &std), floats(0.0, 255.0));
        assert!(
            whole.contains("floats from 0 to 255") && whole.contains("`scale=0.00392"),
            "{whole}"
        );
        assert!(said(&wanted(Some(1.0), &[0.5], &[0.5]), bytes).contains("`scale=0.00392"));
        assert!(said(&wanted(None, &[128.0], &[1.0]), bytes).contains("`scale=1`"));
        let twice = said(&wanted(Some(1.0 / 255.0), &mean, &std), floats(0.0, 1.0));
        assert!(twice.contains("trained with"), "{twice}");
        // Bytes that hold 0 and 1, as of masks.
        let masks = PixelRange { largest: 1.0, ..bytes };
        assert!(said(&wanted(None, &mean, &std), masks).contains("0 to 0.0039"));
    }

    #[test]
    fn the_range_is_that_of_the_images() {
        let folder = fixtures::folder();
        let path = fixtures::arrays(&folder, &[2, 1, 2, 2], &[3, 4, 5, 6, 7, 8, 9, 1], &[0, 1]);
        let data = Dataset::open(path, None).expect("opens");
        let range = PixelRange { least: 1.0, largest: 9.0, bytes: true };
        assert_eq!(PixelRange::of(&data), Some(range));
        assert_eq!(PixelRange::of(&data.subset(&[]).expect("none")), None);
        let path = fixtures::tree(&folder, &["a/1.png"]);
        std::fs::write(path.join("a/1.png"), b"spoilt").expect("spoilt");
        assert_eq!(PixelRange::of(&Dataset::open(path, None).expect("opens")), None);
    }
}
