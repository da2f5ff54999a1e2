//! `brickwork reject`

use brickwork::verbs::{Reject, RejectAnswer};

use crate::command::Shown;
use crate::print::written;

impl Shown for Reject {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "output"];
    const EXAMPLES: &'static str = "Examples:
  brickwork reject pets.onnx --data cifar-10-batches-bin --rate 5% -o pets.safe.onnx
  brickwork reject digits.onnx --data mnist/ --foreign fashion/ -o digits.safe.onnx
  brickwork reject digits.onnx --data mnist/ --recall 95% -o digits.safe.onnx";

    fn text(&self, answer: &RejectAnswer) -> String {
        let Some(reject) = &answer.reject else { return String::new() };
        let foreign = reject.false_accepts.map_or(String::new(), |share| {
            format!("\naccepts {share} of {} foreign images", reject.foreign_images)
        });
        format!(
            "threshold {:.4} of the top score\naccepts {} of {} own images{foreign}{}",
            reject.threshold,
            reject.recall,
            reject.own_images,
            written(answer.output.as_ref())
        )
    }
}
