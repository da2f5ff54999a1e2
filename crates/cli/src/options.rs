//! From the JSON Schema of a request to the options of a command, and from what was typed back to a
//! request. A request names each option, its default and what it means; here is only what a command
//! line adds: places, headings and the names of values.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use crate::hints::{flag, with_flags};
use crate::schema::{has_type, resolved, short};
use crate::shown::Shown;

/// What values are called in help, by the option that takes them.
const VALUES: &[(&str, &str)] = &[
    ("a", "A.onnx"),
    ("arch", "NAME"),
    ("b", "B.onnx"),
    ("base_model", "MODEL"),
    ("checkpoint", "FILE"),
    ("class_names", "NAMES"),
    ("clip", "NORM"),
    ("crop", "RATIO"),
    ("curve", "CURVE.svg"),
    ("data", "[NAME=]DATA"),
    ("datasets", "NAME"),
    ("feature", "VALUE=VALUE"),
    ("file", "FILE"),
    ("foreign", "DATA"),
    ("frontier", "FILE"),
    ("graph", "FILE.svg"),
    ("indices", "FILE.json"),
    ("keep", "KEEP.json"),
    ("keep_all", "DIR"),
    ("layers", "NAME[,NAME]"),
    ("license", "NAME"),
    ("log", "LOG.csv"),
    ("masks_out", "MASKS.safetensors"),
    ("max_drop", "POINTS"),
    ("merge", "PROFILE"),
    ("milestones", "E,E"),
    ("model", "MODEL.onnx"),
    ("models", "MODEL.onnx"),
    ("node_data", "FILE.json"),
    ("on_duplicate", "HOW"),
    ("only", "PREFIX"),
    ("optimizer", "NAME"),
    ("out", "DIR"),
    ("output", "FILE"),
    ("parts", "COMPONENT.onnx"),
    ("profile", "PROFILE.safetensors"),
    ("rate", "5%"),
    ("recall", "95%"),
    ("recipe", "RECIPE.toml"),
    ("remove", "NAMES"),
    ("replace", "CLASS=COMPONENT.onnx"),
    ("schedule", "NAME"),
    ("scores", "NAME"),
    ("set", "STEP.OPTION=VALUE"),
    ("source", "SOURCE.onnx"),
    ("student", "ARCH | MODEL.onnx"),
    ("teacher", "MODEL.onnx"),
    ("trunk", "LAYER"),
    ("warmup", "EPOCHS"),
    ("weights", "FILE.safetensors"),
    ("why", "VALUE"),
];

/// Headings, with the options below them.
const HEADINGS: &[(&str, &[&str])] = &[
    (
        "Input (where the model does not say)",
        &[
            "size",
            "scale",
            "mean",
            "std",
            "channel_order",
            "fit",
            "crop",
            "filter",
            "layout",
            "odd_pixels",
            "class_names",
        ],
    ),
    (
        "Size (instead of --profile or --keep: channels are given up step by step)",
        &[
            "macs",
            "params",
            "max_drop",
            "latency",
            "speed",
            "latency_table",
            "frontier",
            "keep_all",
            "pick",
            "criterion",
            "step",
            "trunk",
            "hold_out",
            "hold_out_split",
        ],
    ),
    (
        "Steps",
        &[
            "optimizer",
            "lr",
            "momentum",
            "weight_decay",
            "clip",
            "decay_weights_only",
            "schedule",
            "warmup",
            "milestones",
            "gamma",
            "smoothing",
            "only",
        ],
    ),
];

/// Headings, by place, that stand only where there is another option as well: not every command with
/// a size has it for its input, or instead of something.
const NEEDS: &[(usize, &str)] = &[(0, "mean"), (1, "keep")];

/// What an option takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Whole,
    Number,
    Word,
}

/// One option, as its schema tells.
struct Option_<'a> {
    name: &'a str,
    help: String,
    schema: &'a Value,
    many: bool,
    default: Option<String>,
}

