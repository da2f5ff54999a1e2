//! What a model expects of its input.

mod apply;
mod measured;
mod range;
mod resize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::DataError;

pub use range::PixelRange;

/// The largest height or width of a sample.
const LARGEST_SIDE: usize = 16_384;

/// The order of the colour channels a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// What to do with an image of another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Refuse it.
    Exact,
    /// Resize it to the smallest size that covers the one wanted, keeping its proportions, then cut
    /// out the centre.
    Cover,
    /// Resize it to the size wanted, whatever its proportions.
    Stretch,
}

/// How pixels are made of those around them where an image is resized. All but `Nearest` take in more of
/// them where it shrinks, so that nothing aliases. Images of bytes become those that Pillow makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// The pixel that a place lies on.
    Nearest,
    /// The mean of those around.
    Box,
    /// Weights that fall linearly to zero.
    Bilinear,
    /// Cubic convolution with a = -0.5.
    Bicubic,
    /// A windowed sinc of three lobes.
    Lanczos,
}

/// How a stored image becomes a model's input: `y = (x * scale - mean) / std`, per channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Height and width of a sample.
    pub size: [usize; 2],
    /// Channels of a sample, 1 or 3. Grey becomes RGB by repetition, RGB becomes grey by the
    /// ITU-R 601 luma `0.299 R + 0.587 G + 0.114 B`, and alpha is dropped.
    pub channels: usize,
    /// `scale` of the formula; if `None`, 1/255 for u8 images and 1 for f32 images.
    pub scale: Option<f32>,
    /// `mean` of the formula, after scaling: one for all channels or one each, in `order`.
    pub mean: Vec<f32>,
    /// `std` of the formula, above 0: one for all channels or one each, in `order`.
    pub std: Vec<f32>,
    /// The order of three channels.
    pub order: ChannelOrder,
    /// What to do with an image of another size.
    pub fit: Fit,
    /// How images are resized. Where there is neither this nor a crop ratio, images are covered with a
    /// triangle filter in floating point, and sides and offsets are rounded otherwise than by torchvision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// What share of either side of the resized image is kept, above 0 and at most 1: it is resized
    /// to `size / crop`, rounded, of which the centre is cut out. 0.875 is 256 of which 224 are kept.
    /// Without a filter it is resized bilinearly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<f32>,
}

impl Preprocess {
    /// No more than scaling: mean 0, standard deviation 1, RGB, exact size.
    pub fn plain(size: [usize; 2], channels: usize) -> Self {
        Self {
            size,
            channels,
            scale: None,
            mean: vec![0.0],
            std: vec![1.0],
            order: ChannelOrder::Rgb,
            fit: Fit::Exact,
            filter: None,
            crop: None,
        }
    }

    /// Checks every value; [`Self::apply`] does so itself.
    ///
    /// # Errors
    /// [`DataError::Preprocess`] naming the first value that is not allowed.
    pub fn validate(&self) -> Result<(), DataError> {
        match self.problem() {
            None => Ok(()),
            Some(problem) => Err(DataError::Preprocess { problem }),
        }
    }

    fn problem(&self) -> Option<String> {
        let Self { size, channels, scale, mean, std, .. } = self;
        if size.iter().any(|side| !(1..=LARGEST_SIDE).contains(side)) {
            return Some(format!("the size is {size:?}, expected sides from 1 to {LARGEST_SIDE}"));
        }
        if !matches!(channels, 1 | 3) {
            return Some(format!("{channels} channels, expected 1 or 3"));
        }
        if scale.is_some_and(|scale| !scale.is_finite() || scale == 0.0) {
            return Some(format!("the scale is {scale:?}, expected a finite number other than 0"));
        }
        for (name, values) in [("mean", mean), ("std", std)] {
            if ![1, *channels].contains(&values.len()) {
                let count = values.len();
                let expected = if *channels == 1 { "1" } else { "1 or 3" };
                return Some(format!("{count} values of `{name}`, expected {expected}"));
            }
        }
        if mean.iter().any(|mean| !mean.is_finite()) {
            return Some(format!("`mean` is {mean:?}, expected finite numbers"));
        }
        let positive = |std: &f32| std.is_finite() && *std > 0.0;
        if !std.iter().all(positive) {
            return Some(format!("`std` is {std:?}, expected finite numbers above 0"));
        }
        self.resize_problem()
    }

