//! What differs between two models.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Verb, inputs};
use crate::measure::diff::{Difference, diff};
use crate::model::error::{Error, Problem};
use crate::show::node_data;

/// Show what differs between two models, layer by layer
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Diff {
    /// The first model
    pub a: PathBuf,
    /// The second
    pub b: PathBuf,
    /// Write for Model Explorer what the second has left of every node: kept output channels to this file,
    /// parameters and multiply-accumulates to FILE.params.json and FILE.macs.json
    pub node_data: Option<PathBuf>,
}

impl Verb for Diff {
    type Answer = Difference;

    const NAME: &'static str = "diff";

    fn problems(&self) -> Vec<Problem> {
        let files = self.node_data.iter().flat_map(|path| node_data::files(path));
        let files: Vec<PathBuf> = files.collect();
        inputs::unwritable(files.iter().map(|path| ("node_data", path))).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<Difference, Error> {
        let (a, b) = (inputs::load(&self.a, context)?, inputs::load(&self.b, context)?);
        let found = diff(&a, &b);
        self.node_data.iter().try_for_each(|path| node_data::write(path, &found.layers, &b))?;
        Ok(found)
    }
}
