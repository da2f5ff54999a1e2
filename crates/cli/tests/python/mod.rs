//! The signatures of verbs in Python, made from what requests and answers say of themselves: options are keyword
//! arguments with the same names, defaults and words, answers are classes with the same fields.

mod types;

use std::collections::BTreeMap;
use std::fmt::Write;

use brickwork_cli::{Described, verbs};
use serde_json::{Map, Value, json};
use types::{Classes, default, docstring, option_type, summary, taken};

/// What a function gives.
#[derive(Clone, Copy, PartialEq)]
enum Gives {
    /// The answer.
    Answer,
    /// The model that was made.
    Model,
    /// The profile that was made.
    Profile,
    /// The answer, which may be written as a page, too.
    Page,
    /// Work that several processes share, and that gives the answer in the end.
    SharedAnswer,
    /// Work that several processes share, and that gives the profile in the end.
    SharedProfile,
}

impl Gives {
    fn is_shared(self) -> bool {
        matches!(self, Self::SharedAnswer | Self::SharedProfile)
    }
}

/// Where a verb stands in Python.
struct Place {
    verb: &'static str,
    /// What it is called there.
    name: &'static str,
    /// The option that is the model whose method it is; a function has none.
    own: Option<&'static str>,
    /// Options that may be given without their names, in order; `*` stands before one that takes all of them.
    given: &'static [&'static str],
    gives: Gives,
}

/// A method of a model.
const fn method(
    verb: &'static str,
    name: &'static str,
    own: &'static str,
    given: &'static [&'static str],
    gives: Gives,
) -> Place {
    Place { verb, name, own: Some(own), given, gives }
}

