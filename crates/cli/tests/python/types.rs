//! From JSON Schemas to types of Python.

use std::collections::BTreeMap;
use std::fmt::Write;

use brickwork_cli::schema::{has_type, resolved, short};
use serde_json::Value;

/// Columns of a line.
const WIDTH: usize = 100;

/// Classes of answers that have more than their fields, with what they are made of.
const BASES: &[(&str, &str)] = &[("PredictAnswer", "Predicted")];

/// Words of Python that are no names; a field of such a name has a line below behind it.
const KEYWORDS: &[&str] =
    &["class", "from", "global", "import", "in", "is", "lambda", "not", "with"];

/// Options that name files, though what they are called on the command line does not tell.
const FILES: &[&str] = &["labels", "csv", "confusion", "per_image"];

/// What an option takes.
pub(super) struct Type {
    /// The type of one value.
    pub(super) one: String,
    /// Whether there may be several.
    pub(super) many: bool,
    /// Whether there may be none.
    optional: bool,
    form: Form,
}

/// What has a form of its own.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Plain,
    Names,
    Size,
    /// One value for each of several names.
    Named,
    Data,
}

impl Type {
    /// The type of the argument.
    pub(super) fn declared(&self) -> String {
        let Self { one, many, optional, form } = self;
        let declared = match (form, many) {
            (Form::Data, _) => one.clone(),
            (Form::Names, _) => "str | int | Sequence[str | int]".to_owned(),
            (Form::Named, _) => format!("Mapping[str, {one}] | Sequence[str]"),
            (_, true) => format!("Sequence[{one}] | {one}"),
            (_, false) => one.clone(),
        };
        if *optional && !declared.contains("None") { declared + " | None" } else { declared }
    }
}

/// What the option called `name` takes, whose values are called `value` on the command line.
pub(super) fn option_type(name: &str, property: &Value, root: &Value, value: &str) -> Type {
    let outer = resolved(property, root);
    let many = has_type(outer, "array");
    let schema = if many { resolved(&outer["items"], root) } else { outer };
    let null = |one: &Value| one["type"] == "null";
    let optional = has_type(outer, "null")
        || property["anyOf"].as_array().is_some_and(|all| all.iter().any(null));
    let pair = value.contains("]=") || value.contains("=COMP") || value == "VALUE=VALUE";
    let (form, one) = match value {
        _ if value.ends_with("DATA") => (Form::Data, "Data".to_owned()),
        _ if pair && value.ends_with(".onnx") => (Form::Named, "ModelLike".to_owned()),
        _ if pair => (Form::Named, "str".to_owned()),
        _ if value.starts_with("H[") => (Form::Size, "Sides".to_owned()),
        _ if name == "images" && !has_type(schema, "integer") => {
            (Form::Data, "Pictures".to_owned())
        }
        _ if matches!(name, "classes" | "class_names") && !has_type(schema, "integer") => {
            (Form::Names, "str".to_owned())
        }
        _ if FILES.contains(&name) => (Form::Plain, "File".to_owned()),
        _ => (Form::Plain, plain(schema, value)),
    };
    Type { one, many, optional, form }
}

fn plain(schema: &Value, value: &str) -> String {
    let is_text = has_type(schema, "string") && !has_type(schema, "number");
    let words = constants(schema);
    match schema {
        _ if !words.is_empty() => format!("Literal[{}]", words.join(", ")),
        _ if is_text && value.ends_with(".onnx") => "ModelLike".to_owned(),
        _ if is_text && value.starts_with("PROFILE") => "ProfileLike".to_owned(),
        _ if is_text && (value.contains("FILE") || value.contains('.') || value == "DIR") => {
            "File".to_owned()
        }
        _ if has_type(schema, "boolean") => "bool".to_owned(),
        _ if is_text => "str".to_owned(),
        _ if has_type(schema, "string") => "str | float".to_owned(),
        _ if has_type(schema, "integer") => "int".to_owned(),
        _ => "float".to_owned(),
    }
}

/// An option's value in the request, from the argument of its name.
pub(super) fn taken(name: &str, kind: &Type) -> String {
    match (kind.form, kind.many) {
        (Form::Size, _) => format!("_size({name})"),
        (Form::Names, _) => format!("_names({name})"),
        (Form::Plain | Form::Data | Form::Named, true) => format!("_several({name})"),
        _ => name.to_owned(),
    }
}

/// A default as Python writes it.
pub(super) fn default(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(all) if all.is_empty() => "()".to_owned(),
        Value::Array(all) => {
            format!("({},)", all.iter().map(default).collect::<Vec<_>>().join(", "))
        }
        Value::Number(number) if number.is_f64() => {
            let text = number.as_f64().map_or_else(String::new, short);
            if text.contains(['.', 'e']) { text } else { text + ".0" }
        }
        other => other.to_string(),
    }
}

