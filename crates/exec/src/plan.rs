//! A plan: for one batch size, the steps in order and the buffer of every value.

use brickwork_graph::{
    Feed, Graph, Kernel, Lower, NodeId, OpError, Prepared, Step as LoweredStep, ValueId,
};
use brickwork_tensor::kernels::copy::gather_strided;
use brickwork_tensor::{Buffer, Level, Order, volume};

use crate::error::ExecError;
use crate::fuse::{Chain, Fuser};
use crate::memory::{Layout, Step};

/// Where a value lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) extents: Vec<usize>,
    pub(crate) order: Order,
    pub(crate) storage: usize,
}

/// The steps for one batch size.
pub(crate) struct RunPlan {
    pub(crate) steps: Vec<Step>,
    /// Fetches that are feeds or views of feeds.
    pub(crate) ready_at_once: Vec<usize>,
    pub(crate) fetches: Vec<Place>,
    pub(crate) layout: Layout,
}

/// What the plan is made for.
pub(crate) struct Request<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) feeds: &'a [(ValueId, Order)],
    pub(crate) fetches: &'a [ValueId],
    pub(crate) batch: usize,
    pub(crate) fuse: bool,
    pub(crate) level: Level,
    pub(crate) typical_batch: usize,
}

struct Planner<'a, 'b> {
    request: &'a Request<'b>,
    prepared: &'a mut [Prepared],
    places: Vec<Option<Place>>,
    lengths: Vec<usize>,
    steps: Vec<Step>,
}

impl RunPlan {
    /// Plans a request. `prepared` keeps packed weights between plans.
    pub(crate) fn new(request: &Request<'_>, prepared: &mut [Prepared]) -> Result<Self, ExecError> {
        let graph = request.graph;
        let feeds: Vec<ValueId> = request.feeds.iter().map(|(value, _)| *value).collect();
        let needed = needed_nodes(graph, &feeds, request.fetches)?;
        let chains =
            Fuser::new(graph, &needed, &feeds, request.fetches).chains(&needed, request.fuse);
        let mut planner = Planner {
            request,
            prepared,
            places: vec![None; graph.values().len()],
            lengths: Vec::new(),
            steps: Vec::new(),
        };
        for (value, order) in request.feeds {
            planner.new_place(*value, order.clone());
        }
        for chain in &chains {
            planner.chain(chain)?;
        }
        planner.finish()
    }
}

/// Refuses feeds that do not hold `batch` samples of the `fed` values.
pub(crate) fn check_feeds(
    graph: &Graph,
    fed: &[ValueId],
    batch: usize,
    feeds: &[&[f32]],
) -> Result<(), ExecError> {
    for (k, &value) in fed.iter().enumerate() {
        let value = graph.value(value);
        let expected = value.shape.at(batch).into_iter().fold(1, usize::saturating_mul);
        let found = feeds.get(k).map_or(0, |data| data.len());
        if found != expected {
            let value = value.name.clone();
            return Err(ExecError::WrongSize { value, found, expected, batch });
        }
    }
    Ok(())
}

/// Nodes between the feeds and the fetches.
pub(crate) fn needed_nodes(
    graph: &Graph,
    feeds: &[ValueId],
    fetches: &[ValueId],
) -> Result<Vec<bool>, ExecError> {
    let mut wanted = vec![false; graph.values().len()];
    fetches.iter().for_each(|value| wanted[value.index()] = true);
    let mut needed = vec![false; graph.nodes().len()];
    for id in graph.node_ids().rev() {
        let node = graph.node(id);
        let asked = |out: &ValueId| wanted[out.index()] && !feeds.contains(out);
        if node.outputs.iter().any(asked) {
            needed[id.index()] = true;
            node.inputs.iter().flatten().for_each(|input| wanted[input.index()] = true);
        }
    }
    for &input in graph.inputs() {
        if wanted[input.index()] && !feeds.contains(&input) {
            return Err(ExecError::NotFed { value: graph.value(input).name.clone() });
        }
    }
    Ok(needed)
}

impl Planner<'_, '_> {
    fn extents(&self, value: ValueId) -> Vec<usize> {
        self.request.graph.value(value).shape.at(self.request.batch)
    }

    fn new_storage(&mut self, extents: &[usize]) -> usize {
        self.lengths.push(volume(extents));
        self.lengths.len() - 1
    }

    fn new_place(&mut self, value: ValueId, order: Order) -> usize {
        let extents = self.extents(value);
        let storage = self.new_storage(&extents);
        self.places[value.index()] = Some(Place { extents, order, storage });
        storage
    }

