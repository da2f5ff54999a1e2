//! From a step to the request that it makes: which files it reads and writes.

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::parse::{Setting, Step};
use super::text::Recipe;
use crate::model::error::Fault;
use crate::verbs::{self, Memory, NamedFile, NamedVerb, Role, is_shelved, role};

/// Options that make no sense in a recipe, with the reason.
pub(super) const NO_OPTIONS: &[(&str, &str)] = &[
    ("dry_run", "it makes nothing; `dry_run=` of the build shows what would be made"),
    ("list", "it makes nothing"),
    ("resume", "a build goes on with unfinished training by itself"),
];

/// A step with its request.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// Its place among the recipe's steps.
    pub(super) step: usize,
    pub(super) name: String,
    pub(super) verb: &'static NamedVerb,
    pub(super) seed: u64,
    /// The request, with files where they are.
    pub(super) request: Map<String, Value>,
    pub(super) inputs: Vec<Input>,
    pub(super) outputs: Vec<Output>,
    /// What `@name` stands for.
    pub(super) result: PathBuf,
    /// Whether all that the step says stands in the request.
    pub(super) is_whole: bool,
    /// Whether the result is the answer, as JSON, for want of a file that the verb writes.
    pub(super) is_answer: bool,
}

/// A file or folder that a step reads.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) option: String,
    pub(super) path: PathBuf,
    /// The step that makes it, by its place; none if it is there before.
    pub(super) from: Option<usize>,
    /// The digest that it must have.
    pub(super) sha256: Option<String>,
}

/// A file or folder that a step writes.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) option: String,
    pub(super) path: PathBuf,
    pub(super) role: Role,
}

/// All steps with their requests, as far as they can be told, with what is wrong.
pub(super) fn place(recipe: &Recipe, out: &Path) -> (Vec<Placed>, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut placed = Vec::new();
    for (k, step) in recipe.steps().iter().enumerate() {
        let Some(verb) = verbs::find(&step.verb) else {
            let known: Vec<&str> = verbs::ALL.iter().map(|verb| verb.name).collect();
            let known = known.join(", ");
            faults.push(fault(
                step.line,
                format!(
                    "step `{}`: there is no verb `{}`; there are {known}",
                    step.name, step.verb
                ),
            ));
            continue;
        };
        let mut placing = Placing {
            recipe,
            out,
            step,
            verb,
            schema: verb.request_schema().to_value(),
            faults: &mut faults,
        };
        placed.push(placing.placed(k));
    }
    (placed, faults)
}

/// A fault at a line.
pub(super) fn fault(line: usize, message: String) -> Fault {
    Fault { file: String::new(), line: Some(line), message }
}

/// What the step `name` writes for `option`, or as its result where none is named; nothing if it is no file.
fn written(step: &Step, verb: &NamedVerb, option: Option<&str>, out: &Path) -> Option<PathBuf> {
    let option = option.unwrap_or("output");
    let said = step.option(option).and_then(Value::as_str);
    match said {
        Some(said) if role(option).is_some_and(Role::writes) => Some(out.join(said)),
        None if option == "output" => Some(out.join(format!("{}.{}", step.name, ending(verb)))),
        _ => None,
    }
}

/// What the name of a result ends with.
fn ending(verb: &NamedVerb) -> &'static str {
    match verb.name {
        _ if verb.default_request().get("output").is_none() => "json",
        "profile" => "safetensors",
        "report" | "route" => "html",
        "card" => "md",
        _ => "onnx",
    }
}

/// Where the unfinished run of a step is kept, if it is one that is.
pub(super) fn checkpoint(placed: &Placed) -> Option<PathBuf> {
    placed.verb.default_request().get("resume")?;
    let own = placed.outputs.iter().find(|output| output.role == Role::Checkpoint);
    Some(own.map_or_else(|| placed.result.with_extension("checkpoint"), |own| own.path.clone()))
}

struct Placing<'a> {
    recipe: &'a Recipe,
    out: &'a Path,
    step: &'a Step,
    verb: &'static NamedVerb,
    schema: Value,
    faults: &'a mut Vec<Fault>,
}

