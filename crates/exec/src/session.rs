//! Running a graph, batch after batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickwork_graph::{Graph, Prepared, ValueId, row_major};
use brickwork_tensor::{Buffer, Level, Order, Tensor};

use crate::error::ExecError;
use crate::memory::Arena;
use crate::plan::{Place, Request, RunPlan, check_feeds};

/// A graph ready to run from given values (the feeds) to given values (the fetches), of which any
/// may lie inside. Memory and packed weights are kept from batch to batch.
pub struct Session {
    graph: Arc<Graph>,
    feeds: Vec<(ValueId, Order)>,
    fetches: Vec<ValueId>,
    fuse: bool,
    level: Level,
    typical_batch: usize,
    prepared: Vec<Prepared>,
    plans: BTreeMap<usize, RunPlan>,
    arena: Arena,
}

/// A computed value: lent, in the order in which it lies in memory.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'a> {
    /// Logical extents, the batch first.
    pub extents: &'a [usize],
    /// Which axis is outermost in memory, which innermost.
    pub order: &'a Order,
    /// The elements.
    pub data: &'a [f32],
}

impl Fetched<'_> {
    /// A copy in row-major order.
    pub fn to_tensor(&self) -> Tensor {
        row_major(self.data, self.extents, self.order)
    }
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
        let prepared = graph.nodes().iter().map(|_| Prepared::default()).collect();
        let order = |&value: &ValueId| (value, Order::row_major(graph.value(value).shape.rank()));
        Self {
            feeds: feeds.iter().map(order).collect(),
            fetches: fetches.to_vec(),
            fuse: true,
            level: Level::best(),
            typical_batch: 1,
            prepared,
            plans: BTreeMap::new(),
            arena: Arena::default(),
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
        self.fuse = false;
        self.typical_batch = 0;
        self
    }

    /// Uses the given instruction set instead of the best.
    pub fn at_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Says how many samples will usually run at a time: the quickest kernels for that are chosen,
    /// and used for every batch.
    pub fn for_batches_of(mut self, samples: usize) -> Self {
        self.typical_batch = samples;
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
        if !self.plans.contains_key(&batch) {
            let request = Request {
                graph: &self.graph,
                feeds: &self.feeds,
                fetches: &self.fetches,
                batch,
                fuse: self.fuse,
                level: self.level,
                typical_batch: self.typical_batch,
            };
            let plan = RunPlan::new(&request, &mut self.prepared)?;
            self.plans.insert(batch, plan);
        }
        let Some(plan) = self.plans.get(&batch) else { return Ok(()) };
        self.arena.fit(&plan.layout);
        for &index in &plan.ready_at_once {
            observe(index, fetched(plan, index, &self.arena, feeds));
        }
        for step in &plan.steps {
            self.arena.run(&plan.layout, step, feeds);
            for &index in &step.ready {
                observe(index, fetched(plan, index, &self.arena, feeds));
            }
        }
        Ok(())
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
        self.outputs(batch, feed)?;
        let plan = &self.plans[&batch];
        let mut times = Vec::new();
        for step in &plan.steps {
            let read = |&storage| self.arena.read(&plan.layout, storage, &[feed]).to_vec();
            let inputs: Vec<Vec<f32>> = step.inputs.iter().map(read).collect();
            let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
            let mut outputs: Vec<Vec<f32>> =
                step.outputs.iter().map(|&s| vec![0.0; plan.layout.lengths[s]]).collect();
            let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
            let mut scratch = Buffer::default();
            step.kernel.run(&inputs, &mut slices, &mut scratch);
            let start = clock();
            step.kernel.run(&inputs, &mut slices, &mut scratch);
            times.push((self.graph.node(step.node).name.clone(), clock() - start));
        }
        Ok(times)
    }
}

fn fetched<'a>(
    plan: &'a RunPlan,
    index: usize,
    arena: &'a Arena,
    feeds: &[&'a [f32]],
) -> Fetched<'a> {
    let Place { extents, order, storage } = &plan.fetches[index];
    Fetched { extents, order, data: arena.read(&plan.layout, *storage, feeds) }
}
