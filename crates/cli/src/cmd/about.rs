//! What the command tells about itself: schemas, completions, manual pages and its reference.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, anyhow};
use brickwork::recipe;
use brickwork::verbs::{Failure, written_schema};
use clap::{Arg, Command};
use clap_complete::generate;
use serde_json::{Value, json};

use crate::args::About;
use crate::cmd::ALL;
use crate::line::whole;
use crate::print::Out;

pub(crate) fn run(asked: &About, out: &Out) -> anyhow::Result<()> {
    match asked {
        About::Schema { name } => {
            let found = schema(&name.join(" "))?;
            let text = serde_json::to_string_pretty(&found)?;
            out.result(&found, || text)
        }
        About::Completions { shell } => {
            let mut script = Vec::new();
            generate(*shell, &mut whole(), "brickwork", &mut script);
            let script = String::from_utf8(script)?;
            out.result(&script, || script.clone())
        }
        About::Man { folder } => {
            let pages = std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(whole(), folder));
            pages.with_context(|| format!("cannot write into {}", folder.display()))?;
            out.result(&json!({ "output": folder }), || format!("written {}", folder.display()))
        }
        About::Reference => {
            let text = reference();
            out.result(&text, || text.clone())
        }
    }
}

/// What the schema of recipes is called.
const RECIPE_TEXT: &str = "recipe.toml";

/// The schemas of the verb of this name, those of errors and of recipes, or all by name.
fn schema(name: &str) -> anyhow::Result<Value> {
    let verbs = ALL.iter().map(|entry| (entry.name(), entry.schemas()));
    let error = ("error", json!(written_schema::<Failure>()));
    let text = (RECIPE_TEXT, recipe::schema());
    let mut all: BTreeMap<&str, Value> = verbs.chain([error, text]).collect();
    #[cfg(feature = "box")]
    all.extend(crate::cmd::store::schemas());
    if name.is_empty() {
        return Ok(json!(all));
    }
    let names = || all.keys().copied().collect::<Vec<_>>().join(", ");
    let unknown = anyhow!("`{name}` has no schema; these have one: {}", names());
    all.remove(name).ok_or(unknown)
}

/// Every command with its options, in Markdown.
fn reference() -> String {
    let mut whole = whole();
    whole.build();
    let mut text =
        "# Commands\n\nMade by `brickwork reference`; the same as `brickwork COMMAND --help`.\n\
                    Every command also takes the general options, which stand first.\n"
            .to_owned();
    section(&mut whole, true, &mut text);
    text
}

/// A command, then those below it; general options only where asked for.
fn section(command: &mut Command, general: bool, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").lines().map(str::trim).collect::<Vec<_>>();
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n## {name}\n\n{about}.\n\n```text\n{}\n```\n", usage.join("\n"));
    let mut heading = None;
    let shown = command.get_arguments().filter(|arg| general || !arg.is_global_set());
    for (place, arg) in shown.enumerate() {
        if place == 0 || arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            let title = heading.map_or(String::new(), |title| format!("{title}:\n\n"));
            let _ = write!(text, "\n{title}");
        }
        option(arg, text);
    }
    if let Some(end) = command.get_after_help() {
        let _ = write!(text, "\n```text\n{end}\n```\n");
    }
    let below = command.get_subcommands_mut();
    let below = below.filter(|one| !one.is_hide_set() && one.get_name() != "help");
    below.for_each(|one| section(one, false, text));
}

/// One option or argument, as an item of a list.
fn option(arg: &Arg, text: &mut String) {
    let short = arg.get_short().map_or(String::new(), |short| format!("`-{short}`, "));
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "- {short}`{arg}`: {}", help.replace("\n\n", "\n\n  "));
    if !arg.get_action().takes_values() {
        text.push('\n');
        return;
    }
    let default = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    let default = default.collect::<Vec<_>>().join(" ");
    if !default.is_empty() {
        let _ = write!(text, " [default: `{default}`]");
    }
    let values = arg.get_possible_values();
    if values.iter().all(|value| value.get_help().is_none()) {
        let names: Vec<String> =
            values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let names =
            if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        let _ = writeln!(text, "{names}");
        return;
    }
    text.push('\n');
    for value in &values {
        let help = value.get_help().map_or(String::new(), |help| format!(": {help}"));
        let _ = writeln!(text, "  - `{}`{help}", value.get_name());
    }
}