/// The command of a verb.
pub(crate) fn command<V: Shown>() -> Command {
    let schema = schema::<V>();
    let about = words(schema["description"].as_str().unwrap_or_default());
    let name = V::NAME.split_once(' ').map_or(V::NAME, |(_, last)| last);
    let mut command = Command::new(name).after_help(V::EXAMPLES);
    command = match about.split_once("\n\n") {
        Some((first, _)) => command.about(first.to_owned()).long_about(about.clone()),
        None => command.about(about),
    };
    let properties = schema["properties"].as_object();
    let headed = |name: &str| properties.is_some_and(|found| found.contains_key(name));
    for (name, property) in properties.into_iter().flatten() {
        let option = Option_::new(name, property, &schema);
        let heading = HEADINGS.iter().position(|(_, options)| options.contains(&&name[..]));
        let heading =
            heading.filter(|place| NEEDS.iter().all(|(own, other)| own != place || headed(other)));
        let mut arg = option.arg::<V>();
        if let Some(place) = heading.filter(|_| !V::PLACES.contains(&&name[..])) {
            arg = arg.help_heading(HEADINGS[place].0);
        }
        command = command.arg(arg);
    }
    match V::INSTEAD {
        Some(other) => {
            let usage = usage::<V>(&command, other);
            command.override_usage(usage)
        }
        None => command,
    }
}

/// The two ways to use a command: with what it needs, or with the option beside which it needs nothing.
fn usage<V: Shown>(command: &Command, other: &str) -> String {
    let needed = command.get_arguments().filter(|arg| V::REQUIRED.contains(&arg.get_id().as_str()));
    let typed = |arg: &Arg| {
        let value = arg.get_value_names().and_then(|values| values.first());
        value.map(|value| format!(" --{} <{value}>", flag(arg.get_id().as_str())))
    };
    let (name, needed, other) =
        (V::NAME, needed.filter_map(typed).collect::<String>(), flag(other));
    format!("brickwork {name} [OPTIONS]{needed}\n       brickwork {name} --{other}")
}

/// What the values of all options are called in help, by option.
pub(crate) fn value_names<V: Shown>() -> Vec<(String, String)> {
    let schema = schema::<V>();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let named = |(name, property): (&String, &Value)| {
        (name.clone(), Option_::new(name, property, &schema).value_name())
    };
    properties.map(named).collect()
}

fn schema<V: Shown>() -> Value {
    schemars::schema_for!(V).to_value()
}

/// Lines of a paragraph as one, options as they are typed.
fn words(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    with_flags(&paragraphs.collect::<Vec<_>>().join("\n\n"))
}

impl<'a> Option_<'a> {
    fn new(name: &'a str, property: &'a Value, root: &'a Value) -> Self {
        let outer = resolved(property, root);
        let many = outer["type"] == "array" || has_type(outer, "array");
        let schema = if many { resolved(&outer["items"], root) } else { outer };
        let help = property["description"].as_str().or(outer["description"].as_str());
        let default = told(&property["default"]);
        Self { name, help: words(help.unwrap_or_default()), schema, many, default }
    }

    fn takes(&self) -> Takes {
        match self.schema {
            schema if has_type(schema, "boolean") => Takes::Nothing,
            schema if has_type(schema, "string") || !choices(schema).is_empty() => Takes::Word,
            schema if has_type(schema, "integer") => Takes::Whole,
            schema if has_type(schema, "number") => Takes::Number,
            _ => Takes::Word,
        }
    }

    fn value_name(&self) -> String {
        let form = self.schema["format"].as_str().filter(|_| has_type(self.schema, "string"));
        let known = || VALUES.iter().find(|(name, _)| *name == self.name).map(|(_, value)| *value);
        match (form.or_else(known), self.takes()) {
            (Some(form), _) => form.to_owned(),
            (_, Takes::Whole) if self.many => "N[,N]".to_owned(),
            (_, Takes::Whole) => "N".to_owned(),
            (_, Takes::Number) if self.many => "X[,X,X]".to_owned(),
            (_, Takes::Number) => "X".to_owned(),
            _ => self.name.rsplit('_').next().unwrap_or(self.name).to_uppercase(),
        }
    }

