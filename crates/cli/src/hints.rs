//! Errors in words of the command line, and what to do about them, which the libraries do not know.

use brickwork::{Error, Problem};
use brickwork_data::DataError;
use brickwork_formats::ReadError;
use schemars::JsonSchema;
use serde::Serialize;

/// What went wrong, and why, options as they are typed.
pub(crate) fn words(error: &anyhow::Error) -> String {
    with_flags(&with_causes(error.as_ref()))
}

/// What went wrong, and why.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()) {
        // Some errors already hold their cause's words.
        if !words.contains(&cause.to_string()) {
            words.push_str(&format!("\n  because: {cause}"));
        }
    }
    words
}

/// What `--json` prints when a command fails.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Failure {
    /// Why it failed.
    error: Described,
}

/// An error, for programs.
#[derive(Debug, Serialize, JsonSchema)]
struct Described {
    /// What kind of error it is, in a word that programs may rely on; `command` for those of the
    /// command line alone.
    kind: &'static str,
    /// What went wrong, and why.
    message: String,
    /// What is wrong with which option, where a request could not be fulfilled.
    problems: Vec<DescribedProblem>,
    /// The node of the network that it is about, by name.
    node: Option<String>,
    /// The weighted layer that it is about, by its node's name.
    layer: Option<String>,
    /// The class that it is about, by name.
    class: Option<String>,
    /// What the user can do about it, if that goes beyond the message.
    hint: Option<String>,
}

/// What is wrong with one option.
#[derive(Debug, Serialize, JsonSchema)]
struct DescribedProblem {
    /// The option, by its name in the request.
    option: &'static str,
    /// What is wrong with it.
    message: String,
}

/// The same for programs, options as they are typed.
pub(crate) fn described(error: &anyhow::Error) -> Failure {
    let failure = match error.downcast_ref::<Error>() {
        Some(own) => failure(own),
        None => Failure { error: Described::new("command", hint(error)) },
    };
    let Described { problems, hint, .. } = failure.error;
    let typed = |problem: DescribedProblem| DescribedProblem {
        message: with_flags(&problem.message),
        ..problem
    };
    let error = Described {
        message: words(error),
        problems: problems.into_iter().map(typed).collect(),
        hint: hint.map(|hint| with_flags(&hint)),
        ..failure.error
    };
    Failure { error }
}

/// What went wrong, and why, in the words of requests.
pub(crate) fn failure(error: &Error) -> Failure {
    let about = error.refusal().cloned().unwrap_or_default();
    let problems = match error {
        Error::Request(problems) => problems.as_slice(),
        _ => &[],
    };
    let problem = |problem: &Problem| DescribedProblem {
        option: problem.field,
        message: problem.message.clone(),
    };
    let error = Described {
        message: with_causes(error),
        problems: problems.iter().map(problem).collect(),
        node: about.node,
        layer: about.layer,
        class: about.class,
        ..Described::new(error.kind(), of_error(error))
    };
    Failure { error }
}

impl Described {
    fn new(kind: &'static str, hint: Option<&str>) -> Self {
        Self {
            kind,
            message: String::new(),
            problems: Vec::new(),
            node: None,
            layer: None,
            class: None,
            hint: hint.map(str::to_owned),
        }
    }
}

/// The name of an option on a command line.
pub(crate) fn flag(name: &str) -> String {
    name.replace('_', "-")
}

/// Options, which the library calls `name=` or `name=value`, as they are typed.
pub(crate) fn with_flags(text: &str) -> String {
    let mut words = String::new();
    for (place, part) in text.split('`').enumerate() {
        let option = part.split_once('=').filter(|(name, _)| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        });
        // Between two backticks.
        match option.filter(|_| place % 2 == 1) {
            Some((name, "" | "true")) => words.push_str(&format!("--{}", flag(name))),
            Some((name, value)) => words.push_str(&format!("--{} {value}", flag(name))),
            None if place % 2 == 1 => words.push_str(&format!("`{part}`")),
            None => words.push_str(part),
        }
    }
    words
}

/// What the user can do about `error`, if that goes beyond its own words.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    match error.downcast_ref::<Error>() {
        Some(error) => of_error(error),
        None => error.downcast_ref::<DataError>().and_then(of_data),
    }
}

fn of_error(error: &Error) -> Option<&'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_as_they_are_typed() {
        for (text, typed) in [
            (
                "pass `data=`, or `refit=none` for the bare cut",
                "pass --data, or --refit none for the bare cut",
            ),
            ("`max_drop=` needs images", "--max-drop needs images"),
            ("class `cat` of `a=B`, `Data=x`", "class `cat` of --a B, `Data=x`"),
        ] {
            assert_eq!(with_flags(text), typed);
        }
    }
}