    fn resize_problem(&self) -> Option<String> {
        let Self { fit, filter, crop, .. } = self;
        if *fit == Fit::Exact && (filter.is_some() || crop.is_some()) {
            return Some(
                "`filter` and `crop` say how images are resized, but the fit is \"exact\", which \
                 resizes none; ask for the fit \"cover\""
                    .to_owned(),
            );
        }
        if let Some(crop) = crop.filter(|crop| !(*crop > 0.0 && *crop <= 1.0)) {
            return Some(format!("`crop` is {crop}, expected a ratio above 0 and at most 1"));
        }
        let sides = self.before_crop();
        sides.iter().any(|&side| side > LARGEST_SIDE).then(|| {
            format!(
                "`crop` has images resized to {sides:?}, expected sides of at most {LARGEST_SIDE}"
            )
        })
    }

    /// Height and width of which the centre is cut out.
    fn before_crop(&self) -> [usize; 2] {
        let Some(crop) = self.crop else { return self.size };
        self.size.map(|side| ((side as f64 / f64::from(crop)).round() as usize).max(side))
    }

    /// Whether images are resized as Pillow and torchvision do it.
    fn is_as_pillow(&self) -> bool {
        self.filter.is_some() || self.crop.is_some() || self.fit == Fit::Stretch
    }

    /// Numbers in one sample, once validated.
    pub fn elements(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// What a pixel of 0 becomes in `channel` of a sample, once validated.
    pub(crate) fn black(&self, channel: usize) -> f32 {
        let [mean, std] = [&self.mean, &self.std].map(|values| pick(values, channel));
        -mean / std
    }
}

/// The value of `channel`, where one may stand for all.
fn pick(values: &[f32], channel: usize) -> f32 {
    values[channel.min(values.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_checked() {
        let plain = Preprocess::plain([2, 3], 3);
        assert!(plain.validate().is_ok());
        let wrong = [
            ("size", Preprocess { size: [0, 3], ..plain.clone() }),
            ("size", Preprocess { size: [3, 1 << 40], ..plain.clone() }),
            ("channels", Preprocess { channels: 2, ..plain.clone() }),
            ("scale", Preprocess { scale: Some(f32::NAN), ..plain.clone() }),
            ("mean", Preprocess { mean: vec![0.0; 2], ..plain.clone() }),
            ("mean", Preprocess { mean: vec![f32::INFINITY], ..plain.clone() }),
            ("std", Preprocess { std: vec![], ..plain.clone() }),
            ("std", Preprocess { std: vec![1.0, 0.0, 1.0], ..plain.clone() }),
            ("std", Preprocess { std: vec![f32::NAN], ..plain.clone() }),
            ("exact", Preprocess { crop: Some(0.875), ..plain.clone() }),
            ("exact", Preprocess { filter: Some(Filter::Box), ..plain.clone() }),
            ("crop", Preprocess { crop: Some(0.0), fit: Fit::Cover, ..plain.clone() }),
            ("crop", Preprocess { crop: Some(1.5), fit: Fit::Cover, ..plain.clone() }),
            ("crop", Preprocess { crop: Some(f32::NAN), fit: Fit::Stretch, ..plain.clone() }),
            ("crop", Preprocess { crop: Some(1e-5), fit: Fit::Cover, ..plain }),
        ];
        for (word, preprocess) in wrong {
            let error = preprocess.validate().expect_err("refused").to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn json_names_the_choices_in_lower_case() {
        let text =
            r#"{"size":[32,32],"channels":3,"mean":[0.5],"std":[0.2],"order":"bgr","fit":"cover"}"#;
        let read: Preprocess = serde_json::from_str(text).expect("reads");
        assert_eq!((read.order, read.fit, read.scale), (ChannelOrder::Bgr, Fit::Cover, None));
        let again = serde_json::to_string(&read).expect("writes");
        assert_eq!(serde_json::from_str::<Preprocess>(&again).expect("reads"), read);
        assert!(serde_json::from_str::<Preprocess>(&text.replace("fit", "fits")).is_err());
        assert_eq!((read.filter, read.crop), (None, None));
        assert!(!again.contains("filter") && !again.contains("crop"), "{again}");
        let more = text.replace('}', r#","filter":"bicubic","crop":0.875}"#);
        let more: Preprocess = serde_json::from_str(&more).expect("reads");
        assert_eq!((more.filter, more.crop), (Some(Filter::Bicubic), Some(0.875)));
        assert!(more.validate().is_ok());
    }
}
