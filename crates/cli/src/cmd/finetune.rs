//! `brickwork finetune`

use brickwork::Score;
use brickwork::verbs::{Finetune, FinetuneAnswer};

use super::train::run_words;
use crate::command::Shown;

impl Shown for Finetune {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "output"];
    const EXAMPLES: &'static str = "Examples:
  brickwork finetune pets.onnx --data cifar-10-batches-bin --augment crop=4,flip -o tuned.onnx
  brickwork finetune both.onnx --data digits=mnist --data garments=fashion-mnist -o tuned.onnx

Says how well the model does on held out training images before (Score1) and after (Score2).";

    fn text(&self, answer: &FinetuneAnswer) -> String {
        let share =
            |score: Option<Score>| score.map_or("-".to_owned(), |score| score.accuracy.to_string());
        format!(
            "Score1 (before) {}, Score2 (after) {}, on held out training images\n{}",
            share(answer.score1),
            share(answer.score2),
            run_words(&answer.run)
        )
    }
}