/// A function.
const fn function(verb: &'static str, given: &'static [&'static str], gives: Gives) -> Place {
    Place { verb, name: verb, own: None, given, gives }
}

const FUNCTIONS: &[Place] = &[
    function("init", &["arch"], Gives::Model),
    function("assemble", &["*parts"], Gives::Model),
    function("train", &["arch", "data"], Gives::Model),
    function("distill", &["teacher", "student", "data"], Gives::Model),
    function("probe", &["models", "data"], Gives::Answer),
];

const METHODS: &[Place] = &[
    method("inspect", "inspect", "model", &[], Gives::Answer),
    method("report", "report", "model", &["data"], Gives::Page),
    method("card", "model_card", "model", &["data"], Gives::Answer),
    method("profile", "profile", "model", &["data"], Gives::Profile),
    method("disassemble", "disassemble", "model", &["classes"], Gives::Model),
    method("compress", "compress", "model", &["data"], Gives::Model),
    method("calibrate", "calibrate", "model", &["data"], Gives::Model),
    method("refit", "refit", "model", &["source", "data"], Gives::Model),
    method("reject", "reject", "model", &["data"], Gives::Model),
    method("eval", "evaluate", "model", &["data"], Gives::Answer),
    method("predict", "predict", "model", &["images"], Gives::Answer),
    method("doctor", "doctor", "model", &["data"], Gives::Answer),
    method("probe", "probe", "models", &["data"], Gives::Answer),
    method("finetune", "finetune", "model", &["data"], Gives::Model),
    method("verify", "verify", "models", &["*models"], Gives::Answer),
    method("masks", "masks", "model", &[], Gives::Answer),
    method("diff", "diff", "a", &["b"], Gives::Answer),
    method("route", "route", "model", &["profile", "classes"], Gives::Page),
    method("annotate", "annotate", "model", &[], Gives::Model),
    method("bench", "bench", "model", &[], Gives::Answer),
];

/// Verbs whose work several processes can share.
const SHARED: &[Place] = &[
    method("profile", "profile", "model", &["data"], Gives::SharedProfile),
    method("eval", "evaluate", "model", &["data"], Gives::SharedAnswer),
];

/// Verbs that the command alone has: they work on graphs of nodes, or on recipes, from file to file.
const COMMAND_ALONE: &[&str] =
    &["gcn train", "gcn disassemble", "gcn eval", "build", "recipe", "init-recipe"];

/// Options that make no sense where what is made is given back: where to write it, and not to make it.
const NO_ARGUMENTS: &[&str] = &["output", "dry_run", "list"];

/// What stands at the top of the module.
const HEAD: &str = r#""""What models can be asked, with the names, defaults and words of the command line.

Made by the command's tests; CONTRIBUTING.md says how. Do not edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from brickwork._answer import Answer, Predicted
from brickwork._ask import answered, made, profiled
from brickwork._ask import names as _names
from brickwork._ask import several as _several
from brickwork._ask import size as _size
from brickwork._work import Work, shared, shared_profile

if TYPE_CHECKING:
    from brickwork._ask import Data, File, ModelLike, Pictures, ProfileLike, Sides
    from brickwork._model import Model, Profile
    from brickwork._progress import ProgressLike
"#;

/// What stands before the verbs that several processes share.
const SHARED_HEAD: &str = r#"

class SharedVerbs:
    """What a model can be asked, as work that several processes share."""

    def __init__(self, model: Model) -> None:
        self._model = model
"#;

/// The general options, as every function takes them.
const GENERAL: [(&str, &str, &str); 3] = [
    (
        "progress",
        "ProgressLike = None",
        "Who is told how far the work is: a callable that is given the \
      phase, what is done and what is to be done; False for nobody [default: a bar of tqdm, if it is installed]",
    ),
    ("threads", "int | None = None", "Threads to use [default: one per core]"),
    ("seed", "int = 0", "Seed of every random choice"),
];

/// The Python module of all verbs.
pub(crate) fn module() -> String {
    let mut text = HEAD.to_owned();
    let mut classes = Classes::default();
    let all = verbs();
    for verb in all.iter().filter(|verb| !COMMAND_ALONE.contains(&verb.name)) {
        classes.add(&verb.answer);
    }
    text.push_str(&classes.text());
    text.push_str("\n\nclass ModelVerbs:\n    \"\"\"What a model can be asked.\"\"\"\n");
    METHODS.iter().for_each(|place| text.push_str(&place.text("    ", &all)));
    text.push_str(SHARED_HEAD);
    SHARED.iter().for_each(|place| text.push_str(&place.text("    ", &all)));
    FUNCTIONS.iter().for_each(|place| {
        text.push('\n');
        text.push_str(&place.text("", &all));
    });
    text
}

/// One argument of a function.
struct Argument {
    name: String,
    /// Its type, and its default if it has one.
    declared: String,
    help: String,
    /// The option's value in the request.
    value: String,
}

impl Place {
    fn text(&self, indent: &str, all: &[Described]) -> String {
        let Some(verb) = all.iter().find(|verb| verb.name == self.verb) else {
            panic!("there is no verb `{}`", self.verb)
        };
        let (request, answer) = (&verb.request, &verb.answer);
        let arguments = self.arguments(verb);
        let answer_class = answer["title"].as_str().unwrap_or("Answer");
        let gives = match self.gives {
            Gives::Answer | Gives::Page => answer_class,
            Gives::Model => "Model",
            Gives::Profile => "Profile",
            Gives::SharedAnswer => &format!("Work[{answer_class}]"),
            Gives::SharedProfile => "Work[Profile]",
        };
        let name = self.name;
        let mut text = format!("\n{indent}def {name}(\n");
        let inner = format!("{indent}    ");
        if self.own.is_some() {
            let _ = writeln!(text, "{inner}self,");
        }
        let (places, named) = self.split(&arguments);
        for argument in places {
            let _ = writeln!(text, "{inner}{}: {},", argument.name, argument.declared);
        }
        if !self.given.iter().any(|name| name.starts_with('*')) {
            let _ = writeln!(text, "{inner}*,");
        }
        for argument in named {
            let _ = writeln!(text, "{inner}{}: {},", argument.name, argument.declared);
        }
        let _ = writeln!(text, "{indent}) -> {gives}:");
        text.push_str(&docstring(&inner, &summary(request), &self.described(&arguments)));
        text.push_str(&self.body(&inner, answer_class, &arguments));
        text
    }

    /// The arguments in two: those that may be given by place, and those that have names.
    fn split<'a>(&self, arguments: &'a [Argument]) -> (Vec<&'a Argument>, Vec<&'a Argument>) {
        let given = |argument: &&Argument| self.given.contains(&&argument.name[..]);
        arguments.iter().partition(given)
    }

    /// Every argument with what it means.
    fn described<'a>(&self, arguments: &'a [Argument]) -> Vec<(&'a str, &'a str)> {
        let (places, named) = self.split(arguments);
        let all = places.into_iter().chain(named);
        all.map(|argument| (argument.name.trim_start_matches('*'), &argument.help[..])).collect()
    }

    /// All arguments: those by place first.
    fn arguments(&self, verb: &Described) -> Vec<Argument> {
        let request = &verb.request;
        let values: BTreeMap<&String, &String> =
            verb.values.iter().map(|(name, value)| (name, value)).collect();
        let properties = request["properties"].as_object().cloned().unwrap_or_default();
        let mut arguments: Vec<Argument> = self
            .given
            .iter()
            .filter_map(|name| {
                let option = name.trim_start_matches('*');
                let property = properties.get(option)?;
                Some(self.argument(name, property, values.get(&option.to_owned())?, verb))
            })
            .collect();
        let rest = properties.iter().filter(|(name, _)| self.is_named(name));
        arguments
            .extend(rest.map(|(name, property)| self.argument(name, property, values[name], verb)));
        if self.gives == Gives::Model {
            arguments.push(called());
        }
        // Who shares work says for each piece of it who is told and how many threads it has.
        let general =
            GENERAL.into_iter().filter(|(name, ..)| !self.gives.is_shared() || *name == "seed");
        arguments.extend(general.map(|(name, declared, help)| Argument {
            name: name.to_owned(),
            declared: declared.to_owned(),
            help: help.to_owned(),
            value: String::new(),
        }));
        arguments
    }

    /// Whether an option is given by its name alone.
    fn is_named(&self, name: &str) -> bool {
        let by_place = self.given.iter().any(|given| given.trim_start_matches('*') == name);
        let written = name == "output" && self.gives == Gives::Page;
        !by_place && self.own != Some(name) && (written || !NO_ARGUMENTS.contains(&name))
    }

    fn argument(
        &self,
        name: &str,
        property: &Value,
        value_name: &str,
        verb: &Described,
    ) -> Argument {
        let request = &verb.request;
        let option = name.trim_start_matches('*');
        let kind = option_type(option, property, request, value_name);
        let declared = match name.strip_prefix('*') {
            Some(_) => kind.one.clone(),
            None if self.needs(verb, option) => kind.declared(),
            None => format!("{} = {}", kind.declared(), default(&property["default"])),
        };
        let value = taken(option, &kind);
        let help = types::words(property, request);
        Argument { name: name.to_owned(), declared, help, value }
    }

    /// Whether an option must be given. What a command is to write is not.
    fn needs(&self, verb: &Described, option: &str) -> bool {
        verb.required.contains(&option) && self.given.contains(&option)
    }

    fn body(&self, indent: &str, answer: &str, arguments: &[Argument]) -> String {
        let mut fields = Map::new();
        for argument in arguments.iter().filter(|argument| !argument.value.is_empty()) {
            let name = argument.name.trim_start_matches('*');
            fields.insert(name.to_owned(), json!(argument.value));
        }
        if let Some(own) = self.own {
            let others = fields.get(own).is_some();
            let value = match own {
                "models" if others => "[*models, self]",
                "models" => "[self]",
                _ if self.gives.is_shared() => "self._model",
                _ => "self",
            };
            fields.insert(own.to_owned(), json!(value));
        }
        let function = match self.gives {
            Gives::Answer | Gives::Page => "answered",
            Gives::Model => "made",
            Gives::Profile => "profiled",
            Gives::SharedAnswer => "shared",
            Gives::SharedProfile => "shared_profile",
        };
        let mut text = format!(
            "{indent}return {function}(\n{indent}    {:?},\n{indent}    {answer},\n",
            self.verb
        );
        let _ = writeln!(text, "{indent}    {{");
        for (name, value) in &fields {
            let value = value.as_str().unwrap_or_default();
            let _ = writeln!(text, "{indent}        {name:?}: {value},");
        }
        let _ = writeln!(text, "{indent}    }},");
        if self.gives == Gives::Model {
            let own = self.own.filter(|own| *own == "model").map_or("None", |_| "self");
            let _ = writeln!(text, "{indent}    called=called, own={own},");
        }
        let general =
            if self.gives.is_shared() { "" } else { "progress=progress, threads=threads, " };
        let _ = writeln!(text, "{indent}    {general}seed=seed,\n{indent})");
        text
    }
}

/// What a model that is made is called.
fn called() -> Argument {
    Argument {
        name: "called".to_owned(),
        declared: "str | None = None".to_owned(),
        help:
            "What the model is called, as a file is by its stem [default: as the one it is made of]"
                .to_owned(),
        value: String::new(),
    }
}

/// Asserts that every verb stands in Python, or is the command's alone.
pub(crate) fn all_are_placed() {
    for verb in verbs() {
        let placed = METHODS.iter().chain(FUNCTIONS).any(|place| place.verb == verb.name);
        assert_ne!(placed, COMMAND_ALONE.contains(&verb.name), "{}", verb.name);
    }
}