/// What a request is for, in a sentence and what follows it.
pub(super) fn summary(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

/// What an option means.
pub(super) fn words(property: &Value, root: &Value) -> String {
    let own = property["description"].as_str();
    let words = own.or(resolved(property, root)["description"].as_str()).unwrap_or_default();
    words.replace('\n', " ")
}

/// A docstring: what it is for, and arguments with what they mean.
pub(super) fn docstring(indent: &str, text: &str, arguments: &[(&str, &str)]) -> String {
    let mut lines = String::new();
    for (place, paragraph) in text.split("\n\n").enumerate() {
        let end = if paragraph.ends_with('.') { "" } else { "." };
        let start = if place == 0 { "\"\"\"" } else { "" };
        let words = format!("{start}{}{end}", paragraph.replace('\n', " "));
        lines.push_str(&wrapped(indent, indent, &words));
        lines.push('\n');
    }
    if arguments.is_empty() {
        let end = lines.trim_end().len();
        lines.truncate(end);
        return lines + "\"\"\"\n";
    }
    let _ = writeln!(lines, "{indent}Args:");
    let (first, next) = (format!("{indent}    "), format!("{indent}        "));
    for (name, help) in arguments {
        lines.push_str(&wrapped(&first, &next, &format!("{name}: {help}")));
    }
    lines + indent + "\"\"\"\n"
}

fn wrapped(first: &str, next: &str, text: &str) -> String {
    let (mut lines, mut line) = (String::new(), first.to_owned());
    for word in text.replace('\\', "\\\\").split_whitespace() {
        if line.trim().len() + word.len() + next.len() >= WIDTH && !line.trim().is_empty() {
            lines.push_str(line.trim_end());
            lines.push('\n');
            next.clone_into(&mut line);
        }
        line.push_str(word);
        line.push(' ');
    }
    lines + line.trim_end() + "\n"
}

/// The words that a schema allows, as Python writes them.
fn constants(schema: &Value) -> Vec<String> {
    let plain = schema["enum"].as_array().into_iter().flatten();
    let told = schema["oneOf"].as_array().into_iter().flatten();
    let told =
        told.flat_map(|one| one["enum"].as_array().into_iter().flatten().chain([&one["const"]]));
    plain.chain(told).filter(|word| word.is_string()).map(Value::to_string).collect()
}

/// Classes of answers and what they are made of, by name.
#[derive(Default)]
pub(super) struct Classes {
    found: BTreeMap<String, String>,
}

impl Classes {
    /// Adds an answer and what it is made of.
    pub(super) fn add(&mut self, root: &Value) {
        for (name, schema) in root["$defs"].as_object().into_iter().flatten() {
            self.class(name, schema, root);
        }
        if let Some(title) = root["title"].as_str() {
            self.class(title, root, root);
        }
    }

    /// All of them.
    pub(super) fn text(&self) -> String {
        self.found.values().map(String::as_str).collect()
    }

    fn class(&mut self, name: &str, schema: &Value, root: &Value) {
        let one_of = schema["anyOf"].as_array().map_or(&[][..], Vec::as_slice);
        let shapes: Vec<&Value> = match one_of {
            [] => vec![schema],
            several => several.iter().map(|one| resolved(one, root)).collect(),
        };
        let is_object = |shape: &&Value| shape["properties"].is_object();
        let shapes: Vec<&Value> = shapes.into_iter().filter(is_object).collect();
        if shapes.is_empty() {
            return;
        }
        let base = BASES.iter().find(|(of, _)| *of == name).map_or("Answer", |(_, base)| base);
        let mut text = format!("\n\nclass {name}({base}):\n");
        text.push_str(&docstring("    ", &summary(schema), &[]));
        let mut seen: Vec<&String> = Vec::new();
        for (field, property) in
            shapes.iter().flat_map(|shape| shape["properties"].as_object().into_iter().flatten())
        {
            if seen.contains(&field) {
                continue;
            }
            seen.push(field);
            let always = shapes.iter().all(|shape| is_required(shape, field));
            let mut kind = answer_type(property, root);
            if !always && !kind.contains("None") && kind != "Any" {
                kind.push_str(" | None");
            }
            let end = if KEYWORDS.contains(&&field[..]) { "_" } else { "" };
            let _ = writeln!(text, "\n    {field}{end}: {kind}");
            text.push_str(&docstring("    ", &words(property, root), &[]));
        }
        self.found.insert(name.to_owned(), text);
    }
}

fn is_required(schema: &Value, field: &str) -> bool {
    schema["required"].as_array().into_iter().flatten().any(|name| name == field)
}

/// The type of what an answer holds.
fn answer_type(schema: &Value, root: &Value) -> String {
    if let Some(place) = schema["$ref"].as_str() {
        let found = root.pointer(place.trim_start_matches('#')).unwrap_or(&Value::Null);
        let name = place.rsplit('/').next().unwrap_or_default();
        return if found["properties"].is_object() {
            name.to_owned()
        } else {
            answer_type(found, root)
        };
    }
    let words = constants(schema);
    let one_of = ["anyOf", "oneOf"].iter().find_map(|key| schema[key].as_array());
    if let Some(one_of) = one_of {
        let others =
            one_of.iter().filter(|one| !one["const"].is_string() && !one["enum"].is_array());
        let mut kinds: Vec<String> = others.map(|one| answer_type(one, root)).collect();
        if !words.is_empty() {
            kinds.insert(0, format!("Literal[{}]", words.join(", ")));
        }
        kinds.dedup();
        kinds.sort_by_key(|kind| kind == "None");
        return kinds.join(" | ");
    }
    if !words.is_empty() {
        return format!("Literal[{}]", words.join(", "));
    }
    let names = match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        Value::String(name) => vec![&name[..]],
        _ => return "Any".to_owned(),
    };
    let kinds: Vec<String> = names.into_iter().map(|name| named_type(name, schema, root)).collect();
    kinds.join(" | ")
}

fn named_type(name: &str, schema: &Value, root: &Value) -> String {
    match name {
        "array" => format!("list[{}]", answer_type(&schema["items"], root)),
        "object" if schema["additionalProperties"].is_object() => {
            format!("dict[str, {}]", answer_type(&schema["additionalProperties"], root))
        }
        "object" => "dict[str, Any]".to_owned(),
        "string" => "str".to_owned(),
        "integer" => "int".to_owned(),
        "number" => "float".to_owned(),
        "boolean" => "bool".to_owned(),
        "null" => "None".to_owned(),
        _ => "Any".to_owned(),
    }
}
