//! Accuracy, leakage, size and speed.

use std::path::PathBuf;

use brickwork_data::{Preprocess, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::{self, Labelled};
use super::partial::{Divisible, Found, Partial, Work};
use super::{Context, DataInput, ModelInput, Portion, Verb};
use crate::cut::control::Control;
use crate::cut::plan::{Choice, Plan};
use crate::images::account::DataAccount;
use crate::images::seen::Seen;
use crate::images::source::Source;
use crate::measure::answers::{ImageRecord, write_confusion};
use crate::measure::eval::{
    ControlAccuracy, EvalOptions, EvalParts, EvalSource, Report, eval, report, scores,
};
use crate::measure::latency::latency_ms;
use crate::measure::scores::Jobs;
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
    /// Measure other channels of the source beside the component, in the same numbers and without a refit: random ones, and
    /// those with the largest weights
    pub controls: bool,
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

    /// A problem where there is no source to take other channels from.
    pub(super) fn lonely_controls(&self) -> Option<Problem> {
        let message = "`controls=` are other channels of the model it was cut from: pass `source=`";
        Problem::unless(!self.controls || self.source.is_some(), "controls", message)
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
        inputs::unwritable(files).chain(data).chain(wrong).chain(self.lonely_controls()).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<EvalAnswer, Error> {
        let (models, Given { sources, present, account, .. }) = self.given(context)?;
        self.data.pixels.question(&sources, &models.preprocess, context)?;
        let Models { model, preprocess, .. } = &models;
        let options = self.options(&models, present.clone());
        let mut report = eval(model, preprocess, &sources, &options, context.progress)?;
        report.controls = self.controls(&models, &sources, &present, context)?;
        if let Some(path) = &self.confusion {
            write_confusion(path, &report.confusion, &model.class_names())?;
        }
        if let Some(path) = &self.per_image {
            ImageRecord::write(path, &report.records)?;
        }
        self.answer(&models, report, account, context)
    }
}

impl Divisible for Eval {
    fn partial(&self, portion: Option<Portion>, context: &Context<'_>) -> Result<Partial, Error> {
        let tables = [("confusion", &self.confusion), ("per_image", &self.per_image)];
        let tables = tables.into_iter().filter(|(_, path)| path.is_some()).map(|(field, _)| {
            Problem::new(field, format!("`{field}=` is written where all images are; leave it out"))
        });
        let controls = self.controls.then(|| {
            let message = "`controls=` are measured where all images are; leave it out";
            Problem::new("controls", message)
        });
        let tables = tables.chain(controls);
        Problem::refuse(self.problems().into_iter().chain(tables).collect())?;
        let data = DataInput { portion, ..self.data.clone() };
        let (models, Given { sources, classes, mut seen, .. }) =
            Self { data, ..self.clone() }.given(context)?;
        seen.look_at(&sources);
        let Models { model, preprocess, .. } = &models;
        let jobs = Jobs::of(model.head(), &sources, &classes);
        let options = self.options(&models, classes.clone());
        let found = scores(model, preprocess, &sources, &jobs, &options, context.progress)?;
        let work = self.work_on(&models, &classes);
        Ok(Partial { work, seen, found: Found::Scores(found) })
    }

    fn finished(&self, whole: Partial, context: &Context<'_>) -> Result<EvalAnswer, Error> {
        let Partial { work, seen, found: Found::Scores(found) } = whole else {
            return Err(Error::options("what was found are no scores"));
        };
        let mut model = self.model.load(&self.data.pixels, context)?;
        let names: Vec<String> = work.get("classes")?;
        if names.len() == model.class_count() && model.card().classes.is_empty() {
            model = model.with_classes(names)?;
        }
        let models = self.models(model, context)?;
        let asked = work.asked(models.model.class_count())?;
        work.check(&self.work_on(&models, &asked))?;
        let names = models.model.class_names();
        let account = seen.account(&asked, &names);
        self.data.check(inputs::is_whole(&models.model), &account, &asked, context)?;
        self.data.pixels.question_seen(&seen, &models.preprocess, context)?;
        let options = self.options(&models, seen.present(&asked));
        let report = report(&mut found.in_order(), &models.model, &options)?;
        self.answer(&models, report, account, context)
    }
}

/// The models that run.
struct Models {
    model: Classifier,
    preprocess: Preprocess,
    /// What it is compared with, and that model's index of each of its classes.
    source: Option<(Classifier, Vec<usize>)>,
    /// Before its refit.
    bare: Option<Classifier>,
}

/// The images that they run on.
struct Given {
    sources: Vec<Source>,
    /// The classes asked for.
    classes: Vec<usize>,
    /// Those of them that have images.
    present: Vec<usize>,
    account: DataAccount,
    seen: Seen,
}

impl Eval {
    fn given(&self, context: &Context<'_>) -> Result<(Models, Given), Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        self.check_head(&model)?;
        let classes = self.classes.as_deref();
        let mut data = self.data.labelled_whole(&mut model, classes, Split::Test, context)?;
        data.add_foreign(self.data.foreign(&self.foreign, Split::Test, context)?);
        let Labelled { sources, classes, present, account, seen, .. } = data;
        let models = self.models(model, context)?;
        Ok((models, Given { sources, classes, present, account, seen }))
    }

    /// How well other channels of the source do on the images of these classes, if that is asked for.
    fn controls(
        &self,
        models: &Models,
        sources: &[Source],
        classes: &[usize],
        context: &Context<'_>,
    ) -> Result<Vec<ControlAccuracy>, Error> {
        let Models { model, preprocess, source, .. } = models;
        let Some((source, _)) = source.as_ref().filter(|_| self.controls) else {
            return Ok(Vec::new());
        };
        let origin = model.card().origin.as_ref();
        let cut = origin.filter(|origin| source.has_fingerprint(&origin.fingerprint));
        let Some(origin) = cut else {
            return Err(Error::options(format!(
                "`controls=`: `{}` was not cut from `{}`, so there are no channels to choose others for",
                model.name, source.name
            )));
        };
        let own = Plan::new(source, &origin.classes, &Choice::Given(origin.kept.clone()), 1)?;
        let controls =
            [("random", Control::Random(context.seed)), ("magnitude", Control::Magnitude)];
        let measure = |(choose, control)| {
            let choice = Choice::Control(&own, control);
            let plan = Plan::new(source, &origin.classes, &choice, 1)?;
            let other = plan.component(source, &choice, context.seed)?;
            let options = EvalOptions {
                classes: classes.to_vec(),
                source: None,
                before_refit: None,
                parts: None,
                per_image: false,
                threshold: self.threshold,
            };
            let report = eval(&other, preprocess, sources, &options, context.progress)?;
            Ok(ControlAccuracy { choose, accuracy: report.own() })
        };
        controls.into_iter().map(measure).collect()
    }

    /// That what is asked for can be said of this kind of model.
    fn check_head(&self, model: &Classifier) -> Result<(), Error> {
        let several = model.head() == HeadKind::Multilabel;
        if several && (self.confusion.is_some() || self.per_image.is_some()) {
            return Err(Error::options(
                "`confusion=` and `per_image=` are of models whose classes exclude each other; an image \
                 may be of several here: leave them out",
            ));
        }
        if !several && self.threshold.is_some() {
            return Err(Error::options(format!(
                "`threshold=` is for models of which an image may be of several classes \
                 (`head=multilabel`); `{}` is none",
                model.name
            )));
        }
        Ok(())
    }

    /// All models that run, beside `model`.
    fn models(&self, model: Classifier, context: &Context<'_>) -> Result<Models, Error> {
        let preprocess = self.data.pixels.preprocess(&model)?;
        let source = self.source.as_deref().map(|path| inputs::load(path, context)).transpose()?;
        let indices = source.as_ref().map(|source| source_indices(&model, source)).transpose()?;
        let bare = match &source {
            Some(source) if is_refitted(&model) => Some(recut(source, &model)?),
            _ => None,
        };
        Ok(Models { model, preprocess, source: source.zip(indices), bare })
    }

    fn options<'a>(&self, models: &'a Models, classes: Vec<usize>) -> EvalOptions<'a> {
        let source = models.source.as_ref().map(|(model, classes)| EvalSource {
            model,
            preprocess: &models.preprocess,
            classes: classes.clone(),
        });
        EvalOptions {
            classes,
            source,
            before_refit: models.bare.as_ref(),
            parts: parts_of(&models.model),
            per_image: self.per_image.is_some(),
            threshold: self.threshold,
        }
    }

    /// What partials of one evaluation have in common.
    fn work_on(&self, models: &Models, asked: &[usize]) -> Work {
        let source = models.source.as_ref().map(|(source, _)| source.fingerprint());
        Work::of(Self::NAME)
            .with("model", models.model.fingerprint())
            .with("classes", models.model.class_names())
            .with("asked", asked)
            .with("preprocess", &models.preprocess)
            .with("source", source)
    }

    /// The answer that a report is.
    fn answer(
        &self,
        models: &Models,
        report: Report,
        data: DataAccount,
        context: &Context<'_>,
    ) -> Result<EvalAnswer, Error> {
        let (measured, Models { model, source, .. }) = (!self.no_latency, models);
        let other = source.as_ref().filter(|_| measured);
        Ok(EvalAnswer {
            source_latency_ms: other.map(|(source, _)| latency_ms(source)).transpose()?,
            report,
            data,
            params: model.graph().parameters(),
            macs: model.graph().macs(),
            file_bytes: context.file_bytes(&self.model.model)?,
            latency_ms: measured.then(|| latency_ms(model)).transpose()?,
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
