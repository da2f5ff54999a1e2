//! `brickwork predict`

use std::fmt::Write;

use brickwork::verbs::{Predict, PredictAnswer, Prediction};

use crate::command::Shown;
use crate::print::table;

impl Shown for Predict {
    const PLACES: &'static [&'static str] = &["model", "images"];
    const REQUIRED: &'static [&'static str] = &["model", "images"];
    const LINES: Option<&'static str> = Some("images");
    const EXAMPLES: &'static str = "Examples:
  brickwork predict pets.onnx cat.jpg
  brickwork predict pets.onnx photographs/ --top 3 --csv answers.csv
  find . -name '*.png' | brickwork predict pets.onnx - --json";

    fn text(&self, answer: &PredictAnswer) -> String {
        let rows: Vec<Vec<String>> = answer.images.iter().filter_map(row).collect();
        let mut text = if rows.is_empty() { String::new() } else { table(&rows) };
        if answer.unreadable > 0 {
            let _ = writeln!(text, "{} images could not be read:", answer.unreadable);
        }
        for Prediction { image, error, .. } in &answer.images {
            if let Some(error) = error {
                let _ = writeln!(text, "  {image}: {error}");
            }
        }
        text
    }

    fn succeeded(answer: &PredictAnswer) -> bool {
        answer.unreadable == 0
    }
}

/// The image, its likeliest classes with their scores in percent, the part that answered, whether the
/// answer is below the threshold.
fn row(prediction: &Prediction) -> Option<Vec<String>> {
    let Prediction { image, classes, part, accepted, error } = prediction;
    if error.is_some() {
        return None;
    }
    let guess = |guess: &brickwork::verbs::Guess| format!("{} {:.1}", guess.class, guess.score);
    let mut row = vec![image.clone()];
    row.push(classes.iter().map(guess).collect::<Vec<_>>().join(", "));
    row.extend(part.clone());
    row.extend((*accepted == Some(false)).then(|| "rejected".to_owned()));
    Some(row)
}
