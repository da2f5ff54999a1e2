//! What Brickwork knows about a model beyond its graph. It travels in the file's metadata, as JSON
//! under one key.

mod check;
mod criterion;
mod layout;
mod moments;
mod origin;
mod part;
mod reject;
mod thresholds;

pub use criterion::Criterion;
pub use layout::InputLayout;
pub use moments::Moments;
pub use origin::{KeptLayer, Origin, RefitNote, SampleNote, SourceAgreement};
pub use part::{CalibrationNote, HeldOutCounts, OnDuplicate, Part};
pub use reject::Reject;
pub use thresholds::{Rule, Thresholds};

use std::collections::BTreeMap;

use brickwork_data::Preprocess;
use brickwork_formats::fingerprint;
use brickwork_graph::{Graph, Patch};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::error::Error;
use crate::model::head::Head;
use crate::model::text::stored;

/// The metadata key.
pub const KEY: &str = "brickwork";

/// The facts about a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The form of the card; 0 for one that was not yet written, 1 for files without a number.
    #[serde(default = "first")]
    pub version: u32,
    /// What wrote the file.
    #[serde(default)]
    pub tool: String,
    /// Fingerprint of the network as it was written, for what was cut or assembled: what a refit, a
    /// calibration or training made of it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// Class names, by logit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// How pixels become the network's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocess: Option<Preprocess>,
    /// How the axes of the input lie in the file, if other than `[n, c, h, w]`. In memory they never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<InputLayout>,
    /// How its scores stand in the file, if it does not give one for each of several classes that exclude
    /// each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
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
    /// What other versions say besides.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// The form of cards that are written.
const VERSION: u32 = 2;

fn first() -> u32 {
    1
}

impl Card {
    /// The card in a graph's metadata; empty if it has none.
    ///
    /// # Errors
    /// If the metadata is there but cannot be understood.
    pub fn of(graph: &Graph) -> Result<Self, Error> {
        match graph.metadata().get(KEY) {
            None => Ok(Self::default()),
            Some(text) => Self::read(text).map_err(|why| {
                Error::model(format!("the model's `{KEY}` metadata cannot be understood: {why}"))
            }),
        }
    }

    /// The card that is written as `text`.
    ///
    /// # Errors
    /// If it is no card, or of a version that is not known yet.
    pub fn read(text: &str) -> Result<Self, String> {
        let card: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match card.version {
            0..=VERSION => Ok(card),
            newer => {
                Err(format!("it is of version {newer}, this program knows {VERSION}; update it"))
            }
        }
    }

    /// The graph with this card in its metadata, as it is stored: its input in the order of axes and its
    /// scores in the form that the card names.
    ///
    /// # Errors
    /// If the card cannot be written as JSON: a number in it is not finite.
    pub fn on(&self, graph: &Graph) -> Result<Graph, Error> {
        let made = self.origin.is_some() || !self.parts.is_empty();
        let card = Self {
            version: VERSION,
            tool: format!("brickwork {}", env!("CARGO_PKG_VERSION")),
            written: made.then(|| fingerprint(graph)),
            ..self.clone()
        };
        let text = stored(&card)
            .map_err(|why| Error::model(format!("the model's card cannot be written: {why}")))?;
        let mut patch = Patch::new("describing the model");
        patch.metadata(KEY, text);
        let mut stored = patch.apply(graph)?;
        if let Some(head) = &self.head {
            stored = head.stored(&stored)?;
        }
        match self.layout {
            Some(layout) => layout.stored(&stored),
            None => Ok(stored),
        }
    }
}