    fn arg<V: Shown>(&self) -> Arg {
        let mut arg = Arg::new(self.name.to_owned()).help(self.help.clone());
        if let Some((first, _)) = self.help.split_once("\n\n") {
            arg = arg.help(first.to_owned()).long_help(self.help.clone());
        }
        let place = V::PLACES.iter().position(|place| *place == self.name);
        let required = V::REQUIRED.contains(&self.name);
        arg = match place {
            Some(place) => arg.index(place + 1),
            None => arg.long(flag(self.name)),
        };
        arg = match V::INSTEAD.filter(|_| required) {
            Some(other) => arg.required_unless_present(other),
            None => arg.required(required),
        };
        if self.name == "output" {
            arg = arg.short('o');
        }
        if self.takes() == Takes::Nothing {
            return arg.action(ArgAction::SetTrue);
        }
        arg =
            arg.value_name(self.value_name()).allow_negative_numbers(self.takes() == Takes::Number);
        if self.many {
            let several = place.is_some() || V::SEVERAL.contains(&self.name);
            arg = arg.action(ArgAction::Append);
            if several {
                arg = arg.num_args(1..);
            }
            if self.takes() != Takes::Word || V::LISTS.contains(&self.name) {
                arg = arg.value_delimiter(',');
            }
        }
        if let Some(default) = &self.default {
            arg = arg.default_value(default.clone());
        }
        match (self.takes(), choices(self.schema)) {
            (Takes::Whole, _) => arg.value_parser(value_parser!(u64)),
            (Takes::Number, _) => arg.value_parser(value_parser!(f64)),
            (_, choices) if !choices.is_empty() => {
                arg.value_parser(PossibleValuesParser::new(choices))
            }
            _ => arg,
        }
    }

    /// What was typed, as JSON; nothing where the default holds.
    fn typed(&self, matches: &ArgMatches) -> Option<Value> {
        if matches.value_source(self.name) != Some(ValueSource::CommandLine) {
            return None;
        }
        let all: Vec<Value> = match self.takes() {
            Takes::Nothing => return Some(json!(true)),
            Takes::Whole => values::<u64>(matches, self.name, |whole| json!(whole)),
            Takes::Number => values::<f64>(matches, self.name, |number| json!(number)),
            Takes::Word => values::<String>(matches, self.name, |word| json!(word)),
        };
        if self.many { Some(json!(all)) } else { all.into_iter().next() }
    }
}

fn values<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
    of: impl Fn(&T) -> Value,
) -> Vec<Value> {
    matches.get_many::<T>(name).into_iter().flatten().map(of).collect()
}

/// A default as it would be typed, if there is anything to type.
fn told(default: &Value) -> Option<String> {
    match default {
        Value::Null | Value::Bool(_) => None,
        Value::Array(all) => Some(all.iter().filter_map(told).collect::<Vec<_>>().join(",")),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_f64().map(short),
        other => Some(other.to_string()),
    }
    .filter(|text| !text.is_empty())
}

/// The words that a schema allows, with what they mean.
fn choices(schema: &Value) -> Vec<PossibleValue> {
    let plain = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let told = schema["oneOf"].as_array().into_iter().flatten().flat_map(|one| {
        let help = one["description"].as_str().map(words);
        let names = one["enum"].as_array().into_iter().flatten().chain([&one["const"]]);
        let names = names.filter_map(Value::as_str);
        let value = move |name: &str| match &help {
            Some(help) => {
                PossibleValue::new(name.to_owned()).help(help.trim_end_matches('.').to_owned())
            }
            None => PossibleValue::new(name.to_owned()),
        };
        names.map(value).collect::<Vec<_>>()
    });
    plain.map(|name| PossibleValue::new(name.to_owned())).chain(told).collect()
}

