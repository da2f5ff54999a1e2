//! `brickwork report`

use brickwork::verbs::{Report, ReportAnswer};

use crate::command::Shown;
use crate::print::{thousands, written};

impl Shown for Report {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "output"];
    const EXAMPLES: &'static str = "Examples:
  brickwork report pets.onnx -o pets.html
  brickwork report pets.onnx --data cifar-10-batches-bin --source net.onnx -o pets.html";

    fn text(&self, answer: &ReportAnswer) -> String {
        let found = &answer.inspection;
        let measured = answer.eval.as_ref().map(|eval| {
            let report = &eval.report;
            format!(
                "\naccuracy {} on {} images",
                report.accuracy_per_image,
                thousands(report.images as u64)
            )
        });
        format!(
            "{}: {} classes, {} parameters, {} MACs{}{}",
            found.name,
            found.classes.len(),
            thousands(found.params as u64),
            thousands(found.macs),
            measured.unwrap_or_default(),
            written(answer.output.as_ref())
        )
    }
}
