//! `brickwork verify`

use brickwork::Weights;
use brickwork::verbs::{Verify, VerifyAnswer};

use crate::command::Shown;

impl Shown for Verify {
    const PLACES: &'static [&'static str] = &["models"];
    const REQUIRED: &'static [&'static str] = &["models"];
    const EXAMPLES: &'static str = "Examples:
  brickwork verify net.onnx pets.onnx
  brickwork verify digits.onnx garments.onnx both.onnx --data mnist/";

    fn text(&self, answer: &VerifyAnswer) -> String {
        let found = &answer.verification;
        let verdict = if found.holds { "holds" } else { "DOES NOT HOLD" };
        let equal = found.worst <= found.tolerance && found.scores <= found.tolerance;
        let verb = if equal { "computes" } else { "does not compute" };
        let name = &answer.model;
        let what = match (answer.assembled, found.moved) {
            (true, _) => format!("`{name}` {verb} what its {} parts compute", found.layers),
            (_, None) => format!("`{name}` {verb} what the masked source computes"),
            (_, Some(_)) => {
                format!("the cut behind `{name}` {verb} what the masked source computes")
            }
        };
        let place = if answer.assembled { "part" } else { "layer" };
        let mut text = format!(
            "{verdict}: {what}{}\nworst {place} `{}`: {:.1e} of its largest value (tolerance {:.0e}); scores \
             {:.1e}; {} images",
            of_weights(found.weights),
            found.worst_layer,
            found.worst,
            found.tolerance,
            found.scores,
            answer.images
        );
        for set in &answer.data {
            text.push_str(&format!("\ncompared on {}", set.words()));
        }
        if let Some(moved) = found.moved {
            text.push_str(&format!(
                "\nwhat followed the cut moved the scores by {moved:.2} of the largest"
            ));
        }
        text
    }

    fn succeeded(answer: &VerifyAnswer) -> bool {
        answer.verification.holds
    }
}

fn of_weights(weights: Weights) -> &'static str {
    match weights {
        Weights::Compared => "",
        Weights::AsWritten => "; weights are as they were written",
        Weights::Changed => ", but its weights were changed since they were written",
        Weights::Unknown => {
            ", but nothing says what its weights were: the file is of an earlier version; make it again"
        }
    }
}
