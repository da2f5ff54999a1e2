//! What Brickwork knows about a model beyond its graph. It travels in the file's metadata, as JSON
//! under one key.

use std::collections::BTreeMap;

use brickwork_data::Preprocess;
use brickwork_graph::Graph;
use serde::{Deserialize, Serialize};

use crate::criterion::Criterion;
use crate::error::Error;
use crate::link::{Rule, Thresholds};
use crate::moments::Moments;
use crate::reject::Reject;

/// The metadata key.
pub const KEY: &str = "brickwork";

/// The facts about a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// What wrote the file.
    #[serde(default)]
    pub tool: String,
    /// Class names, by logit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// How pixels become the network's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocess: Option<Preprocess>,
    /// Where a component comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What a component's scores look like on images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments: Option<Moments>,
    /// What an assembled model is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// How classes that several parts share were joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<OnDuplicate>,
    /// How the parts' scores were made comparable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationNote>,
    /// Below which its top score counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reject: Option<Reject>,
}

/// How a component was cut out of its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The source model's name.
    pub source: String,
    /// The source graph's fingerprint.
    pub fingerprint: String,
    /// The task: indices of its classes in the source.
    pub classes: Vec<usize>,
    /// How many classes the source has.
    pub of: usize,
    /// How relevance was linked; none if the channels were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// Thresholds used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,
    /// What the channels were chosen by, if they were given up step by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criterion: Option<Criterion>,
    /// The kept channels, by the source node's name, in the source's numbers.
    pub kept: BTreeMap<String, KeptLayer>,
    /// For the reference rule: inputs that each layer reads; the weights of its others are zero.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, Vec<usize>>,
    /// Largest difference between the cut graph and the masked source, relative to the largest
    /// logit, before any refit.
    pub checked: f32,
    /// The refit that followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refit: Option<RefitNote>,
    /// The samples behind the profile, per class of the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<SampleNote>,
}

/// Channels of a layer that were kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLayer {
    /// Input channels (features, for a linear layer).
    pub input: Vec<usize>,
    /// Output channels.
    pub output: Vec<usize>,
}

/// How a component was refitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefitNote {
    /// Calibration images.
    pub images: usize,
    /// Rows of the least-squares problem of a layer, at most.
    pub rows: usize,
    /// Ridge, relative to the mean diagonal of the second moments.
    pub lambda: f64,
    /// Whether layers put right what earlier ones got wrong in the values they are added to.
    #[serde(default)]
    pub corrects: bool,
    /// How often a layer was solved again with what its activation flattens left free.
    #[serde(default)]
    pub rounds: usize,
    /// Passes over all layers together that brought the scores closer to the source's.
    #[serde(default)]
    pub passes: usize,
    /// Features of the readout of all layers; 0 without one.
    #[serde(default)]
    pub readout: usize,
    /// Seed of the choice of images and rows.
    pub seed: u64,
}

/// The profiled samples of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleNote {
    /// Its index in the source.
    pub class: usize,
    /// How many samples.
    pub count: usize,
    /// Their places in the data, most confident first; left out where every sample was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indices: Vec<usize>,
    /// Their margins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub margins: Vec<f32>,
}

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
}

/// What becomes of classes that several parts share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

impl Card {
    /// The card in a graph's metadata; empty if it has none.
    ///
    /// # Errors
    /// If the metadata is there but cannot be understood.
    pub fn of(graph: &Graph) -> Result<Self, Error> {
        match graph.metadata().get(KEY) {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                Error::Model(format!("the model's `{KEY}` metadata cannot be understood: {error}"))
            }),
        }
    }

    /// How the card contradicts a model of `scores` classes and `input` channels, height and width.
    pub(crate) fn problem(&self, scores: usize, input: [usize; 3]) -> Option<String> {
        if !self.classes.is_empty() && self.classes.len() != scores {
            return Some(format!(
                "names {} classes, but it has {scores} scores",
                self.classes.len()
            ));
        }
        if let Some(own) = &self.preprocess {
            if let Err(error) = own.validate() {
                return Some(format!("has preprocessing that is not valid: {error}"));
            }
            if [own.channels, own.size[0], own.size[1]] != input {
                let [c, h, w] = input;
                return Some(format!(
                    "says images are {}x{} with {} channels, but its input is {h}x{w} with {c}",
                    own.size[0], own.size[1], own.channels
                ));
            }
        }
        let raw: usize = self.parts.iter().map(|part| part.logits.len()).sum();
        for part in &self.parts {
            if part.logits.len() != part.classes.len() || part.logits.iter().any(|&k| k >= scores) {
                return Some(format!(
                    "describes part `{}` with scores it does not have",
                    part.name
                ));
            }
        }
        let fits = |note: &CalibrationNote| note.scale.len() == raw && note.shift.len() == raw;
        match &self.calibration {
            Some(note) if !fits(note) => {
                Some(format!("calibrates other than its parts' {raw} scores"))
            }
            _ => None,
        }
    }

    /// The card as it is stored.
    pub fn to_json(&self) -> String {
        let card =
            Self { tool: format!("brickwork {}", env!("CARGO_PKG_VERSION")), ..self.clone() };
        serde_json::to_string(&card).unwrap_or_default()
    }
}