/// The request that was typed.
///
/// # Errors
/// Every option whose value cannot be understood.
pub(crate) fn request<V: Shown>(matches: &ArgMatches) -> Result<V, clap::Error> {
    let schema = schema::<V>();
    let mut given = Map::new();
    let mut problems = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let option = Option_::new(name, property, &schema);
        let Some(value) = option.typed(matches) else { continue };
        // Alone, so that what is wrong with it is not laid to another option.
        if let Err(error) = serde_json::from_value::<V>(json!({ name: value })) {
            let place = V::PLACES.iter().any(|place| place == name);
            let shown = if place { option.value_name() } else { format!("--{}", flag(name)) };
            problems.push(format!("invalid value for {shown}: {error}"));
        }
        given.insert(name.clone(), value);
    }
    let wrong = |text: String| command::<V>().error(ErrorKind::InvalidValue, text);
    if !problems.is_empty() {
        return Err(wrong(problems.join("\n  and: ")));
    }
    serde_json::from_value(Value::Object(given)).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    /// The request's default, its stored form, the request of a command line with only what is
    /// required, its schema and its help say the same.
    pub(crate) fn agrees<V: Shown>() {
        let default = V::default();
        let stored = serde_json::to_value(&default).unwrap();
        assert_eq!(serde_json::from_value::<V>(stored.clone()).unwrap(), default);
        assert_eq!(serde_json::from_value::<V>(json!({})).unwrap(), default);
        assert_eq!(without(&typed::<V>(), V::REQUIRED), without(&stored, V::REQUIRED));

        let schema = schema::<V>();
        let properties = schema["properties"].as_object().unwrap();
        let names = |object: &Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(properties), names(stored.as_object().unwrap()), "{}", V::NAME);
        let help = command::<V>().render_long_help().to_string();
        let command = command::<V>();
        assert_eq!(command.get_arguments().count(), properties.len(), "{}", V::NAME);
        for arg in command.get_arguments() {
            let name = arg.get_id().as_str();
            assert_eq!(properties[name]["default"], stored[name], "{} {name}", V::NAME);
            assert!(arg.get_help().is_some_and(|help| !help.to_string().is_empty()), "{name}");
            match arg.get_long() {
                Some(long) => assert_eq!(long, name.replace('_', "-"), "{}", V::NAME),
                None => assert!(V::PLACES.contains(&name), "{} {name}", V::NAME),
            }
            let told = arg.get_default_values().first().map(|told| told.to_str().unwrap());
            match (&stored[name], told) {
                (Value::Number(number), Some(told)) => {
                    let number = number.as_f64().unwrap() as f32;
                    assert_eq!(told.parse(), Ok(number), "{} {name}", V::NAME);
                }
                (Value::Array(all), Some(told)) => {
                    let told: Value = serde_json::from_str(&format!("[{told}]")).unwrap();
                    assert_eq!(told.as_array(), Some(all), "{} {name}", V::NAME);
                }
                (Value::String(text), Some(told)) => assert_eq!(told, text, "{} {name}", V::NAME),
                (nothing, told) => {
                    let empty = [json!(null), json!(false), json!([]), json!("")];
                    assert!(empty.contains(nothing), "{} {name}: {nothing}", V::NAME);
                    assert_eq!(told, None, "{} {name}", V::NAME);
                }
            }
            let told = told.is_none_or(|told| help.contains(&format!("[default: {told}]")));
            assert!(told, "{} {name}: {help}", V::NAME);
        }
    }

    /// The request of a command line with only what is required.
    fn typed<V: Shown>() -> Value {
        let command = command::<V>();
        let needed =
            command.get_arguments().filter(|arg| V::REQUIRED.contains(&arg.get_id().as_str()));
        let words = needed.flat_map(|arg| {
            let first = arg.get_possible_values().first().map(|value| value.get_name().to_owned());
            let name = arg.get_long().map(|long| format!("--{long}"));
            [name, Some(first.unwrap_or_else(|| "1".to_owned()))].into_iter().flatten()
        });
        let line: Vec<String> = std::iter::once(V::NAME.to_owned()).chain(words).collect();
        let matches = command.clone().try_get_matches_from(line).unwrap();
        serde_json::to_value(request::<V>(&matches).unwrap()).unwrap()
    }

    fn without(object: &Value, names: &[&str]) -> Value {
        let kept = object.as_object().unwrap().iter();
        let kept = kept.filter(|(name, _)| !names.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
