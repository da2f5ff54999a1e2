//! `brickwork distill`

use brickwork::verbs::{Distill, TrainAnswer};

use super::train::run_words;
use crate::command::Shown;

impl Shown for Distill {
    const REQUIRED: &'static [&'static str] = &["teacher", "student", "output"];
    const SEVERAL: &'static [&'static str] = &["teacher"];
    const EXAMPLES: &'static str = "Examples:
  brickwork distill --teacher both.onnx --student resnet20 --data digits --data garments -o s.onnx
  brickwork distill --teacher a.onnx b.onnx --student small.onnx --data photos/ -o s.onnx

The student has the teachers' classes, in order. An image is taught by the teachers that know its
class; what such a teacher does not know, the image is not.";

    fn text(&self, answer: &TrainAnswer) -> String {
        run_words(answer)
    }
}
