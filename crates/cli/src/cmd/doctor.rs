//! `brickwork doctor`

use std::fmt::Write;

use brickwork::Percent;
use brickwork::verbs::{Doctor, DoctorAnswer, Severity};

use crate::command::Shown;
use crate::hints::with_flags;
use crate::print::thousands;

impl Shown for Doctor {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model"];
    const EXAMPLES: &'static str = "Examples:
  brickwork doctor pets.onnx --data photographs/
  brickwork doctor net.onnx --data val/ --labels imagenet_class_index.json --json";

    fn text(&self, answer: &DoctorAnswer) -> String {
        let model = &answer.model;
        let [channels, height, width] = model.input;
        let named = if model.class_names.is_empty() { " without names" } else { "" };
        let mut text = format!(
            "{}: images of {channels} by {height} by {width}, {} classes{named}, {} parameters, {} MACs\n",
            model.name,
            model.classes,
            thousands(model.params as u64),
            thousands(model.macs)
        );
        for set in answer.data.iter().flat_map(|data| &data.sets) {
            let _ = writeln!(
                text,
                "{}: {} images, {} of the model's classes",
                set.name, set.images, set.matched
            );
        }
        for pixels in &answer.pixels {
            let kind = if pixels.bytes { "bytes" } else { "floats" };
            let (name, least, largest) = (&pixels.name, pixels.least, pixels.largest);
            let _ = writeln!(text, "{name}: pixels are {kind} from {least} to {largest}");
        }
        if let Some(scores) = &answer.scores {
            let _ = writeln!(
                text,
                "scores of {} images: {:.3} to {:.3}, mean confidence {}, {} different answers",
                scores.images,
                scores.least,
                scores.largest,
                scores.confidence,
                scores.answers.len()
            );
        }
        if let Some(found) = &answer.agreement {
            let [low, high] = found.interval.map(Percent::cell);
            let _ = writeln!(
                text,
                "{} of {} labels are answered ({low} to {high}; the most frequent class alone {})",
                found.share,
                found.images,
                found.chance.cell()
            );
        }
        if answer.findings.is_empty() {
            text.push_str("\nNothing looks wrong.\n");
        }
        for finding in &answer.findings {
            let word = match finding.severity {
                Severity::Wrong => "WRONG",
                Severity::Doubtful => "doubtful",
            };
            let _ = write!(text, "\n{word}: {}", with_flags(&finding.message));
        }
        text
    }

    fn succeeded(answer: &DoctorAnswer) -> bool {
        answer.findings.iter().all(|finding| finding.severity != Severity::Wrong)
    }
}
