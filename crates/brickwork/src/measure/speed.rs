//! How much faster a network runs than the one it came from.

use std::time::{Duration, Instant};

use brickwork_exec::Session;
use brickwork_tensor::Tensor;
use rayon::ThreadPoolBuilder;
use schemars::JsonSchema;
use serde::Serialize;

use super::timing::{images, session};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;

/// Images of a batch, next to single ones.
const BATCH: usize = 8;

/// Timed runs of each network, at least and at most.
const RUNS: [usize; 2] = [2, 100];

/// No more runs are begun after so long.
const ENOUGH: Duration = Duration::from_millis(500);

/// The time of a source and of what was made of it, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Speed {
    /// Images that ran at once.
    pub batch: usize,
    /// Threads that they had.
    pub threads: usize,
    /// Milliseconds of the source: the best of many runs.
    pub before_ms: f64,
    /// Milliseconds of what was made of it: the best of as many, in turns with the source's.
    pub after_ms: f64,
}

/// The speed of two networks that read the same images, of one image and of eight, on one thread and on all.
///
/// # Errors
/// If a network cannot run, or the progress stops it.
pub(crate) fn speeds(
    before: &Classifier,
    after: &Classifier,
    progress: &dyn Progress,
) -> Result<Vec<Speed>, Error> {
    let all = rayon::current_num_threads();
    let threads: &[usize] = if all > 1 { &[1, all] } else { &[1] };
    progress.begin("timing source and component", (2 * threads.len()) as u64);
    let mut found = Vec::new();
    for batch in [1, BATCH] {
        for &threads in threads {
            found.push(speed([before, after], batch, threads)?);
            progress.advance(1)?;
        }
    }
    Ok(found)
}

fn speed(both: [&Classifier; 2], batch: usize, threads: usize) -> Result<Speed, Error> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::options(format!("no {threads} threads: {error}")))?;
    let [before_ms, after_ms] = pool.install(|| best_ms(both, batch))?;
    Ok(Speed { batch, threads, before_ms, after_ms })
}

/// The shortest runs of both, in turns.
fn best_ms(both: [&Classifier; 2], batch: usize) -> Result<[f64; 2], Error> {
    let images = images(both[0], batch);
    let mut sessions = both.map(|model| session(model, batch));
    // The first run plans and warms up.
    sessions.iter_mut().try_for_each(|session| run_ms(session, &images).map(drop))?;
    let (start, mut best) = (Instant::now(), [f64::INFINITY; 2]);
    for count in 0..RUNS[1] {
        if count >= RUNS[0] && start.elapsed() > ENOUGH {
            break;
        }
        for (session, best) in sessions.iter_mut().zip(&mut best) {
            *best = best.min(run_ms(session, &images)?);
        }
    }
    Ok(best)
}

fn run_ms(session: &mut Session, images: &Tensor) -> Result<f64, Error> {
    let start = Instant::now();
    session.run(images.shape()[0], &[images.data()], |_, _| {})?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
