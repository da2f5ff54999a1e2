//! `brickwork refit`

use brickwork::verbs::{Refit, RefitAnswer};

use crate::command::Shown;
use crate::print::written;

impl Shown for Refit {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "source", "output"];
    const EXAMPLES: &'static str = "Examples:
  brickwork refit joined.onnx --source net.onnx --data cifar-10-batches-bin -o ready.onnx
  brickwork refit half.onnx --source net.onnx --data imagenet/ --readout --passes 0 -o better.onnx";

    fn text(&self, answer: &RefitAnswer) -> String {
        let RefitAnswer { source, images, passes, divergence, readout, .. } = answer;
        let before = divergence.map(|d| d.before).or(readout.map(|r| r.before));
        let after = readout.map(|r| r.after).or(divergence.map(|d| d.after));
        let mut text = match before.zip(after) {
            Some((before, after)) => format!(
                "divergence from the scores of `{source}` {after:.4}, was {before:.4} nats, on images that took no part"
            ),
            None => "the readout does not help; it is left out".to_owned(),
        };
        if divergence.is_some() {
            text.push_str(&format!("\n{passes} passes over {images} images"));
        }
        if let Some(readout) = readout {
            text.push_str(&format!("\na readout of {} features", readout.features));
        }
        text + &written(answer.output.as_ref())
    }
}
