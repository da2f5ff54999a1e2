//! `brickwork calibrate`

use brickwork::verbs::{Calibrate, CalibrateAnswer};

use crate::command::Shown;
use crate::print::{row, table, written};

impl Shown for Calibrate {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "output"];
    const EXAMPLES: &'static str = "Examples:
  brickwork calibrate both.onnx --data digits=mnist/ --data garments=fashion/ -o ready.onnx
  brickwork calibrate both.onnx --data cifar-10-batches-bin --method linear -o ready.onnx
  brickwork calibrate both.onnx -o ready.onnx

Without --data, affine draws scores from the means and covariances that components carry since they
were cut with images (disassemble --data): on their own classes, and on their source's others, which
stand for the other parts' images. For parts of different sources they stand badly.";

    fn text(&self, answer: &CalibrateAnswer) -> String {
        let mut rows = vec![row(["class", "part", "factor", "shift"])];
        if let Some(note) = &answer.calibration {
            let factors = note.scale.iter().zip(&note.shift);
            rows.extend(answer.logits.iter().zip(factors).map(|(logit, (scale, shift))| {
                row([&logit.class, &logit.part, &format!("{scale:.4}"), &format!("{shift:+.4}")])
            }));
        }
        let images = answer.calibration.as_ref().map_or(0, |note| note.images);
        let held_out = answer.held_out.map_or(String::new(), |gain| {
            let [low, high] = gain.after_interval;
            format!(
                "\nof {} images, held out in turns, right: {} (95 % interval {} to {high}); before {}",
                gain.images,
                gain.after,
                low.cell(),
                gain.before
            )
        });
        format!(
            "{}\n{} on {images} images{held_out}{}",
            table(&rows),
            answer.method.name(),
            written(answer.output.as_ref())
        )
    }
}
