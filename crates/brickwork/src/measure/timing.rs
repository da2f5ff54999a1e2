//! How long runs, profiling passes, training steps and single nodes take, on random images.

use std::time::Instant;

use brickwork_exec::{Optimiser, OptimiserKind, Session, Training, cross_entropy};
use brickwork_tensor::Tensor;
use schemars::JsonSchema;
use serde::Serialize;

use crate::images::select::Sampling;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;
use crate::model::random::uniform;
use crate::relevance::profile::profiling_pass;

/// How often something is run to be timed.
#[derive(Clone, Copy)]
pub(crate) struct Runs<'a> {
    /// First so often without timing it, to plan and warm up.
    pub(crate) first: usize,
    /// Then so often.
    pub(crate) timed: usize,
    /// Is told of every run.
    pub(crate) progress: &'a dyn Progress,
}

impl Runs<'_> {
    /// The median time of `run` in milliseconds. It is given how often it ran before.
    ///
    /// # Errors
    /// The first failure of a run, or if the progress stops it.
    pub(crate) fn median_ms(
        &self,
        phase: &str,
        mut run: impl FnMut(u64) -> Result<(), Error>,
    ) -> Result<f64, Error> {
        self.progress.begin(phase, (self.first + self.timed) as u64);
        let mut times = Vec::new();
        for count in 0..self.first + self.timed {
            let start = Instant::now();
            run(count as u64)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            self.progress.advance(1)?;
        }
        let timed = &mut times[self.first..];
        timed.sort_by(f64::total_cmp);
        Ok(timed[timed.len() / 2])
    }
}

/// The time of one node.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NodeTime {
    /// Its name.
    pub name: String,
    /// What its kernel takes, in milliseconds.
    pub ms: f64,
}

/// `[n, c, h, w]`
pub(super) fn images(model: &Classifier, batch: usize) -> Tensor {
    let [c, h, w] = model.input();
    uniform([batch, c, h, w], -1.0, 1.0, 0)
}

pub(super) fn session(model: &Classifier, batch: usize) -> Session {
    Session::new(model.graph().clone(), model.graph().outputs()).for_batches_of(batch)
}

/// The median time of a run over a batch, in milliseconds.
///
/// # Errors
/// If the network cannot run, or the progress stops it.
pub(crate) fn forward_ms(model: &Classifier, batch: usize, runs: Runs<'_>) -> Result<f64, Error> {
    let (images, mut session) = (images(model, batch), session(model, batch));
    runs.median_ms("timing runs", |_| Ok(session.run(batch, &[images.data()], |_, _| {})?))
}

/// The median time of a profiling pass over a batch, in milliseconds.
///
/// # Errors
/// If the network cannot run, or the progress stops it.
pub(crate) fn profile_ms(model: &Classifier, batch: usize, runs: Runs<'_>) -> Result<f64, Error> {
    let images = images(model, batch);
    let mut pass = profiling_pass(model, &vec![0; batch], Sampling::All);
    runs.median_ms("timing profiling passes", |_| pass.run(&images))
}

/// The median time of a step of training over a batch, in milliseconds: forward, cross-entropy,
/// backward, SGD with momentum and weight decay.
///
/// # Errors
/// If the network cannot be trained, or the progress stops it.
pub(crate) fn step_ms(model: &Classifier, batch: usize, runs: Runs<'_>) -> Result<f64, Error> {
    let images = images(model, batch);
    let labels: Vec<usize> = (0..batch).map(|k| k % model.class_count()).collect();
    let mut training = Training::new(model.graph().clone(), &[model.graph().logits()], |_| true);
    let lengths: Vec<usize> = training.parameters().iter().map(|p| p.data.len()).collect();
    let kind = OptimiserKind::Sgd { momentum: 0.9, nesterov: false, decay: 5e-4 };
    let mut optimiser =
        Optimiser::new(kind, &lengths).map_err(|error| Error::training(error.to_string()))?;
    runs.median_ms("timing training steps", |run| {
        training.step(
            batch,
            &[images.data()],
            run,
            |targets| {
                let logits = &mut targets[0];
                cross_entropy(logits.data, &labels, 0.0, logits.gradient).is_ok()
            },
            |learned| {
                optimiser.begin_step();
                for p in learned {
                    optimiser.update(p.index, p.data, p.gradient, 0.01, true, None);
                }
            },
        )?;
        Ok(())
    })
}

/// The time of every node that runs at all, on a batch.
///
/// # Errors
/// If the network cannot run.
pub(crate) fn node_times(model: &Classifier, batch: usize) -> Result<Vec<NodeTime>, Error> {
    let (images, mut session) = (images(model, batch), session(model, batch));
    let start = Instant::now();
    let times = session.timings(batch, images.data(), || start.elapsed().as_secs_f64())?;
    Ok(times.into_iter().map(|(name, seconds)| NodeTime { name, ms: seconds * 1e3 }).collect())
}
