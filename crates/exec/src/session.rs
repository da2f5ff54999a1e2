//! Running a graph, batch after batch.

use std::sync::Arc;

use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::{Level, Order, Tensor};

use crate::error::ExecError;
use crate::plan::check_feeds;
use crate::runner::{Fetched, Manner};
use crate::stages::{CACHED, Stages};

/// A graph ready to run from given values (the feeds) to given values (the fetches), of which any
/// may lie inside. Memory and packed weights are kept from batch to batch.
pub struct Session {
    graph: Arc<Graph>,
    feeds: Vec<(ValueId, Order)>,
    fetches: Vec<ValueId>,
    manner: Manner,
    cached: usize,
    /// Made by the first run.
    stages: Option<Stages>,
}

impl Session {
    /// From the graph's inputs to `fetches`.
    pub fn new(graph: Arc<Graph>, fetches: &[ValueId]) -> Self {
        let feeds = graph.inputs().to_vec();
        Self::between(graph, &feeds, fetches)
    }

    /// From `feeds` to `fetches`; feeds are given row-major unless [`feed_order`](Self::feed_order)
    /// says otherwise.
    pub fn between(graph: Arc<Graph>, feeds: &[ValueId], fetches: &[ValueId]) -> Self {
        let order = |&value: &ValueId| (value, Order::row_major(graph.value(value).shape.rank()));
        Self {
            feeds: feeds.iter().map(order).collect(),
            fetches: fetches.to_vec(),
            manner: Manner { fuse: true, level: Level::best(), typical_batch: 1 },
            cached: CACHED,
            stages: None,
            graph,
        }
    }

    /// Says in which order feed `index` is given.
    pub fn feed_order(mut self, index: usize, order: Order) -> Self {
        self.feeds[index].1 = order;
        self
    }

    /// Runs every node by itself and by its definition, for proofs: slower, and equal sums are
    /// rounded equally whatever else a graph holds.
    pub fn unfused(mut self) -> Self {
        self.manner.fuse = false;
        self.manner.typical_batch = 0;
        self
    }

    /// Uses the given instruction set instead of the best.
    pub fn at_level(mut self, level: Level) -> Self {
        self.manner.level = level;
        self
    }

    /// Says how many samples will usually run at a time: the quickest kernels for that are chosen,
    /// and used for every batch.
    pub fn for_batches_of(mut self, samples: usize) -> Self {
        self.manner.typical_batch = samples;
        self
    }

    /// Says how many elements of values the processor's caches hold. Where the operands and results of nodes have more in
    /// a batch, those nodes run over fewer samples at a time; no result depends on it.
    pub fn caching(mut self, elements: usize) -> Self {
        self.cached = elements;
        self
    }

    /// The graph that runs.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Runs one batch. `feeds` holds the elements of every feed for `batch` samples; `observe` gets
    /// the index and value of every fetch as soon as it is computed. What it is lent is
    /// overwritten afterwards.
    ///
    /// # Errors
    /// If a feed has the wrong size or a node cannot run.
    pub fn run(
        &mut self,
        batch: usize,
        feeds: &[&[f32]],
        mut observe: impl FnMut(usize, Fetched<'_>),
    ) -> Result<(), ExecError> {
        let fed: Vec<ValueId> = self.feeds.iter().map(|(value, _)| *value).collect();
        check_feeds(&self.graph, &fed, batch, feeds)?;
        self.stages()?.run(batch, feeds, &mut observe)
    }

    fn stages(&mut self) -> Result<&mut Stages, ExecError> {
        let stages = match self.stages.take() {
            Some(stages) => stages,
            None => {
                let feeds = self.feeds.clone();
                Stages::new(&self.graph, feeds, &self.fetches, self.manner, self.cached)?
            }
        };
        Ok(self.stages.insert(stages))
    }

    /// Runs one batch of the first feed and returns copies of all fetches, row-major.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn outputs(&mut self, batch: usize, feed: &[f32]) -> Result<Vec<Tensor>, ExecError> {
        let mut results: Vec<Option<Tensor>> = vec![None; self.fetches.len()];
        self.run(batch, &[feed], |index, value| results[index] = Some(value.to_tensor()))?;
        Ok(results.into_iter().flatten().collect())
    }

    /// For every node that runs at all, its name and the time its kernel takes on `feed`, in
    /// seconds, as measured by `clock` (seconds since any moment).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn timings(
        &mut self,
        batch: usize,
        feed: &[f32],
        clock: impl Fn() -> f64,
    ) -> Result<Vec<(String, f64)>, ExecError> {
        self.run(batch, &[feed], |_, _| {})?;
        Ok(self.stages()?.timings(batch, &[feed], &clock))
    }
}
