//! `brickwork verify`

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
        let verb = if found.holds { "computes" } else { "does not compute" };
        let name = &answer.model;
        let what = if answer.assembled {
            format!("`{name}` {verb} what its {} parts compute", found.layers)
        } else if found.refitted {
            format!("the cut behind `{name}` {verb} what the masked source computes")
        } else {
            format!("`{name}` {verb} what the masked source computes")
        };
        let place = if answer.assembled { "part" } else { "layer" };
        let mut text = format!(
            "{verdict}: {what}\nworst {place} `{}`: {:.1e} of its largest value (tolerance {:.0e}); scores \
             {:.1e}; {} images",
            found.worst_layer, found.worst, found.tolerance, found.scores, answer.images
        );
        if let Some(moved) = found.refit_moved {
            text.push_str(&format!(
                "\na refit followed the cut; it moved the scores by {moved:.2} of the largest"
            ));
        }
        text
    }

    fn succeeded(answer: &VerifyAnswer) -> bool {
        answer.verification.holds
    }
}
