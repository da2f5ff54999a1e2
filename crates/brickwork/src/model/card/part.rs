//! What an assembled model says of its parts, and of how their scores were made comparable.

use std::collections::BTreeMap;

use brickwork_data::Preprocess;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::moments::Moments;
use super::origin::Origin;

/// One part of an assembled model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name: the file it came from.
    pub name: String,
    /// The graph's fingerprint.
    pub fingerprint: String,
    /// Class names, by logit, before any were merged.
    pub classes: Vec<String>,
    /// For each of its logits, the score of the assembled model it went to.
    pub logits: Vec<usize>,
    /// Its own preprocessing.
    pub preprocess: Preprocess,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What its scores look like on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments: Option<Moments>,
    /// What other versions say besides.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// What becomes of classes that several parts share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnDuplicate {
    /// They are refused.
    #[default]
    Refuse,
    /// The larger score counts.
    Max,
    /// The mean of the scores counts.
    Mean,
    /// They stay apart, each under its part's name.
    KeepBoth,
}

impl OnDuplicate {
    /// The score of a class from the scores that parts give it.
    pub(crate) fn join(how: Option<Self>, scores: impl ExactSizeIterator<Item = f32>) -> f32 {
        let count = scores.len();
        match how {
            Some(Self::Mean) => scores.sum::<f32>() / count as f32,
            _ => scores.fold(f32::NEG_INFINITY, f32::max),
        }
    }
}

/// How an assembled model was calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibrationNote {
    /// The method's name.
    pub method: String,
    /// Calibration images.
    pub images: usize,
    /// Factor of every part's every logit, part by part.
    pub scale: Vec<f32>,
    /// Added to every logit after the factor.
    pub shift: Vec<f32>,
    /// What had to be said about single classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What images held out in turns say of it, where the method holds some out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOutCounts>,
}

/// Calibration images, each judged by what was fitted without it: they are held out in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldOutCounts {
    /// How many.
    pub images: usize,
    /// Those whose class had the best score as the parts give it.
    pub right_before: usize,
    /// Those whose class has the best calibrated score.
    pub right_after: usize,
}
