//! `brickwork box`

use std::path::Path;
use std::process::ExitCode;

use brickwork::verbs::written_schema;
use brickwork_box::{Addition, Brick, BrickBox, Checked, Kind, Query, Swept};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Global;
use crate::box_args::{AddArgs, BoxArgs, BoxCommand, LsArgs, NameArgs};
use crate::boxes::UserBox;
use crate::print::{Out, counted, row, table, thousands};

/// Models that were put into the box.
#[derive(Serialize, JsonSchema)]
struct Added {
    added: Vec<Brick>,
}

/// Models that were taken out of the box.
#[derive(Serialize, JsonSchema)]
struct Removed {
    removed: Vec<Brick>,
}

/// The file that a model was written to.
#[derive(Serialize, JsonSchema)]
struct Exported<'a> {
    output: &'a Path,
}

/// The schemas of all answers, by command.
pub(crate) fn schemas() -> [(&'static str, Value); 8] {
    [
        ("box add", written_schema::<Added>()),
        ("box ls", written_schema::<Vec<Brick>>()),
        ("box show", written_schema::<Brick>()),
        ("box rm", written_schema::<Removed>()),
        ("box tag", written_schema::<Brick>()),
        ("box check", written_schema::<Checked>()),
        ("box export", written_schema::<Exported<'_>>()),
        ("box gc", written_schema::<Swept>()),
    ]
    .map(|(name, schema)| (name, json!({ "answer": schema })))
}

pub(crate) fn run(args: &BoxArgs, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
    let place = UserBox { folder: global.store.clone() }.place()?;
    let store = BrickBox::open(&place)?;
    match &args.command {
        BoxCommand::Add(args) => add(args, &store, out)?,
        BoxCommand::Ls(args) => ls(args, &store, out)?,
        BoxCommand::Show(NameArgs { name }) => {
            let brick = store.show(name)?;
            out.result(&brick, || facts(&brick))?;
        }
        BoxCommand::Rm { names } => {
            let removed =
                names.iter().map(|name| store.remove(name)).collect::<Result<Vec<_>, _>>()?;
            out.result(&Removed { removed }, || format!("removed {}", names.join(", ")))?;
        }
        BoxCommand::Tag { name, new } => {
            let brick = store.tag(name, new)?;
            out.result(&brick, || format!("{name} is {}", brick.names.join(", ")))?;
        }
        BoxCommand::Check => return check(&store, out),
        BoxCommand::Export { name, output } => export(name, output, &store, out)?,
        BoxCommand::Gc => {
            let swept = store.sweep()?;
            out.result(&swept, || {
                format!(
                    "removed {} with {} bytes",
                    counted(swept.files, "file"),
                    thousands(swept.bytes)
                )
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(args: &AddArgs, store: &BrickBox, out: &Out) -> anyhow::Result<()> {
    let AddArgs { files, name, accuracy, licence } = args;
    anyhow::ensure!(
        name.is_none() || files.len() == 1,
        "`name=` is for one model; add them one by one"
    );
    let told = accuracy.is_none_or(|accuracy| (0.0..=100.0).contains(&accuracy));
    anyhow::ensure!(told, "`accuracy=` is a number of percent, from 0 to 100");
    let addition = Addition { name: name.clone(), accuracy: *accuracy, licence: licence.clone() };
    let added =
        files.iter().map(|file| store.add(file, &addition)).collect::<Result<Vec<_>, _>>()?;
    let text = bricks(&added);
    out.result(&Added { added }, || text)
}

fn ls(args: &LsArgs, store: &BrickBox, out: &Out) -> anyhow::Result<()> {
    let query = Query {
        class: args.class.clone(),
        source: args.source.clone(),
        most_bytes: args.most_bytes,
        most_params: args.most_params,
        least_accuracy: args.least_accuracy,
        licence: args.licence.clone(),
    };
    let found = store.list(&query)?;
    let nothing = match query == Query::default() {
        true => format!("the box at {} is empty", store.root().display()),
        false => "nothing in the box is like that".to_owned(),
    };
    out.result(&found, || if found.is_empty() { nothing } else { bricks(&found) })
}

fn check(store: &BrickBox, out: &Out) -> anyhow::Result<ExitCode> {
    let checked = store.check()?;
    out.result(&checked, || {
        let damage =
            checked.damage.iter().map(|one| format!("{}: {}\n", one.file.display(), one.what));
        let models = counted(checked.models, "model");
        match checked.damage.is_empty() {
            true => format!("{models}: all as it was written"),
            false => format!("{models}\n{}", damage.collect::<String>()),
        }
    })?;
    Ok(if checked.damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn export(name: &str, output: &Path, store: &BrickBox, out: &Out) -> anyhow::Result<()> {
    store.export(name, output)?;
    out.result(&Exported { output }, || format!("written {}", output.display()))
}

/// Models, one a line.
fn bricks(all: &[Brick]) -> String {
    let head = row(["name", "kind", "classes", "parameters", "bytes", "accuracy, %", "digest"]);
    let line = |brick: &Brick| {
        let facts = &brick.facts;
        vec![
            if brick.names.is_empty() { "-".to_owned() } else { brick.names.join(", ") },
            kind(facts.kind).to_owned(),
            facts.classes.len().to_string(),
            thousands(facts.params),
            thousands(brick.bytes),
            facts.accuracy.map_or("-".to_owned(), |accuracy| format!("{accuracy:.2}")),
            brick.digest.chars().take(15).collect(),
        ]
    };
    table(&std::iter::once(head).chain(all.iter().map(line)).collect::<Vec<_>>())
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Model => "model",
        Kind::Component => "component",
        Kind::Assembly => "assembly",
    }
}

/// All that is known of a model.
fn facts(brick: &Brick) -> String {
    let facts = &brick.facts;
    let [channels, height, width] = facts.input;
    let rows = [
        ("names", brick.names.join(", ")),
        ("digest", brick.digest.clone()),
        ("kind", kind(facts.kind).to_owned()),
        ("made of", facts.sources.join(", ")),
        ("classes", facts.classes.join(", ")),
        ("input", format!("{channels}x{height}x{width}")),
        ("parameters", thousands(facts.params)),
        ("MACs", thousands(facts.macs)),
        ("bytes", thousands(brick.bytes)),
        ("accuracy", facts.accuracy.map_or(String::new(), |accuracy| format!("{accuracy:.2} %"))),
        ("licence", facts.licence.clone().unwrap_or_default()),
    ];
    let known = rows.iter().filter(|(_, value)| !value.is_empty());
    known.map(|(what, value)| format!("{what:11} {value}\n")).collect()
}
