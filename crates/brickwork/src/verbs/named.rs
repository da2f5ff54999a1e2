//! Verbs by their names, asked and answered as JSON: for recipes, other languages and pages.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Context, Memory, Verb};
use crate::model::error::{Error, Problem};

/// A verb that is asked by its name.
#[derive(Clone, Copy, Debug)]
pub struct NamedVerb {
    /// What it is called.
    pub name: &'static str,
    request: fn() -> Schema,
    answer: fn() -> Schema,
    default: fn() -> Value,
    problems: fn(Value) -> Result<Vec<Problem>, Vec<Misunderstood>>,
    ask: fn(Value, &Context<'_>) -> Result<Value, Error>,
}

/// An option of a request that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misunderstood {
    /// Its name; empty where it is the request as a whole.
    pub option: String,
    /// What is wrong with it.
    pub message: String,
}

impl NamedVerb {
    /// The verb `V`.
    pub const fn of<V: Verb>() -> Self {
        Self {
            name: V::NAME,
            request: request_schema::<V>,
            answer: written_schema::<V::Answer>,
            default: default::<V>,
            problems: problems::<V>,
            ask: ask::<V>,
        }
    }

    /// The JSON Schema of its request.
    pub fn request_schema(&self) -> Schema {
        (self.request)()
    }

    /// The JSON Schema of its answer.
    pub fn answer_schema(&self) -> Schema {
        (self.answer)()
    }

    /// The request in which nothing was said, with all options in order.
    pub fn default_request(&self) -> Value {
        (self.default)()
    }

    /// All that can be refused of a request before any work.
    ///
    /// # Errors
    /// Every option that cannot be understood.
    pub fn problems(&self, request: Value) -> Result<Vec<Problem>, Vec<Misunderstood>> {
        (self.problems)(request)
    }

    /// Answers a request, an object of options. Options that it lacks have their defaults.
    ///
    /// # Errors
    /// Every option that cannot be understood, or as [`Verb::run`] says.
    pub fn ask(&self, request: Value, context: &Context<'_>) -> Result<Value, Error> {
        (self.ask)(request, context)
    }
}

fn request_schema<V: Verb>() -> Schema {
    schema_for!(V)
}

/// The schema of what is only ever written.
pub fn written_schema<T: JsonSchema>() -> Schema {
    SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<T>()
}

fn default<V: Verb>() -> Value {
    json!(V::default())
}

fn problems<V: Verb>(request: Value) -> Result<Vec<Problem>, Vec<Misunderstood>> {
    understood::<V>(request).map(|request| request.problems())
}

fn ask<V: Verb>(request: Value, context: &Context<'_>) -> Result<Value, Error> {
    let request: V = understood(request).map_err(refused)?;
    plain(&request.run(context)?)
}

/// An answer as plain data. Where a file is only in memory, it tells of none.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn plain(answer: &impl Serialize) -> Result<Value, Error> {
    let mut plain = serde_json::to_value(answer).map_err(|error| Error::file(error.to_string()))?;
    if let Some(output) = plain.get_mut("output")
        && output.as_str().is_some_and(Memory::is_name)
    {
        *output = Value::Null;
    }
    Ok(plain)
}

/// The request that is JSON.
///
/// # Errors
/// What is wrong with each option that cannot be understood.
pub fn understood<V: Verb>(request: Value) -> Result<V, Vec<Misunderstood>> {
    let known = default::<V>();
    let alone = |(name, value): (&String, &Value)| {
        let option = name.clone();
        if known.get(name).is_none() {
            return Some(Misunderstood {
                option,
                message: format!("there is no option `{name}=`"),
            });
        }
        // Alone, so that what is wrong with it is not laid to another option.
        let wrong = serde_json::from_value::<V>(json!({ name: value })).err()?;
        Some(Misunderstood { option, message: format!("`{name}=`: {wrong}") })
    };
    let wrong: Vec<Misunderstood> =
        request.as_object().into_iter().flatten().filter_map(alone).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let whole = |error: serde_json::Error| Misunderstood {
        option: String::new(),
        message: error.to_string(),
    };
    serde_json::from_value(request).map_err(|error| vec![whole(error)])
}

/// The error of options that cannot be understood.
pub fn refused(wrong: Vec<Misunderstood>) -> Error {
    let messages: Vec<String> = wrong.into_iter().map(|wrong| wrong.message).collect();
    Error::options(messages.join("\n  and: "))
}
