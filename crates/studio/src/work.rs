//! What a job does: verbs, one after the other.

use std::path::{Path, PathBuf};

use brickwork::Error;
use brickwork::verbs::{
    Assemble, Calibrate, Context, Disassemble, Eval, EvalAnswer, ModelInput, Profile, Report, Verb,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One verb of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "verb", content = "request", rename_all = "kebab-case")]
pub(crate) enum Step {
    Profile(Box<Profile>),
    Disassemble(Box<Disassemble>),
    Assemble(Box<Assemble>),
    Calibrate(Box<Calibrate>),
    Eval(Box<Eval>),
    Report(Box<Report>),
}

/// What a verb answered.
pub(crate) struct Answered {
    /// As `--json` writes it.
    pub(crate) answer: Value,
    /// The accuracy that it measured, of the model in this file.
    pub(crate) measured: Option<(PathBuf, EvalAnswer)>,
}

impl Step {
    /// Measures what a request cuts, beside what it is cut from.
    pub(crate) fn measuring(request: &Disassemble) -> Self {
        Self::Eval(Box::new(Eval {
            model: ModelInput::file(request.output.clone().unwrap_or_default()),
            data: request.data.clone(),
            source: Some(request.model.model.clone()),
            ..Eval::default()
        }))
    }

    /// What it does, for people.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Profile(request) => {
                format!(
                    "Find out which channels of {} decide which class",
                    name(&request.model.model)
                )
            }
            Self::Disassemble(request) => {
                format!("Cut {} out of {}", request.classes, name(&request.model.model))
            }
            Self::Assemble(request) => {
                let parts: Vec<String> = request.parts.iter().map(|part| name(part)).collect();
                format!("Join {}", parts.join(", "))
            }
            Self::Calibrate(_) => "Make the scores of its parts comparable".to_owned(),
            Self::Report(request) => format!("Make a page about {}", name(&request.model.model)),
            Self::Eval(request) => format!("Measure {} on test images", name(&request.model.model)),
        }
    }

    /// The verb's name.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Profile(_) => Profile::NAME,
            Self::Disassemble(_) => Disassemble::NAME,
            Self::Assemble(_) => Assemble::NAME,
            Self::Calibrate(_) => Calibrate::NAME,
            Self::Eval(_) => Eval::NAME,
            Self::Report(_) => Report::NAME,
        }
    }

    /// The request as data.
    pub(crate) fn request(&self) -> Value {
        let whole = serde_json::to_value(self).unwrap_or_default();
        whole.get("request").cloned().unwrap_or_default()
    }

    /// The file that it writes.
    pub(crate) fn output(&self) -> Option<&Path> {
        match self {
            Self::Profile(request) => request.output.as_deref(),
            Self::Disassemble(request) => request.output.as_deref(),
            Self::Assemble(request) => request.output.as_deref(),
            Self::Calibrate(request) => request.output.as_deref(),
            Self::Report(request) => request.output.as_deref(),
            Self::Eval(_) => None,
        }
    }

    /// All that can be refused before any work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Profile(request) => request.check(),
            Self::Disassemble(request) => request.check(),
            Self::Assemble(request) => request.check(),
            Self::Calibrate(request) => request.check(),
            Self::Eval(request) => request.check(),
            Self::Report(request) => request.check(),
        }
    }

    /// Does it.
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Answered, Error> {
        match self {
            Self::Profile(request) => told(&request.run(context)?),
            Self::Disassemble(request) => told(&request.run(context)?),
            Self::Assemble(request) => told(&request.run(context)?),
            Self::Calibrate(request) => told(&request.run(context)?),
            Self::Report(request) => told(&request.run(context)?),
            Self::Eval(request) => {
                let answer = request.run(context)?;
                let told = told(&answer)?;
                Ok(Answered { measured: Some((request.model.model.clone(), answer)), ..told })
            }
        }
    }
}

fn told(answer: &impl Serialize) -> Result<Answered, Error> {
    let answer =
        serde_json::to_value(answer).map_err(|error| Error::File(error.to_string().into()))?;
    Ok(Answered { answer, measured: None })
}

/// What a file is called, without where it lies.
fn name(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
