//! How pixels become a model's input.

use brickwork_data::{ChannelOrder, Filter, Fit, Preprocess};
use brickwork_formats::onnx::ReadOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::Size;
use crate::model::card::InputLayout;
use crate::model::classes;
use crate::model::classifier::Classifier;
use crate::model::error::Error;

/// How pixels become the model's input, where it does not say so itself: `(x * scale - mean) / std`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PixelInput {
    /// Height and width: 224 or 224x160. Images of another size are resized and cropped
    pub size: Option<Size>,
    /// Factor of every pixel [default: 1/255 for bytes, 1 for floats]
    pub scale: Option<f32>,
    /// Mean to subtract: one number or one per channel
    pub mean: Vec<f32>,
    /// Standard deviation to divide by: one number or one per channel
    pub std: Vec<f32>,
    /// Order of colour channels [default: rgb]
    pub channel_order: Option<ChannelOrder>,
    /// What to do with images of another size: exact refuses them, cover resizes and crops, stretch only
    /// resizes
    pub fit: Option<Fit>,
    /// Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of which 224 are kept
    pub crop: Option<f32>,
    /// Filter to resize by, with antialiasing [default: bilinear]
    pub filter: Option<Filter>,
    /// Order of the input's axes, where the model does not tell: nchw or nhwc
    pub layout: Option<InputLayout>,
    /// Go on where mean, std and scale cannot be meant for the pixels of the data
    pub odd_pixels: bool,
    /// Names of the model's classes, in order: a,b,c ("a, b",c where a name holds a comma) or @FILE with
    /// one a line
    pub class_names: Option<String>,
}

impl PixelInput {
    /// Only the size and the order of axes, of a model that leaves them open.
    pub(super) fn of_input(size: Option<Size>, layout: Option<InputLayout>) -> Self {
        Self { size, layout, ..Self::default() }
    }

    /// What to know of a model that leaves something open.
    pub(super) fn reading(&self) -> ReadOptions {
        let channels_last = self.layout.map(|layout| layout == InputLayout::Nhwc);
        ReadOptions { size: self.size.map(|size| size.0), channels_last, ..ReadOptions::default() }
    }

    /// Whether anything is given of how pixels become the model's input.
    pub(super) fn prepares(&self) -> bool {
        let bare = Self {
            size: self.size,
            layout: self.layout,
            odd_pixels: self.odd_pixels,
            class_names: self.class_names.clone(),
            ..Self::default()
        };
        *self != bare
    }

    /// The class names that are given.
    ///
    /// # Errors
    /// If their file cannot be read, or one is empty or given twice.
    pub fn class_names(&self) -> Result<Option<Vec<String>>, Error> {
        self.class_names.as_deref().map(class_names).transpose()
    }

    /// The preprocessing: what is given, then what the model says.
    ///
    /// # Errors
    /// If neither says how, or it contradicts the model.
    pub fn preprocess(&self, model: &Classifier) -> Result<Preprocess, Error> {
        let [channels, height, width] = model.input();
        let known = model.card().preprocess.clone();
        if known.is_none() && (self.mean.is_empty() || self.std.is_empty()) {
            return Err(self.unknown(model));
        }
        let mut result =
            self.over(known.unwrap_or_else(|| Preprocess::plain([height, width], channels)));
        result.size = [height, width];
        if let Some(size) = self.size.filter(|size| size.0 != [height, width]) {
            return Err(Error::options(format!(
                "the model takes images of {height}x{width}, `size=` says {size}; leave it out, or say \
                 `fit=cover` to resize the images"
            )));
        }
        if channels != 3 {
            result.order = ChannelOrder::Rgb;
        }
        result.validate()?;
        Ok(result)
    }

    /// `known` with all that is given. Whoever says how images are resized wants them resized, and
    /// whoever wants none resized has no use for what the model says of it.
    pub(super) fn over(&self, mut known: Preprocess) -> Preprocess {
        let resizes = self.size.is_some() || self.crop.is_some() || self.filter.is_some();
        let resized_before = known.fit != Fit::Exact;
        if resizes && !resized_before {
            known.fit = Fit::Cover;
        }
        known.fit = self.fit.unwrap_or(known.fit);
        match known.fit {
            Fit::Exact => (known.crop, known.filter) = (None, None),
            _ if !resized_before => known.filter = Some(Filter::Bilinear),
            _ => {}
        }
        known.crop = self.crop.or(known.crop);
        known.filter = self.filter.or(known.filter);
        if !self.mean.is_empty() {
            known.mean.clone_from(&self.mean);
        }
        if !self.std.is_empty() {
            known.std.clone_from(&self.std);
        }
        known.scale = self.scale.or(known.scale);
        known.order = self.channel_order.unwrap_or(known.order);
        known
    }

    fn unknown(&self, model: &Classifier) -> Error {
        let missing: Vec<&str> = [("`mean=`", &self.mean), ("`std=`", &self.std)]
            .iter()
            .filter(|(_, list)| list.is_empty())
            .map(|(name, _)| *name)
            .collect();
        let (each, example) = match model.input()[0] {
            1 => ("one number", "`mean=0.1307` `std=0.3081`"),
            _ => ("one number or 3", "`mean=0.485,0.456,0.406` `std=0.229,0.224,0.225`"),
        };
        Error::options(format!(
            "`{}` does not say how pixels become its input; pass {} ({each}, applied after scaling bytes by \
             1/255), for example {example}, or `mean=0` `std=1` for plain pixels; annotate writes it into the \
             model for good",
            model.name,
            missing.join(" and ")
        ))
    }
}

/// The names in `text`, a list.
///
/// # Errors
/// If the file it names cannot be read, or a name is empty or given twice.
pub(super) fn class_names(text: &str) -> Result<Vec<String>, Error> {
    let names = classes::items(text)?;
    for (k, name) in names.iter().enumerate() {
        if name.is_empty() || names[..k].contains(name) {
            return Err(Error::options(format!(
                "`class_names=`: `{name}` is empty or given twice"
            )));
        }
    }
    Ok(names)
}
