//! `brickwork gcn train`

use brickwork::verbs::{GcnTrain, GcnTrainAnswer};

use crate::command::Shown;
use crate::print::{thousands, written};

impl Shown for GcnTrain {
    const REQUIRED: &'static [&'static str] = &["data", "output"];
    const EXAMPLES: &'static str = "Example:
  brickwork gcn train --data cora.npz -o gcn.onnx

The best epoch is chosen on the validation nodes. Measure the result with `brickwork gcn eval`.";

    fn text(&self, answer: &GcnTrainAnswer) -> String {
        let [nodes, features, params] =
            [answer.nodes, answer.features, answer.params].map(|count| thousands(count as u64));
        let held = answer.held_out.map_or_else(String::new, |held| held.accuracy.to_string());
        format!(
            "{nodes} nodes with {features} features, {} classes, {params} parameters\nbest epoch {} of {}, \
             {held} on the validation nodes{}",
            answer.classes.len(),
            answer.best_epoch,
            answer.epochs.len(),
            written(answer.output.as_ref())
        )
    }
}
