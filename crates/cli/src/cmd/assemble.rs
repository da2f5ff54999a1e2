//! `brickwork assemble`

use anyhow::bail;
use brickwork::{AssembleOptions, Classifier, assemble, part_images, uniform, verify_assembled};
use serde_json::json;

use crate::args::{AssembleArgs, Global};
use crate::inputs;
use crate::print::{Out, row, table, thousands};

pub(crate) fn run(args: &AssembleArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let parts =
        args.parts.iter().map(|path| inputs::load_plain(path)).collect::<Result<Vec<_>, _>>()?;
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
    let sizes = |model: &Classifier| (model.graph.parameters(), model.graph.macs());
    let result = json!({
        "output": args.output,
        "classes": whole.class_names(),
        "parts": parts.iter().map(|part| json!({
            "name": part.name, "classes": part.class_names(),
            "params": sizes(part).0, "macs": sizes(part).1,
        })).collect::<Vec<_>>(),
        "params": sizes(&whole).0,
        "macs": sizes(&whole).1,
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
        format!(
            "{}\nscores equal the parts' (largest difference {:.1e})\nwritten {}",
            table(&rows),
            check.worst,
            args.output.display()
        )
    })
}
