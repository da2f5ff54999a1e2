//! `brickwork box`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use brickwork_box::{Addition, Brick, BrickBox, Kind, Query};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::args::Global;
use crate::boxes::UserBox;
use crate::print::{Out, counted, row, table, thousands};

/// A store of models and components on this machine
///
/// Wherever a command takes a model, it takes box:NAME, box:NAME@TAG, box:NAME/CLASSES for the component of that
/// model for these classes, and box:sha256-AB12 for a model whose digest begins so.
#[derive(Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  brickwork box add digits.onnx low.onnx
  brickwork box ls --class 7
  brickwork eval box:digits --data data/digits
  brickwork assemble box:digits/0,1,2,3,4 box:shoes -o joined.onnx")]
pub(crate) struct BoxArgs {
    #[command(subcommand)]
    command: BoxCommand,
}

#[derive(Subcommand)]
enum BoxCommand {
    /// Put models into the box
    #[command(after_help = "Examples:
  brickwork box add low.onnx shoes.onnx
  brickwork box add resnet20.onnx --name resnet20@v2 --accuracy 92.1 --licence MIT")]
    Add(AddArgs),
    /// List what is in the box
    #[command(after_help = "Examples:
  brickwork box ls
  brickwork box ls --class cat --most-bytes 1000000 --least-accuracy 90")]
    Ls(LsArgs),
    /// Show what is known of a model
    #[command(after_help = "Example:\n  brickwork box show digits")]
    Show(NameArgs),
    /// Take names away, and models that have no other
    #[command(after_help = "Example:\n  brickwork box rm digits shoes@v1")]
    Rm {
        /// Names or digests
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Give a model another name
    #[command(after_help = "Example:\n  brickwork box tag digits digits@v1")]
    Tag {
        /// Its name or digest
        name: String,
        /// The new name: NAME or NAME@TAG
        #[arg(value_name = "NEW")]
        new: String,
    },
    /// Look at every file of the box, and make its index again
    #[command(after_help = "Example:\n  brickwork box check")]
    Check,
    /// Write a model's file
    #[command(after_help = "Example:\n  brickwork box export digits@v1 -o digits.onnx")]
    Export {
        /// Its name or digest
        name: String,
        /// Where to write it
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Remove the bytes that no model needs any more
    #[command(after_help = "Example:\n  brickwork box gc")]
    Gc,
}

#[derive(Args)]
struct AddArgs {
    /// The models
    #[arg(value_name = "MODEL.onnx", required = true)]
    files: Vec<PathBuf>,
    /// What to call it: NAME or NAME@TAG [default: as its file]
    #[arg(long)]
    name: Option<String>,
    /// Its accuracy in percent, to search by
    #[arg(long, value_name = "PERCENT")]
    accuracy: Option<f64>,
    /// Its licence, to search by [default: what it says itself]
    #[arg(long)]
    licence: Option<String>,
}

#[derive(Args)]
struct LsArgs {
    /// Only what has this class
    #[arg(long)]
    class: Option<String>,
    /// Only what was cut from this model, or has this part
    #[arg(long)]
    source: Option<String>,
    /// Only files of at most so many bytes
    #[arg(long, value_name = "N")]
    most_bytes: Option<u64>,
    /// Only models of at most so many parameters
    #[arg(long, value_name = "N")]
    most_params: Option<u64>,
    /// Only models of at least this accuracy
    #[arg(long, value_name = "PERCENT")]
    least_accuracy: Option<f64>,
    /// Only models of this licence
    #[arg(long)]
    licence: Option<String>,
}

#[derive(Args)]
struct NameArgs {
    /// Its name or digest
    name: String,
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
            let gone =
                names.iter().map(|name| store.remove(name)).collect::<Result<Vec<_>, _>>()?;
            out.result(&json!({ "removed": gone }), || format!("removed {}", names.join(", ")))?;
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
    out.result(&json!({ "added": added }), || bricks(&added))
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
    out.result(&json!({ "output": output }), || format!("written {}", output.display()))
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
