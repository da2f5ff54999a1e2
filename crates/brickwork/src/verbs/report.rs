//! A page about a model.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, DataInput, Eval, EvalAnswer, ModelInput, Verb, inputs};
use crate::measure::inspect::{Inspection, inspect};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::show::model_page;

/// Make a page about a model, component or assembly
///
/// It shows what the model is made of, where it comes from, and with images what it is worth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Report {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Which images, to measure it on.
    #[serde(flatten)]
    pub data: DataInput,
    /// The model it was cut from, to compare with
    pub source: Option<PathBuf>,
    /// Measure other channels of that model beside, in the same numbers and without a refit: random ones, and those with the
    /// largest weights
    pub controls: bool,
    /// Where to write the page (.html)
    pub output: Option<PathBuf>,
}

/// What there is to say about a model.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReportAnswer {
    /// Where the page was written.
    pub output: Option<PathBuf>,
    /// What it is made of.
    pub inspection: Inspection,
    /// What it is worth, if images were given.
    pub eval: Option<EvalAnswer>,
    /// The model.
    #[serde(skip)]
    pub model: Classifier,
}

impl Verb for Report {
    type Answer = ReportAnswer;

    const NAME: &'static str = "report";

    fn problems(&self) -> Vec<Problem> {
        let file = self.output.iter().map(|path| ("output", path));
        let eval = self.eval();
        let lonely = eval.lonely_source().into_iter().chain(eval.lonely_controls());
        lonely.chain(inputs::unwritable(file)).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<ReportAnswer, Error> {
        let model = self.model.load(&self.data.pixels, context)?;
        let eval = self.eval().if_images(context)?;
        let inspection = inspect(&model);
        if let Some(path) = &self.output {
            let report = eval.as_ref().map(|eval| &eval.report);
            context.write(
                model_page(&model, &inspection, report, self.source.is_some()).to_html().as_bytes(),
                path,
            )?;
        }
        Ok(ReportAnswer { output: self.output.clone(), inspection, eval, model })
    }
}

impl Report {
    /// What is measured of it.
    fn eval(&self) -> Eval {
        Eval {
            model: self.model.clone(),
            data: self.data.clone(),
            source: self.source.clone(),
            controls: self.controls,
            ..Eval::default()
        }
    }
}
