//! How much of other classes a component still knows.

use std::path::PathBuf;

use brickwork_data::{Preprocess, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::{self, Opened, note_merged, taken_of};
use super::{Context, DataInput, Verb};
use crate::images::account::TakenSet;
use crate::images::matching::{Matching, Numbered};
use crate::images::source::Source;
use crate::measure::probe::{self, ProbeImages, probe};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};

/// See how much of other classes a component still knows
///
/// A linear classifier is fitted on what the last layer reads, on training images, and measured on test
/// images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Probe {
    /// The component, and models to compare it with
    pub models: Vec<PathBuf>,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// Classes of the data to tell apart [default: those the first model lacks]
    pub classes: Option<String>,
    /// Training images per class
    pub samples: usize,
}

impl Default for Probe {
    fn default() -> Self {
        Self { models: Vec::new(), data: DataInput::default(), classes: None, samples: 500 }
    }
}

/// What the models know.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProbeAnswer {
    /// The classes that were told apart.
    pub classes: Vec<String>,
    /// Every model, in order.
    pub models: Vec<ProbedModel>,
    /// What the linear classifiers were fitted on.
    pub fitted: Vec<TakenSet>,
    /// What they were measured on.
    pub measured: Vec<TakenSet>,
}

/// What a model knows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProbedModel {
    /// Its name.
    pub name: String,
    /// What a linear classifier makes of its features.
    pub probe: probe::Probe,
}

impl Verb for Probe {
    type Answer = ProbeAnswer;

    const NAME: &'static str = "probe";

    fn problems(&self) -> Vec<Problem> {
        let models = self.models.is_empty();
        let models = models.then(|| Problem::new("models", "there is no model to probe"));
        let split = self.data.split.map(|_| {
            let message = "a probe is fitted on the training split and measured on the test split; leave \
                           `split=` out";
            Problem::new("split", message)
        });
        let data = self.data.needed("a probe is fitted and measured on images");
        let none = inputs::no_count("samples", Some(self.samples));
        models.into_iter().chain(split).chain(data).chain(none).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<ProbeAnswer, Error> {
        let models = self.models.iter().map(|path| inputs::load(path, context));
        let models = models.collect::<Result<Vec<_>, _>>()?;
        models.iter().try_for_each(|model| inputs::exclusive(model, "probe"))?;
        let preprocess = self.preprocess(&models)?;
        let train = self.data.open(Split::Train, context)?;
        note_merged(train.iter(), context);
        let sets = [train, self.data.open(Split::Test, context)?];
        let (train, test) = (joined(&sets[0])?, joined(&sets[1])?);
        for preprocess in &preprocess {
            self.data.pixels.question(std::slice::from_ref(&train), preprocess, context)?;
        }
        let names = distinct(train.dataset.classes());
        let classes = match &self.classes {
            Some(text) => inputs::chosen(Some(text), &names, context)?,
            None => unknown_to(&models[0], &names)?,
        };
        let classes: Vec<String> = classes.into_iter().map(|class| names[class].clone()).collect();
        let fitted = ProbeImages::of(&train, &classes, self.samples, context.seed);
        let measured = ProbeImages::of(&test, &classes, usize::MAX, context.seed);
        let probed = models.iter().zip(&preprocess).map(|(model, preprocess)| {
            let count = classes.len();
            let probe = probe(model, preprocess, &fitted, &measured, count, context.progress)?;
            Ok(ProbedModel { name: model.name.clone(), probe })
        });
        let models = probed.collect::<Result<_, Error>>()?;
        let taken =
            |k: usize, images: &ProbeImages<'_>| taken_of(&sets[k], &images.samples, context);
        let (fitted, measured) = (taken(0, &fitted), taken(1, &measured));
        Ok(ProbeAnswer { models, fitted, measured, classes })
    }
}

impl Probe {
    /// The preprocessing of every model, or all that is wrong with it at once.
    fn preprocess(&self, models: &[Classifier]) -> Result<Vec<Preprocess>, Error> {
        let mut problems = Vec::new();
        let found = models.iter().filter_map(|model| {
            let found = self.data.pixels.preprocess(model);
            found.map_err(|error| problems.push(Problem::new("models", error.to_string()))).ok()
        });
        let found = found.collect();
        Problem::refuse(problems)?;
        Ok(found)
    }
}

/// All data sets as one.
fn joined(sets: &[Opened]) -> Result<Source, Error> {
    let foreign = |one: &Opened| Source::all_foreign(one.label.clone(), one.dataset.clone());
    Source::join(sets.iter().map(foreign).collect())
}

/// Every name once: what is called the same in several data sets is one class.
fn distinct(names: &[String]) -> Vec<String> {
    let first = |(place, name): &(usize, &String)| !names[..*place].contains(name);
    names.iter().enumerate().filter(first).map(|(_, name)| name.clone()).collect()
}

/// The data's classes that are none of the model's.
fn unknown_to(model: &Classifier, names: &[String]) -> Result<Vec<usize>, Error> {
    let own = Numbered::new(model.class_names(), model.card().origin.as_ref());
    let known = Matching::new(names, &own, None)?.class_of;
    Ok((0..names.len()).filter(|&class| known[class].is_none()).collect())
}
