//! What a component keeps.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Verb, inputs};
use crate::model::card::Origin;
use crate::model::error::{Error, Problem};
use crate::model::layers::layers;

/// Show what a component keeps of each layer
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Masks {
    /// The component
    pub model: PathBuf,
}

/// Where a component comes from and what it keeps.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MasksAnswer {
    /// What its card says.
    #[serde(flatten)]
    pub origin: Origin,
    /// Names of its classes.
    pub class_names: Vec<String>,
    /// Its layers in running order.
    pub layers: Vec<String>,
}

impl Verb for Masks {
    type Answer = MasksAnswer;

    const NAME: &'static str = "masks";

    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    fn work(&self, context: &Context<'_>) -> Result<MasksAnswer, Error> {
        let model = inputs::load(&self.model, context)?;
        let origin = model.card().origin.clone().ok_or_else(|| {
            Error::model(format!(
                "`{}` does not say what it was cut from; give a component made by `brickwork disassemble`",
                model.name
            ))
        })?;
        let layers = layers(model.graph()).into_iter().map(|layer| layer.name).collect();
        Ok(MasksAnswer { origin, class_names: model.class_names(), layers })
    }
}
