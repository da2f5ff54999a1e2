//! How long one image takes.

use std::time::Instant;

use crate::model::classifier::Classifier;
use crate::model::error::Error;
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
    let mut times = Vec::new();
    for run in 0..FIRST + RUNS {
        let start = Instant::now();
        scorer.logits(&image)?;
        if run >= FIRST {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[RUNS / 2])
}
