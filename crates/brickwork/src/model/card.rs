//! What Brickwork knows about a model beyond its graph. It travels in the file's metadata, as JSON
//! under one key.

mod criterion;
mod moments;
mod origin;
mod part;
mod reject;
mod thresholds;

pub use criterion::Criterion;
pub use moments::Moments;
pub use origin::{KeptLayer, Origin, RefitNote, SampleNote};
pub use part::{CalibrationNote, OnDuplicate, Part};
pub use reject::Reject;
pub use thresholds::{Rule, Thresholds};

use brickwork_data::Preprocess;
use brickwork_graph::{Graph, Patch};
use serde::{Deserialize, Serialize};

use crate::model::error::Error;

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

impl Card {
    /// The card in a graph's metadata; empty if it has none.
    ///
    /// # Errors
    /// If the metadata is there but cannot be understood.
    pub fn of(graph: &Graph) -> Result<Self, Error> {
        match graph.metadata().get(KEY) {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                Error::model(format!("the model's `{KEY}` metadata cannot be understood: {error}"))
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

    /// The graph with this card in its metadata, as it is stored.
    ///
    /// # Errors
    /// If the card cannot be written as JSON.
    pub fn on(&self, graph: &Graph) -> Result<Graph, Error> {
        let tool = format!("brickwork {}", env!("CARGO_PKG_VERSION"));
        let text = serde_json::to_string(&Self { tool, ..self.clone() }).map_err(|error| {
            Error::model(format!("the model's card cannot be written: {error}"))
        })?;
        let mut patch = Patch::new("describing the model");
        patch.metadata(KEY, text);
        Ok(patch.apply(graph)?)
    }
}
