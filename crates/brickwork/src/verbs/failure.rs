//! Errors for programs, and what to do about them.

use brickwork_data::DataError;
use brickwork_formats::ReadError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::error::{Error, Problem};

/// What is answered in JSON when a verb fails.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Failure {
    /// Why it failed.
    pub error: DescribedError,
}

/// An error, for programs.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct DescribedError {
    /// What kind of error it is, in a word that programs may rely on; `command` for those of the
    /// command line alone.
    pub kind: &'static str,
    /// What went wrong, and why.
    pub message: String,
    /// What is wrong with which option, where a request could not be fulfilled.
    pub problems: Vec<DescribedProblem>,
    /// The node of the network that it is about, by name.
    pub node: Option<String>,
    /// The weighted layer that it is about, by its node's name.
    pub layer: Option<String>,
    /// The class that it is about, by name.
    pub class: Option<String>,
    /// What the user can do about it, if that goes beyond the message.
    pub hint: Option<String>,
}

/// What is wrong with one option.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DescribedProblem {
    /// The option, by its name in the request.
    pub option: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Failure {
    /// Of an error, in the words of requests: options are called `` `name=` ``.
    pub fn of(error: &Error) -> Self {
        let about = error.refusal().cloned().unwrap_or_default();
        let problems = match error {
            Error::Request(problems) => problems.as_slice(),
            _ => &[],
        };
        let problem = |problem: &Problem| DescribedProblem {
            option: problem.field,
            message: problem.message.clone(),
        };
        let error = DescribedError {
            kind: error.kind(),
            message: with_causes(error),
            problems: problems.iter().map(problem).collect(),
            node: about.node,
            layer: about.layer,
            class: about.class,
            hint: hint(error).map(str::to_owned),
        };
        Self { error }
    }
}

/// What went wrong, and why.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()) {
        // Some errors already hold their cause's words.
        if !words.contains(&cause.to_string()) {
            words.push_str(&format!("\n  because: {cause}"));
        }
    }
    words
}

/// What the user can do about `error`, if that goes beyond its own words.
pub fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::Read(error) => of_read(error),
        Error::Data(error) => of_data(error),
        _ => None,
    }
}

fn of_read(error: &ReadError) -> Option<&'static str> {
    match error {
        ReadError::Io { path, .. } if path.is_dir() => {
            Some("this is a folder; name the file in it")
        }
        ReadError::Io { .. } | ReadError::Unsuited { .. } => None,
        ReadError::Malformed { .. } => {
            Some("the file is cut short, damaged or of another kind; download or export it again")
        }
        ReadError::Model { .. } => Some(
            "what brickwork does not understand it refuses; docs/operators.md lists the operators \
             that it reads",
        ),
    }
}

fn of_data(error: &DataError) -> Option<&'static str> {
    match error {
        DataError::Sample { source, .. } => of_data(source),
        DataError::Size { .. } => Some("`fit=cover` resizes and crops"),
        DataError::NoSplit { found, .. } if found.is_empty() => {
            Some("leave `split=` out to use all of it")
        }
        DataError::NoSplit { .. } => Some("choose the other part with `split=`"),
        _ => None,
    }
}
