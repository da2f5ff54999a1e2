//! Changes of a recipe's text.

use std::fmt::Write;
use std::ops::Range;

use serde_json::Value;

use super::parse::{Parsed, Step};
use crate::model::error::Error;

/// The text of a step.
///
/// # Errors
/// If the value of an option is no word, number, flag or list of those.
pub(super) fn step<'a>(
    name: &str,
    verb: &str,
    seed: Option<u64>,
    options: impl Iterator<Item = (&'a String, &'a Value)>,
) -> Result<String, Error> {
    let mut text = format!("[{}]\nverb = {}\n", key(name), quoted(verb));
    if let Some(seed) = seed {
        let _ = writeln!(text, "seed = {seed}");
    }
    for (option, value) in options.filter(|(_, value)| !value.is_null()) {
        let _ = writeln!(text, "{} = {}", key(option), toml_of(option, value)?);
    }
    Ok(text)
}

/// A text with another at its end, an empty line between.
pub(super) fn joined(text: &str, more: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() { more.to_owned() } else { format!("{text}\n\n{more}") }
}

/// A text with one more name for data.
pub(super) fn with_data(text: &str, name: &str, path: &str) -> String {
    let line = format!("{} = {}\n", key(name), quoted(path));
    let mut place = 0;
    for found in text.split_inclusive('\n') {
        place += found.len();
        if found.trim_start().starts_with("[data]") {
            let gap = if found.ends_with('\n') { "" } else { "\n" };
            return format!("{}{gap}{line}{}", &text[..place], &text[place..]);
        }
    }
    // Before all steps: what has no name for data yet may begin with keys of the whole.
    let first = text.split_inclusive('\n').scan(0, |place, line| {
        let start = *place;
        *place += line.len();
        Some(line.starts_with('[').then_some(start))
    });
    let place = first.flatten().next().unwrap_or(text.len());
    joined(&text[..place], &joined(&format!("[data]\n{line}"), &text[place..]))
}

/// A text in which an option, a name of data or the seed has another value, as `assignment` says.
///
/// # Errors
/// If it says nothing that can be set, or a value that no option has.
pub(super) fn with_setting(text: &str, parsed: &Parsed, assignment: &str) -> Result<String, Error> {
    let odd = || {
        Error::options(format!(
            "`set={assignment}`: expected an option of a step, as low.macs=20%, data.NAME=PATH, or seed=NUMBER"
        ))
    };
    let (place, value) = assignment.split_once('=').ok_or_else(odd)?;
    if place == "seed" {
        return Ok(match &parsed.seed_span {
            Some(span) => replaced(text, span, value),
            None => format!("seed = {value}\n{text}"),
        });
    }
    let (owner, option) = place.split_once('.').ok_or_else(odd)?;
    if owner == "data" {
        let found = parsed.data.iter().find(|data| data.name == option);
        return Ok(match found {
            Some(data) => replaced(text, &data.span, &quoted(value)),
            None => with_data(text, option, value),
        });
    }
    let names = || parsed.steps.iter().map(|step| &step.name[..]).collect::<Vec<_>>().join(", ");
    let unknown = || {
        Error::options(format!(
            "`set={assignment}`: there is no step `{owner}`; these are there: {}",
            names()
        ))
    };
    let step = parsed.steps.iter().find(|step| step.name == owner).ok_or_else(unknown)?;
    let value = typed(value);
    set_option(text, step, option, &value).ok_or_else(|| {
        Error::options(format!(
            "`set={assignment}`: step `{owner}` stands in one line; write it as a table `[{owner}]`"
        ))
    })
}

fn set_option(text: &str, step: &Step, option: &str, value: &str) -> Option<String> {
    let span = match option {
        "seed" => step.seed_span.as_ref(),
        _ => step.options.iter().find(|own| own.option == option).map(|own| &own.span),
    };
    match span {
        Some(span) => Some(replaced(text, span, value)),
        None => {
            let body = step.body?;
            let gap = if text[..body].ends_with('\n') { "" } else { "\n" };
            let line = format!("{gap}{} = {value}\n", key(option));
            Some(format!("{}{line}{}", &text[..body], &text[body..]))
        }
    }
}

fn replaced(text: &str, span: &Range<usize>, value: &str) -> String {
    format!("{}{value}{}", &text[..span.start], &text[span.end..])
}

/// A value as it was typed, in TOML: as it is where that is a value, else a word.
fn typed(value: &str) -> String {
    match toml::de::DeValue::parse(value) {
        Ok(_) => value.to_owned(),
        Err(_) => quoted(value),
    }
}

/// A key, in quotes where it needs them.
pub(super) fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A word in quotes.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn toml_of(option: &str, value: &Value) -> Result<String, Error> {
    let odd = |error: toml::ser::Error| {
        Error::options(format!("`{option}=` cannot be written into a recipe: {error}"))
    };
    Ok(toml::Value::try_from(short(value)).map_err(odd)?.to_string())
}

/// A value with its numbers in as few digits as tell them: 0.3 for what a single-precision number comes to in
/// double.
fn short(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(short).collect(),
        Value::Number(number) if number.is_f64() => {
            let exact = number.as_f64().unwrap_or_default();
            let single = exact as f32;
            let told = single.to_string().parse::<f64>().ok();
            let told = told.filter(|_| f64::from(single) == exact);
            Value::from(told.unwrap_or(exact))
        }
        other => other.clone(),
    }
}
