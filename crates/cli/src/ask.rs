//! Verbs asked by name.

use brickwork::Error;
use brickwork::verbs::Context;
use serde_json::Value;

use crate::cmd;
pub use crate::command::Answered;
use crate::command::Entry;

/// Answers the request `request`, an object of options, to the verb `name`. Options that it lacks have their
/// defaults.
///
/// # Errors
/// If there is no such verb, options cannot be understood (all are named), or as [`Verb::run`] says.
///
/// [`Verb::run`]: brickwork::verbs::Verb::run
pub fn ask(name: &str, request: Value, context: &Context<'_>) -> Result<Answered, Error> {
    let unknown = || Error::Options(format!("there is no verb `{name}`").into());
    (cmd::find(name).ok_or_else(unknown)?.ask)(request, context)
}

/// A verb, as it says of itself.
#[derive(Clone, Debug)]
pub struct Described {
    /// What it is called.
    pub name: &'static str,
    /// The JSON Schema of its request.
    pub request: Value,
    /// The JSON Schema of its answer.
    pub answer: Value,
    /// Options without which it makes no sense.
    pub required: &'static [&'static str],
    /// What the values of its options are called in help, by option.
    pub values: Vec<(String, String)>,
}

/// All verbs, in the order of the help.
pub fn verbs() -> Vec<Described> {
    let described = |entry: &Entry| Described {
        name: entry.name(),
        request: entry.verb.request_schema().to_value(),
        answer: entry.verb.answer_schema().to_value(),
        required: entry.required,
        values: (entry.values)(),
    };
    cmd::ALL.iter().map(described).collect()
}
