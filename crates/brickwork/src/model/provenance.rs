//! How a file was made: the requests that led to it, which travel in its metadata.
//!
//! A file that was made of the same, by the same requests and under the same names, says the same, wherever it was made: of
//! what was there before only names without folders and digests are kept.

use brickwork_graph::{Graph, Patch};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::error::Error;

/// The key of a model's metadata.
pub const RECIPE_KEY: &str = "brickwork.recipe";

/// The form of what is written.
const VERSION: u32 = 1;

/// From what was there before to a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The form; 0 for what was not yet written.
    pub version: u32,
    /// What was there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceFile>,
    /// The requests, each behind those whose results it reads. The last made the file.
    pub steps: Vec<MadeStep>,
}

/// A file or folder that was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// What requests call it, behind an `@`.
    pub name: String,
    /// What it is called, without the folders above it.
    pub file: String,
    /// Its digest, where it was a file or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MadeStep {
    /// What requests call its result, behind an `@`; empty for the last, which is called as its file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The stem of its file's name; empty for the last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stem: String,
    /// The verb.
    pub verb: String,
    /// The seed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seed: u64,
    /// The options that have not their defaults, but for what was written.
    pub request: Map<String, Value>,
    /// The digest of its file, if it is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(seed: &u64) -> bool {
    *seed == 0
}

impl Provenance {
    /// How the model of a graph was made, if its metadata tells.
    ///
    /// # Errors
    /// If it tells what cannot be understood.
    pub fn of(graph: &Graph) -> Result<Option<Self>, Error> {
        graph.metadata().get(RECIPE_KEY).map(|text| Self::read(text)).transpose()
    }

    /// What is written as `text`.
    ///
    /// # Errors
    /// If it is no such thing, or of a version that is not known yet.
    pub fn read(text: &str) -> Result<Self, Error> {
        let odd = |why: String| {
            Error::model(format!("the `{RECIPE_KEY}` metadata cannot be understood: {why}"))
        };
        let found: Self = serde_json::from_str(text).map_err(|error| odd(error.to_string()))?;
        match found.version {
            VERSION if !found.steps.is_empty() => Ok(found),
            VERSION => Err(odd("it names no request".to_owned())),
            other => Err(odd(format!("it is of version {other}, this program knows {VERSION}"))),
        }
    }

    /// The graph with this in its metadata, or with nothing of the kind.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub(crate) fn on(this: Option<&Self>, graph: &Graph) -> Result<Graph, Error> {
        let mut patch = Patch::new("telling how the model was made");
        match this {
            Some(provenance) => patch.metadata(RECIPE_KEY, provenance.text()?),
            None => patch.no_metadata(RECIPE_KEY),
        }
        Ok(patch.apply(graph)?)
    }

    /// Its text.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub(crate) fn text(&self) -> Result<String, Error> {
        let written = Self { version: VERSION, ..self.clone() };
        serde_json::to_string(&written).map_err(|error| Error::file(error.to_string()))
    }
}
