//! `brickwork diff`

use brickwork::diff;

use crate::args::DiffArgs;
use crate::inputs;
use crate::print::{Out, row, shrunk, table, thousands};

pub(crate) fn run(args: &DiffArgs, out: &Out) -> anyhow::Result<()> {
    let (a, b) = (inputs::load_plain(&args.a)?, inputs::load_plain(&args.b)?);
    let found = diff(&a, &b);
    out.result(&found, || {
        let pair = |values: [Option<String>; 2]| {
            let [x, y] = values.map(|value| value.unwrap_or_else(|| "-".to_owned()));
            if x == y { x } else { format!("{x} -> {y}") }
        };
        let mut rows = vec![row(["layer", "inputs", "outputs", "MACs", "weights moved"])];
        for layer in &found.layers {
            rows.push(vec![
                layer.name.clone(),
                pair(layer.inputs.map(|n| n.map(|n| n.to_string()))),
                pair(layer.outputs.map(|n| n.map(|n| n.to_string()))),
                pair(layer.macs.map(|n| n.map(thousands))),
                layer.weights.map_or("-".to_owned(), |moved| format!("{moved:.3}")),
            ]);
        }
        format!(
            "{}\nparameters {}\nMACs {}",
            table(&rows),
            shrunk(found.params[0] as u64, found.params[1] as u64),
            shrunk(found.macs[0], found.macs[1])
        )
    })
}
