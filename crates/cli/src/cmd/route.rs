//! `brickwork route`

use brickwork::verbs::{Route, RouteAnswer};

use crate::command::Shown;
use crate::print::{table, written};

impl Shown for Route {
    const PLACES: &'static [&'static str] = &["profile"];
    const REQUIRED: &'static [&'static str] = &["profile", "model", "classes", "output"];
    const LISTS: &'static [&'static str] = &["layers"];
    const EXAMPLES: &'static str = "Examples:
  brickwork route net.profile.safetensors --model net.onnx --classes cat,dog -o pets.svg
  brickwork route net.profile.safetensors --model net.onnx --classes 0-2 \\
      --layers layer3,fc -o route.html";

    fn text(&self, answer: &RouteAnswer) -> String {
        table(&answer.route.table()) + &written(answer.output.as_ref())
    }
}
