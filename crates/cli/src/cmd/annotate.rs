//! `brickwork annotate`

use brickwork::verbs::{Annotate, AnnotateAnswer};

use crate::command::Shown;
use crate::print::file;

impl Shown for Annotate {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "output"];
    const EXAMPLES: &'static str = "Example:
  brickwork annotate net.onnx --class-names cat,dog,bird --mean 0.5 --std 0.25 -o net.onnx";

    fn text(&self, answer: &AnnotateAnswer) -> String {
        let place = file(answer.output.as_ref())
            .map_or(String::new(), |path| format!("{}: ", path.display()));
        let known = if answer.preprocess.is_some() { "recorded" } else { "not known" };
        format!("{place}{} classes, preprocessing {known}", answer.classes.len())
    }
}
