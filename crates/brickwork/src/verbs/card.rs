//! A model card for the Hugging Face hub.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, DataInput, Eval, ModelInput, Verb, inputs};
use crate::measure::inspect::inspect;
use crate::model::error::{Error, Problem};
use crate::show::hub::{Figures, HubFacts, model_card};

/// Write a model card as the Hugging Face hub expects it, in Markdown
///
/// What the file does not know is only there if it is said: the licence, and what models and data sets are called
/// on the hub. Figures are those that are measured for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Card {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Which images, to measure it on.
    #[serde(flatten)]
    pub data: DataInput,
    /// The model it was cut from, to compare with
    pub source: Option<PathBuf>,
    /// Its licence, as the hub calls it, such as apache-2.0
    pub license: Option<String>,
    /// The model it was made of, as the hub calls it, such as timm/resnet18.a1_in1k
    pub base_model: Option<String>,
    /// A data set that it knows, as the hub calls it. Repeat for several; the head names a figure only where it is of one
    pub datasets: Vec<String>,
    /// Where to write the card [default: standard output]
    pub output: Option<PathBuf>,
}

/// A model card.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CardAnswer {
    /// Where it was written.
    pub output: Option<PathBuf>,
    /// The card.
    pub card: String,
}

impl Verb for Card {
    type Answer = CardAnswer;

    const NAME: &'static str = "card";

    fn problems(&self) -> Vec<Problem> {
        let file = self.output.iter().map(|path| ("output", path));
        self.eval().lonely_source().into_iter().chain(inputs::unwritable(file)).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<CardAnswer, Error> {
        let model = self.model.load(&self.data.pixels, context)?;
        let eval = self.eval().if_images(context)?;
        let facts = HubFacts {
            licence: self.license.as_deref(),
            base_model: self.base_model.as_deref(),
            datasets: &self.datasets,
        };
        let figures = eval.as_ref().map(|eval| Figures {
            report: &eval.report,
            data: &eval.data,
            with_source: self.source.is_some(),
        });
        let card = model_card(&inspect(&model), model.card(), &facts, figures);
        if let Some(path) = &self.output {
            context.write(card.as_bytes(), path)?;
        }
        Ok(CardAnswer { output: self.output.clone(), card })
    }
}

impl Card {
    /// What is measured of it.
    fn eval(&self) -> Eval {
        Eval {
            model: self.model.clone(),
            data: self.data.clone(),
            source: self.source.clone(),
            no_latency: true,
            ..Eval::default()
        }
    }
}