    fn place(&self, value: ValueId) -> Result<&Place, ExecError> {
        self.places[value.index()].as_ref().ok_or_else(|| ExecError::NotFed {
            value: self.request.graph.value(value).name.clone(),
        })
    }

    fn chain(&mut self, chain: &Chain) -> Result<(), ExecError> {
        let graph = self.request.graph;
        let node = graph.node(chain.host);
        let failed = |error: OpError| ExecError::of(node, &error);
        let mut feeds = Vec::new();
        for input in &node.inputs {
            feeds.push(match input {
                None => Feed::Absent,
                Some(value) => match &graph.value(*value).constant {
                    Some(data) => Feed::Constant(data),
                    None => {
                        let place = self.place(*value)?;
                        Feed::Computed(place.extents.clone(), place.order.clone())
                    }
                },
            });
        }
        let outputs: Vec<Vec<usize>> = node.outputs.iter().map(|&out| self.extents(out)).collect();
        let mut lower = Lower::new(feeds, outputs, chain.epilogue.clone(), self.request.level)
            .for_batches_of(self.request.typical_batch)
            .keeping(&mut self.prepared[chain.host.index()]);
        let lowered = node.op.lower(&mut lower).map_err(failed)?;
        let wanted = lower.wanted().to_vec();
        let mut inputs = Vec::new();
        for (slot, input) in node.inputs.iter().enumerate() {
            if let Some(value) = input.filter(|v| graph.value(*v).constant.is_none()) {
                inputs.push(self.in_order(chain.host, value, wanted[slot].as_ref())?);
            }
        }
        match lowered.step {
            LoweredStep::View => {
                let (extents, order) = (self.extents(chain.output), lowered.orders[0].clone());
                self.places[chain.output.index()] =
                    Some(Place { extents, order, storage: inputs[0] });
            }
            LoweredStep::Run(kernel) => {
                if let Some(residual) = chain.residual {
                    inputs.push(self.in_order(chain.host, residual, lowered.orders.first())?);
                }
                let mut results = node.outputs.clone();
                results[0] = chain.output;
                let outputs = results
                    .into_iter()
                    .zip(lowered.orders)
                    .map(|(value, order)| self.new_place(value, order))
                    .collect();
                self.push(kernel, inputs, outputs, chain.host);
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        kernel: Box<dyn Kernel>,
        inputs: Vec<usize>,
        outputs: Vec<usize>,
        node: NodeId,
    ) {
        let ready = Vec::new();
        self.steps.push(Step { kernel, inputs, outputs, in_place: false, ready, node });
    }

    /// The storage of `value` in the wanted order, after a copy if it lies otherwise. The copy is
    /// kept for later readers.
    fn in_order(
        &mut self,
        node: NodeId,
        value: ValueId,
        wanted: Option<&Order>,
    ) -> Result<usize, ExecError> {
        let place = self.place(value)?.clone();
        let Some(order) = wanted.filter(|order| !order.same_places(&place.order, &place.extents))
        else {
            return Ok(place.storage);
        };
        let kernel = Relay::new(&place, order);
        let storage = self.new_storage(&place.extents);
        self.push(Box::new(kernel), vec![place.storage], vec![storage], node);
        self.places[value.index()] =
            Some(Place { extents: place.extents, order: order.clone(), storage });
        Ok(storage)
    }

    fn finish(mut self) -> Result<RunPlan, ExecError> {
        let mut fetches = Vec::new();
        let mut ready_at_once = Vec::new();
        for (index, &value) in self.request.fetches.iter().enumerate() {
            let place = self.place(value)?.clone();
            match self.steps.iter_mut().rev().find(|step| step.outputs.contains(&place.storage)) {
                Some(step) => step.ready.push(index),
                None => ready_at_once.push(index),
            }
            fetches.push(place);
        }
        let layout = Layout::assign(&mut self.steps, self.lengths, self.request.feeds.len());
        Ok(RunPlan { steps: self.steps, ready_at_once, fetches, layout })
    }
}

/// Copies a value into another order.
pub(crate) struct Relay {
    extents: Vec<usize>,
    strides: Vec<isize>,
}

impl Relay {
    /// From the order of `place` to `order`.
    pub(crate) fn new(place: &Place, order: &Order) -> Self {
        let strides = place.order.strides(&place.extents);
        Self {
            extents: order.physical(&place.extents),
            strides: order.axes().iter().map(|&axis| strides[axis] as isize).collect(),
        }
    }
}

impl Kernel for Relay {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        gather_strided(inputs[0], 0, &self.extents, &self.strides, outputs[0]);
    }
}
