//! Speed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, ModelInput, PixelInput, Verb, inputs};
use crate::measure::timing::{NodeTime, Runs, forward_ms, node_times, profile_ms, step_ms};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};

/// Measure how fast a model runs, and what profiling and training take
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bench {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Batch sizes
    pub batch: Vec<usize>,
    /// Runs to take the median of
    pub runs: usize,
    /// Also time a profiling pass
    pub profile: bool,
    /// Also time a training step
    pub training: bool,
    /// Show the time of every node
    pub layers: bool,
}

impl Default for Bench {
    fn default() -> Self {
        Self {
            model: ModelInput::default(),
            batch: vec![1],
            runs: 10,
            profile: false,
            training: false,
            layers: false,
        }
    }
}

/// What was timed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum BenchAnswer {
    /// Whole runs.
    Runs {
        /// The model's name.
        model: String,
        /// Threads that they had.
        threads: usize,
        /// For every batch size, the times.
        runs: Vec<BatchTimes>,
    },
    /// Every node of one run.
    Nodes {
        /// Images of that run.
        batch: usize,
        /// The nodes, in running order.
        nodes: Vec<NodeTime>,
    },
}

/// Median times with batches of one size.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BatchTimes {
    /// Images of a batch.
    pub batch: usize,
    /// Milliseconds of a run.
    pub forward_ms: f64,
    /// Milliseconds of a profiling pass.
    pub profile_ms: Option<f64>,
    /// How many times as long as a run a profiling pass takes.
    pub profile_ratio: Option<f64>,
    /// Milliseconds of a training step.
    pub step_ms: Option<f64>,
}

impl Verb for Bench {
    type Answer = BenchAnswer;

    const NAME: &'static str = "bench";

    fn problems(&self) -> Vec<Problem> {
        let none = self.batch.is_empty();
        let none = none.then(|| Problem::new("batch", "name at least one batch size: `batch=`"));
        let sizes = self.batch.iter().filter_map(|&n| inputs::outside("batch", n, 1..=4096));
        let runs = inputs::outside("runs", self.runs, 1..=10_000);
        none.into_iter().chain(sizes).chain(runs).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<BenchAnswer, Error> {
        let model = self.model.load(&PixelInput::default(), context)?;
        if self.layers {
            let batch = self.batch[0];
            return Ok(BenchAnswer::Nodes { batch, nodes: node_times(&model, batch)? });
        }
        let runs = Runs { first: 2, timed: self.runs, progress: context.progress };
        let times = self.batch.iter().map(|&batch| self.times(&model, batch, runs));
        let times = times.collect::<Result<_, _>>()?;
        let threads = rayon::current_num_threads();
        Ok(BenchAnswer::Runs { model: model.name, threads, runs: times })
    }
}

impl Bench {
    fn times(&self, model: &Classifier, batch: usize, runs: Runs<'_>) -> Result<BatchTimes, Error> {
        let forward = forward_ms(model, batch, runs)?;
        let profile = self.profile.then(|| profile_ms(model, batch, runs)).transpose()?;
        Ok(BatchTimes {
            batch,
            forward_ms: forward,
            profile_ms: profile,
            profile_ratio: profile.map(|profile| profile / forward),
            step_ms: self.training.then(|| step_ms(model, batch, runs)).transpose()?,
        })
    }
}
