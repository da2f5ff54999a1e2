//! `brickwork init`

use std::path::Path;

use brickwork::{Architecture, ArchitectureOptions, Card, Classifier, Stem, initialise};
use serde_json::{Value, json};

use crate::args::{Global, InitArgs};
use crate::inputs;
use crate::print::{Out, row, table, thousands};

pub(crate) fn run(args: &InitArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    match (args.arch, &args.output) {
        (Some(architecture), Some(output)) => make(architecture, output, args, global, out),
        _ => list(out),
    }
}

/// Every architecture with its size for ten classes.
fn list(out: &Out) -> anyhow::Result<()> {
    let mut rows = vec![row(["architecture", "input", "parameters", "MACs"])];
    let mut found: Vec<Value> = Vec::new();
    for architecture in Architecture::all() {
        let options = architecture.usual(10);
        let graph = architecture.build(&options)?;
        let (name, [height, width]) = (architecture.name, options.size);
        let (params, macs) = (graph.parameters(), graph.macs());
        rows.push(vec![
            name.to_owned(),
            format!("{}x{height}x{width}", options.channels),
            thousands(params as u64),
            thousands(macs),
        ]);
        let input = [options.channels, height, width];
        found.push(json!({ "name": name, "input": input, "params": params, "macs": macs }));
    }
    out.result(&found, || table(&rows))
}

fn make(
    architecture: &Architecture,
    output: &Path,
    args: &InitArgs,
    global: &Global,
    out: &Out,
) -> anyhow::Result<()> {
    inputs::check_writable(output)?;
    let names = args.class_names.as_deref().map(inputs::class_names).transpose()?;
    let count = names.as_ref().map_or(args.classes.unwrap_or_default(), Vec::len);
    let options = ArchitectureOptions {
        channels: args.channels,
        size: args.size.unwrap_or(architecture.size),
        width: args.width,
        stem: args.stem,
        ..architecture.usual(count)
    };
    let empty = architecture.build(&options)?;
    let graph = initialise(&empty, global.seed).apply(&empty)?;
    let card = Card { classes: names.unwrap_or_default(), ..Card::default() };
    let model = Classifier::described(architecture.name, graph, card)?;
    model.save(output)?;
    let (params, macs) = (model.graph().parameters(), model.graph().macs());
    let stem = architecture.stem(&options).map(|stem| match stem {
        Stem::Cifar => "cifar",
        Stem::Imagenet => "imagenet",
    });
    let [channels, height, width] = model.input();
    let result = json!({
        "output": output,
        "architecture": architecture.name,
        "input": model.input(),
        "classes": model.class_names(),
        "width": options.width,
        "stem": stem,
        "seed": global.seed,
        "params": params,
        "macs": macs,
    });
    out.result(&result, || {
        let stem = stem.map_or_else(String::new, |stem| format!(", {stem} stem"));
        format!(
            "{}{stem}: input {channels}x{height}x{width}, {} classes, {} parameters, {} MACs\nwritten {}",
            architecture.name,
            model.class_count(),
            thousands(params as u64),
            thousands(macs),
            output.display()
        )
    })
}
