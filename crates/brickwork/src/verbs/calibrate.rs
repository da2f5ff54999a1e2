//! Comparable scores for an assembled model's parts.

use std::path::PathBuf;

use brickwork_data::Split;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, DataInput, ModelInput, Verb, inputs};
use crate::images::account::DataAccount;
use crate::join::calibrate::{CalibrateOptions, Method, calibrate, calibrate_from_moments};
use crate::measure::statistics::HeldOutGain;
use crate::model::card::CalibrationNote;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::head::HeadKind;

/// Make the scores of an assembled model's parts comparable
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Calibrate {
    /// The assembled model
    pub model: PathBuf,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// Where to write the calibrated model
    pub output: Option<PathBuf>,
    /// How to make them comparable [default: linear; affine without images, or where an image may be of
    /// several classes]
    pub method: Option<Method>,
    /// Images per class, chosen at random [default: all]
    pub samples: Option<usize>,
}

/// How scores were made comparable.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CalibrateAnswer {
    /// The file that was written.
    pub output: Option<PathBuf>,
    /// What the data holds of the model's classes, if any is given.
    pub data: Option<DataAccount>,
    /// The method.
    pub method: Method,
    /// The classes of all parts, in order: what factors and shifts are of.
    pub logits: Vec<PartLogit>,
    /// What was done to them, if anything.
    pub calibration: Option<CalibrationNote>,
    /// How often answers are right before and after, where the method holds images out.
    pub held_out: Option<HeldOutGain>,
    /// The model.
    #[serde(skip)]
    pub model: Classifier,
}

/// A class of a part.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PartLogit {
    /// The name of the class.
    pub class: String,
    /// The name of the part.
    pub part: String,
}

impl Verb for Calibrate {
    type Answer = CalibrateAnswer;

    const NAME: &'static str = "calibrate";

    fn problems(&self) -> Vec<Problem> {
        let files = inputs::unwritable(self.output.iter().map(|path| ("output", path)));
        let none = inputs::no_count("samples", self.samples);
        files.chain(none).chain(self.without_images()).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<CalibrateAnswer, Error> {
        let mut model = ModelInput::file(&self.model).load(&self.data.pixels, context)?;
        let several = model.head() == HeadKind::Multilabel;
        let (method, seed) = (self.method(several), context.seed);
        let lacks = self.samples.is_some() || self.data.is_empty();
        if several && method != Method::None && lacks {
            return Err(Error::options(format!(
                "an image may be of several classes of `{}`, of which each is calibrated by images of it and others: \
                 give images (`data=`) and leave `samples=` out",
                model.name
            )));
        }
        let mut account = None;
        let ready = if self.data.is_empty() && method == Method::Affine {
            calibrate_from_moments(&model, seed, context.progress)?
        } else {
            let preprocess = self.data.pixels.preprocess(&model)?;
            // Undoing needs no images.
            let mut sources = match self.data.is_empty() || method == Method::None {
                true => Vec::new(),
                false => {
                    let split = Split::Train;
                    let data = match several {
                        true => self.data.labelled_whole(&mut model, None, split, context)?,
                        false => self.data.labelled(&mut model, None, split, context)?,
                    };
                    account = Some(data.account);
                    data.sources
                }
            };
            self.data.pixels.question(&sources, &preprocess, context)?;
            if let Some(count) = self.samples {
                sources.iter_mut().try_for_each(|source| source.keep_some(count, seed))?;
            }
            let options = CalibrateOptions { method, seed, cache: context.cache };
            calibrate(&model, &preprocess, &sources, &options, context.progress)?
        };
        if let Some(path) = &self.output {
            context.save(&ready, path)?;
        }
        let logits = ready.card().parts.iter().flat_map(|part| {
            let logit =
                |class: &String| PartLogit { class: class.clone(), part: part.name.clone() };
            part.classes.iter().map(logit)
        });
        let calibration = ready.card().calibration.clone();
        let held_out = calibration.as_ref().and_then(|note| note.held_out).map(HeldOutGain::from);
        Ok(CalibrateAnswer {
            output: self.output.clone(),
            data: account,
            method,
            logits: logits.collect(),
            calibration,
            held_out,
            model: ready,
        })
    }
}

impl Calibrate {
    /// The method that is asked for, or the usual one, also where an image may be of `several` classes.
    fn method(&self, several: bool) -> Method {
        let usual = if self.data.is_empty() || several { Method::Affine } else { Method::Linear };
        self.method.unwrap_or(usual)
    }

    /// What cannot be done without images, if none are given.
    fn without_images(&self) -> Option<Problem> {
        if !self.data.is_empty() {
            return None;
        }
        match self.method(false) {
            Method::None => None,
            Method::Affine => self.samples.map(|_| {
                let message = "`samples=` counts images, and none are given; pass `data=`";
                Problem::new("samples", message)
            }),
            method => Some(Problem::new(
                "data",
                format!(
                    "no images are given; `method={}` needs some (`data=`), `method=affine` does with what \
                     the parts carry",
                    method.name()
                ),
            )),
        }
    }
}
