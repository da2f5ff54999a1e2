//! Training images that are held out to measure on.

use brickwork_data::Preprocess;
use schemars::JsonSchema;
use serde::Serialize;

use crate::images::source::{Held, Source};
use crate::measure::eval::{EvalOptions, eval};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::percent::Percent;
use crate::model::progress::Progress;

/// Images that only measure.
pub struct HeldOut {
    sources: Vec<Source>,
    preprocess: Preprocess,
}

impl HeldOut {
    /// Holds images of every data set out, if any are to be: gives the others, then them.
    ///
    /// # Errors
    /// If a class has too few images.
    pub fn split(
        sources: Vec<Source>,
        held: Option<Held>,
        preprocess: &Preprocess,
        seed: u64,
    ) -> Result<(Vec<Source>, Option<Self>), Error> {
        let Some(held) = held else { return Ok((sources, None)) };
        let parts = sources.into_iter().map(|source| source.split_off(held, seed));
        let (rest, sources) = parts.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok((rest, Some(Self { sources, preprocess: preprocess.clone() })))
    }

    /// All images of `sources`.
    pub fn of_all(sources: Vec<Source>, preprocess: &Preprocess) -> Self {
        Self { sources, preprocess: preprocess.clone() }
    }

    /// The images of these classes alone, for a component of `model` that has them as its own: in the order
    /// of the model, whatever the order in which they were asked for. All images stay where one may be of
    /// several classes, or of none.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(mut self, model: &Classifier, classes: &[usize]) -> Result<Self, Error> {
        let mut classes = classes.to_vec();
        classes.sort_unstable();
        for source in &mut self.sources {
            if model.head() != HeadKind::Multilabel {
                source.dataset = source.dataset.subset(&source.samples_of(&classes))?;
            }
            for class in &mut source.class_of {
                *class = class.and_then(|k| classes.iter().position(|&own| own == k));
            }
        }
        Ok(self)
    }

    /// How many images.
    pub fn count(&self) -> usize {
        self.sources.iter().map(|source| source.dataset.len()).sum()
    }

    /// Share of the images that `model` classifies correctly; the mean average precision of a model of which
    /// an image may be of several classes.
    ///
    /// # Errors
    /// If an image cannot be read, or the model cannot run.
    pub fn accuracy(&self, model: &Classifier, progress: &dyn Progress) -> Result<Percent, Error> {
        let classes = (0..model.class_count()).collect();
        let options = EvalOptions {
            classes,
            source: None,
            before_refit: None,
            parts: None,
            per_image: false,
            threshold: None,
        };
        let report = eval(model, &self.preprocess, &self.sources, &options, progress)?;
        Ok(report
            .multilabel
            .map_or(report.accuracy_per_image, |found| found.mean_average_precision))
    }
}

/// What tells how well a model does, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The share of images that are classified correctly.
    Accuracy,
    /// The mean of the classes' average precisions, each of its images among all others.
    MeanAveragePrecision,
}

impl Measure {
    /// That of a model.
    pub fn of(model: &Classifier) -> Self {
        match model.head() {
            HeadKind::Multilabel => Self::MeanAveragePrecision,
            HeadKind::Single | HeadKind::Binary => Self::Accuracy,
        }
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MeanAveragePrecision => "mean average precision",
        }
    }
}
