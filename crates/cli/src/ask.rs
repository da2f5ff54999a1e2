//! Verbs asked by name.

use brickwork::Error;
use brickwork::verbs::Context;
use serde_json::Value;

use crate::cmd;
pub use crate::command::Answered;
use crate::hints::{self, Failure};

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

/// What went wrong, for programs, in the words of requests: options are called `name=`.
pub fn failure(error: &Error) -> Failure {
    hints::failure(error)
}
