//! Class names and preprocessing, written into a model.

use std::path::PathBuf;

use brickwork_data::Preprocess;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, ModelInput, PixelInput, Verb, inputs};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};

/// Write class names and preprocessing into a model
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Annotate {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Where to write the model
    pub output: Option<PathBuf>,
    /// What to write into it.
    #[serde(flatten)]
    pub pixels: PixelInput,
}

/// What the model says now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AnnotateAnswer {
    /// Where it was written.
    pub output: Option<PathBuf>,
    /// Names of its classes.
    pub classes: Vec<String>,
    /// How pixels become its input, if it says so now.
    pub preprocess: Option<Preprocess>,
    /// The model.
    #[serde(skip)]
    pub model: Classifier,
}

impl Verb for Annotate {
    type Answer = AnnotateAnswer;

    const NAME: &'static str = "annotate";

    fn problems(&self) -> Vec<Problem> {
        inputs::unwritable(self.output.as_ref().map(|path| ("output", path))).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<AnnotateAnswer, Error> {
        let mut model = self.model.load(&self.pixels, context)?;
        model.notes().iter().for_each(|note| context.progress.note(note));
        if model.card().preprocess.is_some() || self.pixels.prepares() {
            let preprocess = self.pixels.preprocess(&model)?;
            self.pixels.question_bytes(&preprocess, context)?;
            model = inputs::described(&model, &preprocess)?;
        }
        if let Some(path) = &self.output {
            context.save(&model, path)?;
        }
        let (output, classes) = (self.output.clone(), model.class_names());
        let preprocess = model.card().preprocess.clone();
        Ok(AnnotateAnswer { output, classes, preprocess, model })
    }
}
