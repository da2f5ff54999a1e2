//! What differs between two models.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Verb, inputs};
use crate::measure::diff::{Difference, diff};
use crate::model::error::{Error, Problem};

/// Show what differs between two models, layer by layer
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Diff {
    /// The first model
    pub a: PathBuf,
    /// The second
    pub b: PathBuf,
}

impl Verb for Diff {
    type Answer = Difference;

    const NAME: &'static str = "diff";

    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    fn work(&self, context: &Context<'_>) -> Result<Difference, Error> {
        Ok(diff(&inputs::load(&self.a, context)?, &inputs::load(&self.b, context)?))
    }
}
