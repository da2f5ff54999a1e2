//! `brickwork masks`

use anyhow::bail;
use brickwork::{KeptLayer, layers};

use crate::args::MasksArgs;
use crate::inputs;
use crate::print::{Out, row, table};

pub(crate) fn run(args: &MasksArgs, out: &Out) -> anyhow::Result<()> {
    let model = inputs::load_plain(&args.model)?;
    let Some(origin) = &model.card().origin else {
        bail!(
            "`{}` does not say what it was cut from; give a component made by `brickwork disassemble`",
            model.name
        );
    };
    out.result(&origin, || {
        let mut rows = vec![row(["layer", "inputs", "outputs", "kept outputs"])];
        for layer in layers(model.graph()) {
            let Some(kept) = origin.kept.get(&layer.name) else { continue };
            rows.push(vec![
                layer.name,
                kept.input.len().to_string(),
                kept.output.len().to_string(),
                picture(kept),
            ]);
        }
        format!(
            "{}\n{} of {} classes of `{}`: {}",
            table(&rows),
            origin.classes.len(),
            origin.of,
            origin.source,
            model.class_names().join(", ")
        )
    })
}

/// Kept outputs as runs: 0-4 7 9-12.
fn picture(kept: &KeptLayer) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &channel in &kept.output {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == channel => *last = channel,
            _ => runs.push((channel, channel)),
        }
    }
    let shown = runs.iter().take(10).map(|&(first, last)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    });
    let more = if runs.len() > 10 { " ..." } else { "" };
    format!("{}{more}", shown.collect::<Vec<_>>().join(" "))
}
