//! How long one image takes.

use super::timing::Runs;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Silent;
use crate::model::random::uniform;

/// Runs that are timed.
const RUNS: usize = 20;

/// Runs before them, which plan and warm up.
const FIRST: usize = 5;

/// The median time of one image, in milliseconds.
///
/// # Errors
/// If the network cannot run.
pub fn latency_ms(model: &Classifier) -> Result<f64, Error> {
    let [c, h, w] = model.input();
    let image = uniform([1, c, h, w], -1.0, 1.0, 0);
    let mut scorer = model.single_scorer();
    let runs = Runs { first: FIRST, timed: RUNS, progress: &Silent };
    runs.median_ms("timing runs", |_| scorer.logits(&image).map(drop))
}
