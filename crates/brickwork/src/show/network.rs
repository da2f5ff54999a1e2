//! What a network is made of, and what is left of it.

use maud::{Markup, html};

use super::stages::kept_channels;
use super::table::table;
use super::words::{counted, thousands};
use crate::measure::diff::{Difference, LayerDifference};
use crate::measure::inspect::{Inspection, LayerRow};

/// More layers than this lie behind a line that opens them.
const MOST_LAYERS: usize = 40;

/// The layers that learn, or cost anything.
pub fn layers(found: &Inspection) -> Markup {
    let counts = |layer: &&LayerRow| layer.params > 0 || layer.macs > 0;
    let row = |layer: &LayerRow| {
        vec![
            layer.name.clone(),
            layer.op.clone(),
            layer.output.clone(),
            thousands(layer.params as u64),
            thousands(layer.macs),
        ]
    };
    let rows: Vec<Vec<String>> = found.layers.iter().filter(counts).map(row).collect();
    let words = format!("{} with weights or work, in running order", counted(rows.len(), "node"));
    let head = ["layer", "operator", "makes", "parameters", "MACs"];
    let all = table(&words, &head, &rows);
    html! {
        @if rows.len() > MOST_LAYERS { details { summary { (words) } (all) } } @else { (all) }
    }
}

/// Two networks side by side, layer by layer.
pub fn difference(found: &Difference) -> Markup {
    let number = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), thousands);
    let wide = |count: Option<usize>| number(count.map(|count| count as u64));
    let row = |layer: &LayerDifference| {
        let [[a, b], [c, d], [e, f]] =
            [layer.inputs.map(wide), layer.outputs.map(wide), layer.macs.map(number)];
        let moved = layer.weights.map_or_else(|| "–".to_owned(), |moved| format!("{moved:.3}"));
        vec![layer.name.clone(), a, b, c, d, e, f, moved]
    };
    let rows: Vec<Vec<String>> = found.layers.iter().map(row).collect();
    let head = ["layer", "inputs", "after", "outputs", "after", "MACs", "after", "weights moved"];
    html! {
        (kept_channels("Output channels of the first that the second has", &found.stages, &found.layers))
        (table("Every layer in both", &head, &rows))
    }
}
