//! Proof that a component or an assembled model computes what its sources compute.

use std::path::PathBuf;

use brickwork_data::{Dataset, Split};
use brickwork_tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, DataInput, Verb, inputs};
use crate::images::account::TakenSet;
use crate::measure::verify::{Verification, part_images, verify, verify_assembled};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::head::HeadKind;
use crate::model::random::uniform;

/// Prove that a component or an assembled model computes what its sources compute
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Verify {
    /// The source, or all parts in order; the model to verify comes last
    pub models: Vec<PathBuf>,
    /// Which images; random ones if none are given.
    #[serde(flatten)]
    pub data: DataInput,
    /// Images to compare on
    pub images: usize,
}

impl Default for Verify {
    fn default() -> Self {
        Self { models: Vec::new(), data: DataInput::default(), images: 8 }
    }
}

/// What was compared and how far apart it was.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerifyAnswer {
    /// The differences.
    #[serde(flatten)]
    pub verification: Verification,
    /// The name of the verified model.
    pub model: String,
    /// Whether it was assembled; then its parts were compared, not its layers.
    pub assembled: bool,
    /// Images that were compared.
    pub images: usize,
    /// What they were taken of; nothing if they are random.
    pub data: Vec<TakenSet>,
}

impl Verb for Verify {
    type Answer = VerifyAnswer;

    const NAME: &'static str = "verify";

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.models.len() < 2 {
            problems.push(Problem::new(
                "models",
                "name the source, or all parts in order, and then the model to verify",
            ));
        }
        problems.extend(inputs::outside("images", self.images, 1..=4096));
        problems
    }

    fn work(&self, context: &Context<'_>) -> Result<VerifyAnswer, Error> {
        let models = self.models.iter().map(|path| inputs::load(path, context));
        let mut models = models.collect::<Result<Vec<_>, _>>()?;
        let mut model = models.pop().ok_or_else(|| Error::options("no models are given"))?;
        let (images, data) = self.compared(&mut model, context)?;
        let assembled = !model.card().parts.is_empty();
        let verification = if assembled {
            verify_assembled(&model, &models, &images, &part_images(&model, &images)?)?
        } else {
            verify(&models[0], &model, &images)?
        };
        let images = images.shape()[0];
        Ok(VerifyAnswer { verification, model: model.name, assembled, images, data })
    }
}

impl Verify {
    /// The images to compare on, `[n, c, h, w]`, and what they are of.
    fn compared(
        &self,
        model: &mut Classifier,
        context: &Context<'_>,
    ) -> Result<(Tensor, Vec<TakenSet>), Error> {
        if self.data.is_empty() {
            let [c, h, w] = model.input();
            return Ok((uniform([self.images, c, h, w], -1.0, 1.0, context.seed), Vec::new()));
        }
        let preprocess = self.data.pixels.preprocess(model)?;
        let opened = match model.head() {
            HeadKind::Multilabel => self.data.open_any(Split::Test, context)?,
            HeadKind::Single | HeadKind::Binary => self.data.open(Split::Test, context)?,
        };
        let dataset = Dataset::join(opened.iter().map(|one| one.dataset.clone()).collect());
        let count = dataset.len().min(self.images);
        let indices: Vec<usize> = (0..count).map(|k| k * dataset.len() / count).collect();
        let data = inputs::taken_of(&opened, &indices, context);
        Ok((dataset.batch(&indices, &preprocess)?, data))
    }
}
