//! `brickwork assemble`

use std::path::PathBuf;

use anyhow::bail;
use brickwork::{
    AssembleOptions, Classifier, assemble, part_images, shared_layers, uniform, verify_assembled,
    without,
};
use serde_json::json;

use crate::args::{AssembleArgs, Global};
use crate::inputs;
use crate::print::{Out, row, table, thousands};

pub(crate) fn run(args: &AssembleArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let parts = parts(args)?;
    let options = AssembleOptions { layout: args.layout, on_duplicate: args.on_duplicate };
    let whole = assemble(&parts, &options)?;
    let [c, h, w] = whole.input();
    let images = uniform([2, c, h, w], 0.0, 1.0, global.seed);
    let check = verify_assembled(&whole, &parts, &images, &part_images(&whole, &images)?)?;
    if !check.holds {
        bail!(
            "the assembled model's scores differ from its parts' by {:.1e} of the largest (part `{}`); please \
             report these models",
            check.worst,
            check.worst_layer
        );
    }
    whole.save(&args.output)?;
    let sizes = |model: &Classifier| (model.graph().parameters(), model.graph().macs());
    let shared = shared_layers(&whole);
    let result = json!({
        "output": args.output,
        "classes": whole.class_names(),
        "parts": parts.iter().map(|part| json!({
            "name": part.name, "classes": part.class_names(),
            "params": sizes(part).0, "macs": sizes(part).1,
        })).collect::<Vec<_>>(),
        "params": sizes(&whole).0,
        "macs": sizes(&whole).1,
        "shared_layers": shared,
        "difference_from_parts": check.worst,
    });
    out.result(&result, || {
        let mut rows = vec![row(["part", "classes", "parameters", "MACs"])];
        for model in parts.iter().chain([&whole]) {
            let (params, macs) = sizes(model);
            rows.push(vec![
                model.name.clone(),
                model.class_count().to_string(),
                thousands(params as u64),
                thousands(macs),
            ]);
        }
        let once = match shared.len() {
            0 => String::new(),
            count => format!("\n{count} layers are the same in several parts: stored and run once"),
        };
        format!(
            "{}{once}\nscores equal the parts' (largest difference {:.1e})\nwritten {}",
            table(&rows),
            check.worst,
            args.output.display()
        )
    })
}

/// The parts as they are to be joined: without what is left out or replaced, then what replaces it.
fn parts(args: &AssembleArgs) -> anyhow::Result<Vec<Classifier>> {
    let load = |path: &PathBuf| inputs::load_plain(path);
    let mut parts = args.parts.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let replaced = args.replace.iter().map(|(class, _)| class);
    let gone: Vec<String> = args.remove.iter().chain(replaced).cloned().collect();
    refuse_unknown(&gone, &parts)?;
    let less = parts.iter().map(|part| {
        let own = part.class_names();
        let lost: Vec<String> = gone.iter().filter(|name| own.contains(name)).cloned().collect();
        if lost.is_empty() { Ok(Some(part.clone())) } else { without(part, &lost) }
    });
    parts = less.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let mut bricks: Vec<(&PathBuf, Vec<&String>)> = Vec::new();
    for (class, path) in &args.replace {
        match bricks.iter_mut().find(|(known, _)| *known == path) {
            Some((_, classes)) => classes.push(class),
            None => bricks.push((path, vec![class])),
        }
    }
    for (path, classes) in bricks {
        let brick = load(path)?;
        let own = brick.class_names();
        if let Some(class) = classes.iter().find(|class| !own.contains(class)) {
            bail!("{} has no class {class}; it has {}", path.display(), own.join(", "));
        }
        let lost: Vec<String> = own.into_iter().filter(|name| !classes.contains(&name)).collect();
        parts.extend(if lost.is_empty() { Some(brick) } else { without(&brick, &lost)? });
    }
    Ok(parts)
}

/// Every class that is to go must be in some part, once.
fn refuse_unknown(gone: &[String], parts: &[Classifier]) -> anyhow::Result<()> {
    let all: Vec<String> = parts.iter().flat_map(Classifier::class_names).collect();
    for (k, name) in gone.iter().enumerate() {
        if !all.contains(name) {
            bail!("no part has a class {name}; they have {}", all.join(", "));
        }
        if gone[..k].contains(name) {
            bail!("class {name} is removed or replaced twice");
        }
    }
    Ok(())
}
