//! What a box knows of a model.

use brickwork::{Card, Classifier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// What its file was called, without the ending.
    pub called: String,
    /// What it is.
    pub kind: Kind,
    /// The names of its classes, in the order of its scores.
    pub classes: Vec<String>,
    /// Learned parameters.
    pub params: u64,
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Channels, height and width of its input.
    pub input: [usize; 3],
    /// What tells its network from others.
    pub fingerprint: String,
    /// The model that it was cut from, or the parts that it is made of, by name.
    pub sources: Vec<String>,
    /// The fingerprint of the model that it was cut from.
    pub source_fingerprint: Option<String>,
    /// Accuracy in percent, where somebody said so.
    pub accuracy: Option<f64>,
    /// The licence, where somebody said so.
    pub licence: Option<String>,
}

/// What a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It was not made by taking others apart or joining them.
    Model,
    /// It was cut from another.
    Component,
    /// It is made of components.
    Assembly,
}

impl Facts {
    /// What a model says of itself.
    pub(crate) fn of(model: &Classifier) -> Self {
        let card: &Card = model.card();
        let (kind, sources) = match &card.origin {
            _ if !card.parts.is_empty() => {
                (Kind::Assembly, card.parts.iter().map(|part| part.name.clone()).collect())
            }
            Some(origin) => (Kind::Component, vec![origin.source.clone()]),
            None => (Kind::Model, Vec::new()),
        };
        let metadata = model.graph().metadata();
        let licence = ["license", "licence"].iter().find_map(|key| metadata.get(*key));
        Self {
            called: model.name.clone(),
            kind,
            classes: model.class_names(),
            params: model.graph().parameters() as u64,
            macs: model.graph().macs(),
            input: model.input(),
            fingerprint: model.fingerprint(),
            sources,
            source_fingerprint: card.origin.as_ref().map(|origin| origin.fingerprint.clone()),
            accuracy: None,
            licence: licence.cloned(),
        }
    }
}
