//! `brickwork card`

use brickwork::verbs::{Card, CardAnswer};

use crate::command::Shown;
use crate::print::file;

impl Shown for Card {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model"];
    const EXAMPLES: &'static str = "Examples:
  brickwork card pets.onnx > README.md
  brickwork card pets.onnx --data cifar-10-batches-bin --source net.onnx --license mit \\
      --datasets uoft-cs/cifar10 -o README.md";

    fn text(&self, answer: &CardAnswer) -> String {
        match file(answer.output.as_ref()) {
            Some(path) => format!("written {}", path.display()),
            None => answer.card.clone(),
        }
    }
}
