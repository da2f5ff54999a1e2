//! Running a graph between given values, one batch after the other, node by node.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickwork_graph::{Graph, Prepared, ValueId, row_major};
use brickwork_tensor::{Buffer, Level, Order, Tensor};

use crate::error::ExecError;
use crate::memory::Arena;
use crate::plan::{Place, Request, RunPlan};

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

/// How kernels are chosen.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) fuse: bool,
    pub(crate) level: Level,
    pub(crate) typical_batch: usize,
}

/// From feeds to fetches. Memory and packed weights are kept from batch to batch.
pub(crate) struct Runner {
    graph: Arc<Graph>,
    feeds: Vec<(ValueId, Order)>,
    fetches: Vec<ValueId>,
    manner: Manner,
    prepared: Vec<Prepared>,
    plans: BTreeMap<usize, RunPlan>,
    arena: Arena,
}

impl Runner {
    pub(crate) fn new(
        graph: Arc<Graph>,
        feeds: Vec<(ValueId, Order)>,
        fetches: Vec<ValueId>,
        manner: Manner,
    ) -> Self {
        let prepared = graph.nodes().iter().map(|_| Prepared::default()).collect();
        let (plans, arena) = (BTreeMap::new(), Arena::default());
        Self { graph, feeds, fetches, manner, prepared, plans, arena }
    }

    /// Runs over `batch` samples; feeds have the right length.
    pub(crate) fn run(
        &mut self,
        batch: usize,
        feeds: &[&[f32]],
        observe: &mut dyn FnMut(usize, Fetched<'_>),
    ) -> Result<(), ExecError> {
        self.plan(batch)?;
        let plan = &self.plans[&batch];
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

    /// In which order each fetch lies after a run over `batch` samples.
    pub(crate) fn orders(&mut self, batch: usize) -> Result<Vec<Order>, ExecError> {
        self.plan(batch)?;
        Ok(self.plans[&batch].fetches.iter().map(|place| place.order.clone()).collect())
    }

    /// The seconds that each step takes, after a run over the same feeds, by `clock`.
    pub(crate) fn timings(
        &self,
        batch: usize,
        feeds: &[&[f32]],
        clock: &dyn Fn() -> f64,
    ) -> Vec<(String, f64)> {
        let plan = &self.plans[&batch];
        let mut times = Vec::new();
        for step in &plan.steps {
            let read = |&storage| self.arena.read(&plan.layout, storage, feeds).to_vec();
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
        times
    }

    /// Makes the plan for `batch` samples, unless it is there.
    fn plan(&mut self, batch: usize) -> Result<(), ExecError> {
        if self.plans.contains_key(&batch) {
            return Ok(());
        }
        let Manner { fuse, level, typical_batch } = self.manner;
        let (graph, feeds, fetches) = (&*self.graph, &*self.feeds, &*self.fetches);
        let request = Request { graph, feeds, fetches, batch, fuse, level, typical_batch };
        let plan = RunPlan::new(&request, &mut self.prepared)?;
        self.plans.insert(batch, plan);
        Ok(())
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
