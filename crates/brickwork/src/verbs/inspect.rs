//! What a model is made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::Size;
use super::{Context, ModelInput, PixelInput, Verb};
use crate::measure::inspect::{Inspection, explain, inspect};
use crate::model::card::InputLayout;
use crate::model::error::{Error, Problem};

/// Layers, shapes, sizes, costs and channel groups of a model
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Inspect {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Say what couples or freezes the channels of this value or node
    pub why: Option<String>,
    /// List every node, not only layers with weights
    pub all: bool,
    /// Height and width, where the model leaves them open
    pub size: Option<Size>,
    /// Order of the input's axes, where the model does not tell: nchw or nhwc
    pub layout: Option<InputLayout>,
}

/// What was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum InspectAnswer {
    /// About the whole model.
    Model(Inspection),
    /// About the channels of one value.
    Channels {
        /// The value or node that was asked for.
        value: String,
        /// What couples or freezes its channels, in sentences.
        why: Vec<String>,
    },
}

impl Verb for Inspect {
    type Answer = InspectAnswer;

    const NAME: &'static str = "inspect";

    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    fn work(&self, context: &Context<'_>) -> Result<InspectAnswer, Error> {
        let model = self.model.load(&PixelInput::of_input(self.size, self.layout), context)?;
        model.notes().iter().for_each(|note| context.progress.note(note));
        Ok(match &self.why {
            None => InspectAnswer::Model(inspect(&model)),
            Some(name) => {
                InspectAnswer::Channels { value: name.clone(), why: explain(&model, name)? }
            }
        })
    }
}
