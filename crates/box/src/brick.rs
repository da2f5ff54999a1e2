//! What is in a box, and how it is looked for.

use schemars::JsonSchema;
use serde::Serialize;

use crate::facts::Facts;

/// A model in a box.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Brick {
    /// `sha256-` and the SHA-256 of its file, in hex.
    pub digest: String,
    /// Its names, with their tags.
    pub names: Vec<String>,
    /// Bytes of its file.
    pub bytes: u64,
    /// What is known of it.
    pub facts: Facts,
}

/// What is looked for. What is left open finds everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// A class that it must have.
    pub class: Option<String>,
    /// What it must have been cut from, or made of.
    pub source: Option<String>,
    /// Bytes that its file must not exceed.
    pub most_bytes: Option<u64>,
    /// Parameters that it must not exceed.
    pub most_params: Option<u64>,
    /// Percent of accuracy that it must have at least; what is not known of, is not found.
    pub least_accuracy: Option<f64>,
    /// The licence that it must have.
    pub licence: Option<String>,
}
