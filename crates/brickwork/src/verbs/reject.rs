//! A threshold below which an image is of none of a model's classes.

use std::path::PathBuf;

use brickwork_data::Split;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::{self, Labelled};
use super::{Context, DataInput, ModelInput, Share, Verb};
use crate::images::account::DataAccount;
use crate::measure::reject::{RejectAt, fit_reject};
use crate::model::card;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::percent::Percent;

/// Share of foreign images that are accepted where nothing else is asked for.
const USUAL_RATE: Share = Share(0.05);

/// Fit the score below which an image is of none of a model's classes
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Reject {
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// Images of which none is of the model's classes, besides such images of the data. Repeat for
    /// several
    pub foreign: Vec<PathBuf>,
    /// Share of foreign images that may be accepted [default: 5%]
    pub rate: Option<Share>,
    /// Share of the model's own images to accept instead; needs no foreign ones
    pub recall: Option<Share>,
    /// Where to write the model
    pub output: Option<PathBuf>,
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
}

/// The threshold.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RejectAnswer {
    /// The file that was written.
    pub output: Option<PathBuf>,
    /// What the data holds of the model's classes.
    pub data: DataAccount,
    /// What was fitted.
    pub reject: Option<FittedThreshold>,
    /// The model.
    #[serde(skip)]
    pub model: Classifier,
}

/// A threshold of the top score, and what it does to the images it was fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FittedThreshold {
    /// The threshold: an image is accepted if its top score is above it.
    pub threshold: f32,
    /// Own images it was fitted on.
    pub own_images: usize,
    /// Foreign images it was fitted on.
    pub foreign_images: usize,
    /// Share of these own images that are accepted.
    pub recall: Percent,
    /// Share of these foreign images that are accepted, if there were any.
    pub false_accepts: Option<Percent>,
}

impl From<card::Reject> for FittedThreshold {
    fn from(fitted: card::Reject) -> Self {
        let card::Reject { threshold, own_images, foreign_images, recall, false_accepts } = fitted;
        Self {
            threshold,
            own_images,
            foreign_images,
            recall: Percent::of(recall),
            false_accepts: false_accepts.map(Percent::of),
        }
    }
}

impl Verb for Reject {
    type Answer = RejectAnswer;

    const NAME: &'static str = "reject";

    fn problems(&self) -> Vec<Problem> {
        let both = (self.rate.is_some() && self.recall.is_some()).then(|| {
            let message = "a threshold is fitted by `rate=` or by `recall=`, not by both";
            Problem::new("recall", message)
        });
        let data = self.data.needed("a threshold is fitted to the scores of images");
        let files = inputs::unwritable(self.output.iter().map(|path| ("output", path)));
        files.chain(data).chain(both).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<RejectAnswer, Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        inputs::exclusive(&model, "reject")?;
        let preprocess = self.data.pixels.preprocess(&model)?;
        let Labelled { mut sources, account, .. } =
            self.data.labelled(&mut model, None, Split::Train, context)?;
        sources.extend(self.data.foreign(&self.foreign, Split::Train, context)?);
        self.data.pixels.question(&sources, &preprocess, context)?;
        let model = inputs::described(&model, &preprocess)?;
        let at = match self.recall {
            Some(Share(share)) => RejectAt::Recall(share),
            None => RejectAt::FalseAccepts(self.rate.unwrap_or(USUAL_RATE).0),
        };
        let ready = fit_reject(&model, &preprocess, &sources, at, context.progress)?;
        if let Some(path) = &self.output {
            context.save(&ready, path)?;
        }
        Ok(RejectAnswer {
            output: self.output.clone(),
            data: account,
            reject: ready.card().reject.map(FittedThreshold::from),
            model: ready,
        })
    }
}
