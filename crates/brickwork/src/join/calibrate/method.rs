//! The ways to calibrate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::percent::Percent;

/// How to calibrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Factors and shifts back to 1 and 0.
    None,
    /// The published head scaling: every class's logit times 1 over the mean of its winning logits on
    /// images its own part classifies correctly.
    Paper,
    /// The paper's layer-wise equations 12 to 14: every output of every layer times the mean
    /// activation of all parts' outputs over its own.
    Layerwise,
    /// A temperature per part and a bias per class that minimise the cross-entropy over all classes.
    Affine,
    /// As affine, and for every part a number added to all its logits: a linear map of its own last
    /// features and logits, which learns from the other parts' images what is not the part's.
    Background,
    /// As affine, and for every class a number added to its logits: a linear map of all parts' last
    /// features and logits (5 images of a class or more).
    Linear,
}

impl Method {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Paper => "paper",
            Self::Layerwise => "layerwise",
            Self::Affine => "affine",
            Self::Background => "background",
            Self::Linear => "linear",
        }
    }
}

/// What to say when a calibration loses accuracy on the very images it was made from.
pub(super) fn loss_of(method: Method, before: f64, after: f64) -> Option<String> {
    (after < before).then(|| {
        format!(
            "the method {} lowers the accuracy on the calibration images from {} to {}; compare with \
             the model as it was assembled, or with another method",
            method.name(),
            Percent::of(before).cell(),
            Percent::of(after)
        )
    })
}
