//! Any plain data, as facts and tables of all its fields.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::table::{Fact, facts, table};
use super::words::thousands;

/// The caption of a whole answer.
pub(crate) const TOP: &str = "Every field";

/// Tables and lists of more than this are cut off, and say so.
const MOST: usize = 200;

/// All fields of `value`: those that hold one thing as facts, lists and objects below them.
pub fn values(caption: &str, value: &Value) -> Markup {
    let Value::Object(fields) = value else { return list(caption, value) };
    let plain =
        fields.iter().filter_map(|(name, value)| Some(Fact::new(&words(name), told(value)?)));
    let plain: Vec<Fact> = plain.collect();
    let rest = fields.iter().filter(|(_, value)| told(value).is_none() && !is_empty(value));
    html! {
        @if !plain.is_empty() { (facts(caption, &plain)) }
        @for (name, value) in rest { (below(&format!("{}{}", within(caption), words(name)), value)) }
    }
}

/// What stands before the name of something in `caption`; at the top nothing does.
fn within(caption: &str) -> String {
    let top = caption.is_empty() || caption == TOP;
    if top { String::new() } else { format!("{caption}: ") }
}

fn below(name: &str, value: &Value) -> Markup {
    match value {
        Value::Object(fields)
            if fields.values().all(|value| told(value).is_some() || is_empty(value)) =>
        {
            let all = fields.iter().filter_map(|(name, value)| Some(Fact::new(name, told(value)?)));
            facts(name, &all.take(MOST).collect::<Vec<_>>())
        }
        Value::Object(fields) if fields.values().all(Value::is_object) => {
            let named = |(name, value): (&String, &Value)| {
                let mut row = Map::from_iter([("name".to_owned(), Value::String(name.clone()))]);
                row.extend(value.as_object().cloned().unwrap_or_default());
                Value::Object(row)
            };
            rows(name, &fields.iter().map(named).collect::<Vec<_>>())
        }
        Value::Object(_) => values(name, value),
        other => list(name, other),
    }
}

fn list(name: &str, value: &Value) -> Markup {
    match value {
        Value::Array(all) if all.iter().all(Value::is_object) => rows(name, all),
        Value::Array(all) => {
            let shown =
                all.iter().take(MOST).map(|one| told(one).unwrap_or_else(|| one.to_string()));
            html! { p.caption { (name) } ul { @for one in shown { li { (one) } } } }
        }
        other => html! { p { (name) ": " (told(other).unwrap_or_default()) } },
    }
}

/// A table of objects; columns that hold more than one thing are left out.
fn rows(caption: &str, all: &[Value]) -> Markup {
    let mut columns: Vec<&String> = Vec::new();
    for (name, value) in all.iter().filter_map(Value::as_object).flatten() {
        if told(value).is_some() && !columns.contains(&name) {
            columns.push(name);
        }
    }
    let cell = |row: &Value, name: &String| told(&row[name]).unwrap_or_default();
    let shown = all.iter().take(MOST);
    let cells: Vec<Vec<String>> =
        shown.map(|row| columns.iter().map(|name| cell(row, name)).collect()).collect();
    let head: Vec<String> = columns.iter().map(|name| words(name)).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    html! {
        (table(caption, &head, &cells))
        @if all.len() > MOST { p.muted { (MOST) " of " (thousands(all.len() as u64)) " are shown." } }
    }
}

/// One thing in words, as values are told everywhere; a few words in a list are one thing. None for what holds several, or nothing.
pub(crate) fn told(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_u64() {
            Some(whole) => thousands(whole),
            None => digits(number.as_f64().unwrap_or_default()),
        }),
        Value::Array(all) if !all.is_empty() && all.len() <= 24 => {
            let words =
                all.iter().filter(|one| !one.is_array()).map(told).collect::<Option<Vec<_>>>()?;
            (words.len() == all.len()).then(|| words.join(", "))
        }
        _ => None,
    }
}

/// A number with as many digits as say something.
fn digits(number: f64) -> String {
    match number.abs() {
        size if size == 0.0 || (1e-3..1e7).contains(&size) => {
            let text = format!("{number:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{number:.2e}"),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The name of a field in words.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_is_told() {
        let value = json!({
            "file_bytes": 12345, "share": 66.666667, "none": null, "empty": [], "classes": ["cat", "<dog>"],
            "rows": [{"name": "a", "macs": 5}, {"name": "b", "inner": {"x": 1}}],
            "kept": {"conv": {"output": [1, 2]}}, "deep": {"one": {"two": 3}, "four": 5},
        });
        let text = values("answer", &value).into_string();
        for word in ["file bytes", "12,345", "66.6667", "cat, &lt;dog&gt;", "1, 2", "conv", "four"]
        {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains("none") && !text.contains("empty"));
    }

    #[test]
    fn numbers_have_sensible_digits() {
        let told = [0.0, 0.5, 12.345678, 3.2e-7, 1e9].map(digits);
        assert_eq!(told, ["0", "0.5", "12.3457", "3.20e-7", "1.00e9"]);
    }
}
