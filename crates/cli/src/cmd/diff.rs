//! `brickwork diff`

use brickwork::Difference;
use brickwork::verbs::Diff;

use crate::command::Shown;
use crate::print::{row, shrunk, table, thousands, written};

impl Shown for Diff {
    const PLACES: &'static [&'static str] = &["a", "b"];
    const REQUIRED: &'static [&'static str] = &["a", "b"];
    const EXAMPLES: &'static str = "Example:\n  brickwork diff net.onnx pets.onnx";

    fn text(&self, answer: &Difference) -> String {
        let mut rows = vec![row(["layer", "inputs", "outputs", "MACs", "weights moved"])];
        for layer in &answer.layers {
            rows.push(vec![
                layer.name.clone(),
                pair(layer.inputs.map(|n| n.map(|n| n.to_string()))),
                pair(layer.outputs.map(|n| n.map(|n| n.to_string()))),
                pair(layer.macs.map(|n| n.map(thousands))),
                layer.weights.map_or("-".to_owned(), |moved| format!("{moved:.3}")),
            ]);
        }
        let ([before, after], macs) = (answer.params, answer.macs);
        format!(
            "{}\nparameters {}\nMACs {}{}",
            table(&rows),
            shrunk(before as u64, after as u64),
            shrunk(macs[0], macs[1]),
            written(self.node_data.as_ref())
        )
    }
}

/// What both models have.
fn pair(values: [Option<String>; 2]) -> String {
    let [x, y] = values.map(|value| value.unwrap_or_else(|| "-".to_owned()));
    if x == y { x } else { format!("{x} -> {y}") }
}
