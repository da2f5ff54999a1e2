//! Accuracy, leakage, size and speed.

use std::path::PathBuf;

use brickwork_data::Split;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs;
use super::{Context, DataInput, ModelInput, Verb};
use crate::images::account::DataAccount;
use crate::measure::answers::{ImageRecord, write_confusion};
use crate::measure::eval::{EvalOptions, EvalParts, EvalSource, Report, eval};
use crate::measure::latency::latency_ms;
use crate::measure::verify::recut;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::head::HeadKind;

/// Measure accuracy, leakage, size and speed
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Eval {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// Classes to measure: names, indices, inclusive ranges [default: all of the model's]
    pub classes: Option<String>,
    /// The model it was cut from, to compare with
    pub source: Option<PathBuf>,
    /// Images of which none is of the model's classes, besides such images of the data. Repeat for
    /// several
    pub foreign: Vec<PathBuf>,
    /// Write how images of every class (rows) were answered (columns) to this CSV file
    pub confusion: Option<PathBuf>,
    /// Write label, answer, score and margin of every image to this CSV file
    pub per_image: Option<PathBuf>,
    /// Do not measure latency
    pub no_latency: bool,
    /// Where an image may be of several classes: the probability above which it is of one [default: 0.5]
    pub threshold: Option<f64>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EvalAnswer {
    /// Accuracy and leakage.
    #[serde(flatten)]
    pub report: Report,
    /// What the data holds of the model's classes.
    pub data: DataAccount,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Bytes of the model's file.
    pub file_bytes: u64,
    /// Median time of one image here, in milliseconds, if it was measured.
    pub latency_ms: Option<f64>,
    /// That of the source, if it was measured.
    pub source_latency_ms: Option<f64>,
}

impl Eval {
    /// A problem where there is a source to compare with and no image to do it on.
    pub(super) fn lonely_source(&self) -> Option<Problem> {
        let message = "`source=` is compared on images, and none are given; pass `data=`";
        Problem::unless(self.source.is_none() || !self.data.is_empty(), "data", message)
    }

    /// The measurements, if there are images to make them on.
    pub(super) fn if_images(&self, context: &Context<'_>) -> Result<Option<EvalAnswer>, Error> {
        (!self.data.is_empty()).then(|| self.work(context)).transpose()
    }
}

impl Verb for Eval {
    type Answer = EvalAnswer;

    const NAME: &'static str = "eval";

    fn problems(&self) -> Vec<Problem> {
        let wrong = self.threshold.filter(|threshold| !(*threshold > 0.0 && *threshold < 1.0));
        let wrong = wrong.map(|threshold| {
            let why = format!("`threshold={threshold}` is no probability above 0 and below 1");
            Problem::new("threshold", why)
        });
        let files = [("confusion", &self.confusion), ("per_image", &self.per_image)];
        let files = files.into_iter().filter_map(|(field, path)| Some((field, path.as_ref()?)));
        let data = self.data.needed("accuracy is measured on images");
        inputs::unwritable(files).chain(data).chain(wrong).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<EvalAnswer, Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        let preprocess = self.data.pixels.preprocess(&model)?;
        let tables = self.confusion.is_some() || self.per_image.is_some();
        if tables && model.head() == HeadKind::Multilabel {
            return Err(Error::options(
                "`confusion=` and `per_image=` are of models whose classes exclude each other; an image \
                 may be of several here: leave them out",
            ));
        }
        let source = self.source.as_deref().map(|path| inputs::load(path, context)).transpose()?;
        let classes = self.classes.as_deref();
        let mut data = self.data.labelled_whole(&mut model, classes, Split::Test, context)?;
        if self.threshold.is_some() && model.head() != HeadKind::Multilabel {
            return Err(Error::options(format!(
                "`threshold=` is for models of which an image may be of several classes \
                 (`head=multilabel`); `{}` is none",
                model.name
            )));
        }
        data.sources.extend(self.data.foreign(&self.foreign, Split::Test, context)?);
        self.data.pixels.question(&data.sources, &preprocess, context)?;
        let indices = source.as_ref().map(|source| source_indices(&model, source)).transpose()?;
        let bare = match &source {
            Some(source) if is_refitted(&model) => Some(recut(source, &model)?),
            _ => None,
        };
        let compared = source.as_ref().zip(indices);
        let options = EvalOptions {
            classes: data.present,
            source: compared.map(|(model, classes)| EvalSource {
                model,
                preprocess: &preprocess,
                classes,
            }),
            before_refit: bare.as_ref(),
            parts: parts_of(&model),
            per_image: self.per_image.is_some(),
            threshold: self.threshold,
        };
        let report = eval(&model, &preprocess, &data.sources, &options, context.progress)?;
        if let Some(path) = &self.confusion {
            write_confusion(path, &report.confusion, &model.class_names())?;
        }
        if let Some(path) = &self.per_image {
            ImageRecord::write(path, &report.records)?;
        }
        let measured = !self.no_latency;
        let other = source.as_ref().filter(|_| measured);
        Ok(EvalAnswer {
            source_latency_ms: other.map(latency_ms).transpose()?,
            report,
            data: data.account,
            params: model.graph().parameters(),
            macs: model.graph().macs(),
            file_bytes: context.file_bytes(&self.model.model)?,
            latency_ms: measured.then(|| latency_ms(&model)).transpose()?,
        })
    }
}

fn is_refitted(model: &Classifier) -> bool {
    model.card().origin.as_ref().is_some_and(|origin| origin.refit.is_some())
}

/// The source's index of every class of the model.
fn source_indices(model: &Classifier, source: &Classifier) -> Result<Vec<usize>, Error> {
    if let Some(origin) = &model.card().origin
        && source.has_fingerprint(&origin.fingerprint)
    {
        return Ok(origin.classes.clone());
    }
    let names = source.class_names();
    let found: Option<Vec<usize>> =
        model.class_names().iter().map(|name| names.iter().position(|n| n == name)).collect();
    found.ok_or_else(|| {
        Error::options(format!(
            "`{}` was not cut from `{}`, and their class names do not match",
            model.name, source.name
        ))
    })
}

/// The parts of an assembled model.
fn parts_of(model: &Classifier) -> Option<EvalParts> {
    let parts = &model.card().parts;
    if parts.len() < 2 {
        return None;
    }
    let part_of =
        |class: usize| parts.iter().position(|part| part.logits.contains(&class)).unwrap_or(0);
    let names = parts.iter().map(|part| part.name.clone()).collect();
    Some(EvalParts { names, of_class: (0..model.class_count()).map(part_of).collect() })
}
