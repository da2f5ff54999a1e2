//! Models that learn more.

use brickwork_data::Split;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::training::FURTHER;
use super::{Context, DataInput, ModelInput, RunInput, TrainAnswer, Verb};
use crate::model::card::Card;
use crate::model::error::{Error, Problem};
use crate::train::{Labels, Score, TrainOptions, score};

/// Train a model further: cut, assembled, or any other
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Finetune {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// Weights that are 0 stay 0: the blocks between the parts of a padded assembly
    pub keep_zero_blocks: bool,
    /// How the run goes.
    #[serde(flatten)]
    pub run: RunInput,
}

/// What a model was and what it became.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FinetuneAnswer {
    /// The run.
    #[serde(flatten)]
    pub run: TrainAnswer,
    /// On the images held out, before.
    pub score1: Option<Score>,
    /// On the images held out, after.
    pub score2: Option<Score>,
}

impl Verb for Finetune {
    type Answer = FinetuneAnswer;

    const NAME: &'static str = "finetune";

    fn problems(&self) -> Vec<Problem> {
        let mut found = self.run.problems(FURTHER);
        found.extend(self.data.needed("models learn from images"));
        found
    }

    fn work(&self, context: &Context<'_>) -> Result<FinetuneAnswer, Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        let preprocess = self.data.pixels.preprocess(&model)?;
        let data = self.data.labelled_whole(&mut model, None, Split::Train, context)?;
        self.data.pixels.question(&data.sources, &preprocess, context)?;
        if model.card().reject.is_some() {
            context
                .progress
                .note("its threshold is dropped, scores will change; fit it again (reject)");
            model = model.with_card(Card { reject: None, ..model.card().clone() })?;
        }
        let images = self.run.images(data, context)?;
        let measure = |held| score(&model, held, &preprocess, context.progress);
        let score1 = images.held.as_ref().map(measure).transpose()?;
        let mut labels = Labels { smoothing: self.run.smoothing, head: model.head() };
        let options = TrainOptions {
            keep_zeros: self.keep_zero_blocks,
            ..self.run.options(FURTHER, context.seed)
        };
        let run = self.run.train(&model, &images, &preprocess, &options, &mut labels, context)?;
        let score2 = run.best().and_then(|epoch| epoch.held);
        let accuracy = |score: Option<Score>| score.map(|score| score.accuracy);
        if accuracy(score2) < accuracy(score1) {
            context.progress.note(
                "no epoch did as well as the model did before, on held out images: try a lower `lr=`, \
                 clipped gradients (`clip=1`), or more images",
            );
        }
        Ok(FinetuneAnswer { run, score1, score2 })
    }
}
