//! A model nearer to another one's scores.

use std::path::PathBuf;

use brickwork_data::Split;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::{self, Labelled};
use super::{Context, DataInput, ModelInput, Verb};
use crate::images::account::DataAccount;
use crate::images::image_set::ImageSet;
use crate::measure::moments::with_moments;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::refit::{Readout, RefitOptions, Towards};

/// Passes that may be asked for.
const MOST_PASSES: usize = 1000;

/// Bring a model's scores nearer to another's by least squares, without labels
///
/// For components that were joined again, or that any tool has pruned: all layers move together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Refit {
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// The model whose scores are wanted; it knows all classes, by name
    pub source: PathBuf,
    /// Images per class, chosen at random from the training split
    pub samples: usize,
    /// Passes over all layers, at most
    pub passes: usize,
    /// Add a linear map from what all layers read to the scores in the end: nodes that the model did not have,
    /// which hardly cost anything
    pub readout: bool,
    /// Where to write the model
    pub output: Option<PathBuf>,
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
}

impl Default for Refit {
    fn default() -> Self {
        Self {
            data: DataInput::default(),
            source: PathBuf::new(),
            samples: 5000,
            passes: RefitOptions::default().passes,
            readout: false,
            output: None,
            model: ModelInput::default(),
        }
    }
}

/// How near a model came.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RefitAnswer {
    /// The file that was written.
    pub output: Option<PathBuf>,
    /// The name of the model whose scores were wanted.
    pub source: String,
    /// The classes.
    pub classes: Vec<String>,
    /// What the data holds of the model's classes.
    pub data: DataAccount,
    /// Images it was refitted on.
    pub images: usize,
    /// Passes over all layers that helped.
    pub passes: usize,
    /// How far the scores were from the wanted ones before and after them, if there were to be any.
    pub divergence: Option<Divergence>,
    /// The readout, if there was to be one and it helped.
    pub readout: Option<Readout>,
    /// The model.
    #[serde(skip)]
    pub model: Classifier,
}

/// Mean divergences from the source's scores (Kullback-Leibler, in nats) on images that took no part.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Divergence {
    /// In the beginning.
    pub before: f64,
    /// In the end.
    pub after: f64,
}

impl Verb for Refit {
    type Answer = RefitAnswer;

    const NAME: &'static str = "refit";

    fn problems(&self) -> Vec<Problem> {
        let nothing = (self.passes == 0 && !self.readout).then(|| {
            let message = "`passes=0` leaves nothing to do but a readout; add `readout=`";
            Problem::new("passes", message)
        });
        let many = (self.passes > MOST_PASSES)
            .then(|| Problem::new("passes", format!("`passes=` goes from 0 to {MOST_PASSES}")));
        let data = self.data.needed("scores are brought nearer to another model's on images");
        let files = inputs::unwritable(self.output.iter().map(|path| ("output", path)));
        let none = inputs::no_count("samples", Some(self.samples));
        files.chain(data).chain(none).chain(nothing).chain(many).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<RefitAnswer, Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        if self.readout {
            inputs::exclusive(&model, "a readout (`readout=`)")?;
        }
        let source = inputs::load(&self.source, context)?;
        let preprocess = self.data.pixels.preprocess(&model)?;
        let Labelled { sources, present, account, .. } =
            self.data.labelled_or_answered(&mut model, None, Split::Train, context)?;
        self.data.pixels.question(&sources, &preprocess, context)?;
        let model = inputs::described(&model, &preprocess)?;
        if model.card().reject.is_some() {
            let note = "its threshold is dropped, scores will change; fit it again (reject)";
            context.progress.note(note);
        }
        let towards = Towards::new(&model, &source)?;
        let wanted: Vec<_> = present.into_iter().map(|class| (class, self.samples)).collect();
        let images = ImageSet::random(&sources, &wanted, context.seed, &preprocess)?;
        let options = RefitOptions {
            seed: context.seed,
            passes: self.passes,
            readout: self.readout,
            ..RefitOptions::default()
        };
        let (mut ready, nearer) = towards.refit(&images, &options, context.progress)?;
        if model.card().moments.is_some() {
            ready = with_moments(&ready, &preprocess, &sources, context.seed)?;
        }
        if let Some(path) = &self.output {
            context.save(&ready, path)?;
        }
        Ok(RefitAnswer {
            output: self.output.clone(),
            source: source.name,
            classes: ready.class_names(),
            data: account,
            images: images.len(),
            passes: nearer.passes.map_or(0, |found| found.passes),
            divergence: nearer
                .passes
                .map(|found| Divergence { before: found.before, after: found.after }),
            readout: nearer.readout,
            model: ready,
        })
    }
}
