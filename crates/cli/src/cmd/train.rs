//! `brickwork train`

use brickwork::Percent;
use brickwork::verbs::{Train, TrainAnswer};

use crate::command::Shown;
use crate::print::{row, table, written};

impl Shown for Train {
    const REQUIRED: &'static [&'static str] = &["arch", "output"];
    const EXAMPLES: &'static str = "Examples:
  brickwork train --arch resnet20 --data cifar-10-batches-bin --augment crop=4,flip -o net.onnx
  brickwork train --arch vgg16 --width 0.25 --data photos/ --size 64 --epochs 60 \\
      --log log.csv --curve curve.svg -o photos.onnx

Ctrl-C stops the run and keeps a checkpoint; --resume goes on from it.
The best epoch is chosen on held out training images. Measure the result with `brickwork eval`.";

    fn text(&self, answer: &TrainAnswer) -> String {
        run_words(answer)
    }
}

/// What a run came to.
pub(crate) fn run_words(answer: &TrainAnswer) -> String {
    let best = answer.best();
    let share =
        |accuracy: Option<Percent>| accuracy.map_or("-".to_owned(), |share| share.to_string());
    let rows = [
        row(["epochs", "best", "images", "train accuracy", "held out accuracy"]),
        vec![
            answer.epochs.len().to_string(),
            answer.best_epoch.to_string(),
            answer.images.to_string(),
            share(best.map(|epoch| epoch.train.accuracy)),
            share(best.and_then(|epoch| epoch.held).map(|held| held.accuracy)),
        ],
    ];
    format!("{}{}", table(&rows), written(answer.output.as_ref()))
}