impl Placing<'_> {
    fn placed(&mut self, place: usize) -> Placed {
        let step = self.step;
        let result = written(step, self.verb, None, self.out).unwrap_or_default();
        let is_answer = self.verb.default_request().get("output").is_none();
        let mut placed = Placed {
            step: place,
            name: step.name.clone(),
            verb: self.verb,
            seed: step.seed.unwrap_or(self.recipe.seed()),
            request: Map::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            result: result.clone(),
            is_whole: true,
            is_answer,
        };
        let before = self.faults.len();
        for setting in &step.options {
            self.setting(setting, &mut placed);
        }
        if step.option("output").is_none() || is_answer {
            let (option, path) = ("output".to_owned(), result.clone());
            placed.outputs.push(Output { option, path, role: Role::Output });
        }
        placed.is_whole = self.faults.len() == before;
        if !is_answer {
            placed.request.insert("output".to_owned(), json!(result));
        }
        placed
    }

    fn refuse(&mut self, line: usize, message: &str) {
        self.faults.push(fault(line, format!("step `{}`: {message}", self.step.name)));
    }

    fn setting(&mut self, setting: &Setting, placed: &mut Placed) {
        let Setting { option, value, line, .. } = setting;
        let property = &self.schema["properties"][option];
        if property.is_null() {
            let message = format!("`{}` has no option `{option}`", self.verb.name);
            return self.refuse(*line, &message);
        }
        let forbidden = NO_OPTIONS.iter().find(|(name, _)| name == option);
        if let Some((_, why)) = forbidden.filter(|_| *value != json!(false)) {
            return self.refuse(*line, &format!("leave `{option}` out: {why}"));
        }
        let mut value = fitted(value, property, &self.schema);
        if let Some(role) = role(option) {
            match &mut value {
                Value::Array(all) => {
                    all.iter_mut().for_each(|one| self.file(one, role, setting, placed));
                }
                one => self.file(one, role, setting, placed),
            }
        }
        placed.request.insert(option.clone(), value);
    }

    /// Puts the file that a value names where it is.
    fn file(&mut self, value: &mut Value, role: Role, setting: &Setting, placed: &mut Placed) {
        let Some(NamedFile { before, file }) = value.as_str().and_then(|text| role.file(text))
        else {
            return;
        };
        let option = setting.option.clone();
        if role.writes() {
            if !stays_inside(file) {
                let message = format!(
                    "`{option}`: {file} is not below the folder that the recipe is built in"
                );
                return self.refuse(setting.line, &message);
            }
            let path = self.out.join(file);
            *value = json!(path);
            placed.outputs.push(Output { option, path, role });
            return;
        }
        let found = match file.strip_prefix('@').filter(|_| role != Role::Names) {
            Some(reference) => match self.referred(reference) {
                Ok(found) => found,
                Err(why) => return self.refuse(setting.line, &format!("`{option}`: {why}")),
            },
            None => {
                Input { option: String::new(), path: self.outside(file), from: None, sha256: None }
            }
        };
        *value = json!(format!("{before}{}", found.path.display()));
        placed.inputs.push(Input { option, ..found });
    }

    /// Where a file is that stands beside the recipe.
    fn outside(&self, file: &str) -> PathBuf {
        let elsewhere = Memory::is_name(file) || is_shelved(file) || file == "-";
        if elsewhere { PathBuf::from(file) } else { self.recipe.folder().join(file) }
    }

    /// What `@reference` stands for: a name of data or a step's result, a file that a step writes for another of its
    /// options (`low.frontier`), or something in such a folder (`digits/images.npz`).
    fn referred(&self, reference: &str) -> Result<Input, String> {
        let (head, below) = match reference.split_once('/') {
            Some((head, below)) => (head, Some(below)),
            None => (reference, None),
        };
        let inside = |path: PathBuf| below.map_or(path.clone(), |below| path.join(below));
        let option = String::new();
        if let Some(data) = self.recipe.data().iter().find(|data| data.name == head) {
            let sha256 = data.sha256.clone().filter(|_| below.is_none());
            let path = inside(self.outside(&data.path));
            return Ok(Input { option, path, from: None, sha256 });
        }
        let (name, output) = match head.split_once('.') {
            Some((name, output)) => (name, Some(output)),
            None => (head, None),
        };
        let Some(from) = self.recipe.steps().iter().position(|step| step.name == name) else {
            let steps = self.recipe.steps().iter().map(|step| &step.name[..]);
            let known: Vec<&str> =
                self.recipe.data().iter().map(|data| &data.name[..]).chain(steps).collect();
            return Err(format!(
                "there is nothing called `@{name}`; there are {}",
                known.join(", ")
            ));
        };
        let step = &self.recipe.steps()[from];
        let verb =
            verbs::find(&step.verb).ok_or_else(|| format!("`@{name}` is of no known verb"))?;
        let file = written(step, verb, output, self.out);
        let file = file.ok_or_else(|| {
            format!(
                "step `{name}` writes nothing for `{}`; say there where to",
                output.unwrap_or_default()
            )
        })?;
        Ok(Input { option, path: inside(file), from: Some(from), sha256: None })
    }
}

/// Whether a path leads below where it begins. Recipes come with files from elsewhere.
fn stays_inside(file: &str) -> bool {
    let normal = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    !file.is_empty() && Path::new(file).components().all(normal)
}

/// A value in the form that its option takes: one for a list of one, a number for a word.
fn fitted(value: &Value, property: &Value, root: &Value) -> Value {
    let schema = resolved(property, root);
    if has_type(schema, "array") {
        let items = &schema["items"];
        return match value {
            Value::Array(all) => all.iter().map(|one| fitted(one, items, root)).collect(),
            one => json!([fitted(one, items, root)]),
        };
    }
    match value {
        Value::Number(number) if has_type(schema, "string") && !has_type(schema, "number") => {
            json!(number.to_string())
        }
        other => other.clone(),
    }
}

/// What a schema says once references and what may be left out are followed.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    if let Some(place) = schema["$ref"].as_str() {
        return root.pointer(place.trim_start_matches('#')).unwrap_or(schema);
    }
    let given = schema["anyOf"].as_array().into_iter().flatten();
    given
        .into_iter()
        .find(|one| one["type"] != "null")
        .map_or(schema, |given| resolved(given, root))
}

fn has_type(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    }
}
