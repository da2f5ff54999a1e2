//! A plan of one training step: the forward pass, the loss, the backward pass, for one batch size.

use std::collections::HashMap;
use std::sync::Arc;

use brickwork_graph::{
    Backward, Epilogue, Feed, Graph, Kernel, Lower, Lowered, NodeId, Reads, Step as LoweredStep,
    Trained, ValueId,
};
use brickwork_tensor::{Buffer, Level, Order, Tensor, volume};

use super::parameter::{Parameter, Role};
use crate::error::ExecError;
use crate::memory::{Layout, Step};
use crate::plan::{Place, Relay, needed_nodes};

/// The steps for one batch size.
pub(crate) struct TrainPlan {
    pub(crate) steps: Vec<Step>,
    /// Index of the step that stands for the loss: its inputs are the targets, its outputs their
    /// gradients.
    pub(crate) turn: usize,
    pub(crate) layout: Layout,
    /// Extents of each target.
    pub(crate) targets: Vec<Vec<usize>>,
    /// For every learned parameter that the targets depend on: its index and where its gradient is.
    pub(crate) gradients: Vec<(usize, usize)>,
    /// Statistics: parameter, what it follows, how quickly.
    pub(crate) follows: Vec<(usize, usize, f32)>,
}

/// What the plan is made for.
pub(crate) struct Request<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) parameters: &'a [Parameter],
    /// The parameter behind a value.
    pub(crate) index_of: &'a HashMap<ValueId, usize>,
    pub(crate) targets: &'a [ValueId],
    /// Whether each value's gradient is needed.
    pub(crate) needed: &'a [bool],
    pub(crate) batch: usize,
    pub(crate) level: Level,
    /// Whether the gradients are those of the network in inference.
    pub(crate) settled: bool,
    /// Whether every sample's gradients of the parameters are kept apart.
    pub(crate) by_sample: bool,
}

/// A node that gradients pass back through.
struct Passed {
    ran: Ran,
    backward: Backward,
    /// The pass to the constants, if samples are kept apart.
    alone: Option<Backward>,
}

/// A node that ran forward.
struct Ran {
    node: NodeId,
    /// Storage of each slot, in the order the node reads it.
    operands: Vec<Option<Operand>>,
    /// Storages of the results.
    results: Vec<usize>,
    kept: Vec<usize>,
}

#[derive(Clone)]
pub(super) struct Operand {
    pub(super) value: ValueId,
    storage: usize,
    pub(super) order: Order,
}

pub(super) struct Planner<'a, 'b> {
    pub(super) request: &'a Request<'b>,
    places: Vec<Option<Place>>,
    /// Copies of values in other orders.
    copies: HashMap<(ValueId, Order), usize>,
    lengths: Vec<usize>,
    steps: Vec<Step>,
    passed: Vec<Passed>,
    follows: Vec<(usize, usize, f32)>,
    /// The gradient of each value so far, in the value's own order.
    gradients: Vec<Option<usize>>,
    draw: usize,
}

impl TrainPlan {
    /// Outside storages are the graph's inputs, then the parameters, then the seed.
    pub(crate) fn new(request: &Request<'_>) -> Result<Self, ExecError> {
        let graph = request.graph;
        let count = graph.values().len();
        let mut planner = Planner {
            request,
            places: vec![None; count],
            copies: HashMap::new(),
            lengths: Vec::new(),
            steps: Vec::new(),
            passed: Vec::new(),
            follows: Vec::new(),
            gradients: vec![None; count],
            draw: 0,
        };
        for &input in graph.inputs() {
            planner.place_row_major(input);
        }
        for parameter in request.parameters {
            planner.place_row_major(parameter.value);
        }
        planner.draw = planner.new_storage(brickwork_graph::DRAW_LEN);
        let outside = planner.lengths.len();
        let needed = needed_nodes(graph, graph.inputs(), request.targets)?;
        for id in graph.node_ids().filter(|id| needed[id.index()]) {
            planner.forward(id)?;
        }
        let turn = planner.turn()?;
        for passed in std::mem::take(&mut planner.passed).into_iter().rev() {
            planner.backward(passed)?;
        }
        Ok(planner.finish(turn, outside))
    }
}

impl<'b> Planner<'_, 'b> {
    fn extents(&self, value: ValueId) -> Vec<usize> {
        self.request.graph.value(value).shape.at(self.request.batch)
    }

    fn new_storage(&mut self, length: usize) -> usize {
        self.lengths.push(length);
        self.lengths.len() - 1
    }

    fn place_row_major(&mut self, value: ValueId) {
        let order = Order::row_major(self.extents(value).len());
        self.new_place(value, order);
    }

    fn new_place(&mut self, value: ValueId, order: Order) -> usize {
        let extents = self.extents(value);
        let storage = self.new_storage(volume(&extents));
        self.places[value.index()] = Some(Place { extents, order, storage });
        storage
    }

    pub(super) fn place(&self, value: ValueId) -> Result<&Place, ExecError> {
        self.places[value.index()].as_ref().ok_or_else(|| ExecError::NotFed {
            value: self.request.graph.value(value).name.clone(),
        })
    }

    fn push(
        &mut self,
        kernel: Box<dyn Kernel>,
        inputs: Vec<usize>,
        outputs: Vec<usize>,
        node: NodeId,
    ) {
        self.steps.push(Step { kernel, inputs, outputs, in_place: false, ready: Vec::new(), node });
    }

    /// `value` in the wanted order, after a copy if it lies otherwise.
    fn operand(
        &mut self,
        node: NodeId,
        value: ValueId,
        wanted: Option<&Order>,
    ) -> Result<Operand, ExecError> {
        let place = self.place(value)?.clone();
        let Some(order) = wanted.filter(|order| !order.same_places(&place.order, &place.extents))
        else {
            return Ok(Operand { value, storage: place.storage, order: place.order });
        };
        let order = order.clone();
        let known = self.copies.get(&(value, order.clone())).copied();
        let storage = match known {
            Some(storage) => storage,
            None => {
                let storage = self.new_storage(volume(&place.extents));
                let kernel = Box::new(Relay::new(&place, &order));
                self.push(kernel, vec![place.storage], vec![storage], node);
                self.copies.insert((value, order.clone()), storage);
                storage
            }
        };
        Ok(Operand { value, storage, order })
    }

    fn forward(&mut self, id: NodeId) -> Result<(), ExecError> {
        let graph = self.request.graph;
        let node = graph.node(id);
        let needs =
            |value: &Option<ValueId>| value.is_some_and(|value| self.request.needed[value.index()]);
        let mut slots: Vec<bool> = node.inputs.iter().map(needs).collect();
        let learns = slots.contains(&true);
        let own = self.take_constants(node, &mut slots);
        let mut feeds = Vec::new();
        for input in &node.inputs {
            let constant = input.and_then(|value| graph.value(value).constant.as_ref());
            feeds.push(match (input, constant) {
                (None, _) => Feed::Absent,
                (Some(_), Some(data)) if !learns => Feed::Constant(data),
                (Some(value), _) => {
                    let place = self.place(*value)?;
                    Feed::Computed(place.extents.clone(), place.order.clone())
                }
            });
        }
        let outputs = node.outputs.iter().map(|&out| self.extents(out)).collect();
        let mut lower = Lower::new(feeds, outputs, Epilogue::default(), self.request.level)
            .for_batches_of(self.request.batch)
            .for_training(slots, self.fixed(id), id.index() as u64)
            .settled(self.request.settled);
        let made = if learns || node.op.draws() {
            node.op.train(&mut lower)
        } else {
            node.op.lower(&mut lower).map(|lowered| Trained::same(lowered, Vec::new()))
        };
        let trained = made.map_err(|error| ExecError::of(node, &error))?;
        let wanted = lower.wanted().to_vec();
        let mut operands = Vec::new();
        for (slot, input) in node.inputs.iter().enumerate() {
            let computed = input.filter(|&value| learns || graph.value(value).constant.is_none());
            operands.push(match computed {
                Some(value) => Some(self.operand(id, value, wanted[slot].as_ref())?),
                None => None,
            });
        }
        let Trained { forward, keeps, draws, follows, backward } = trained;
        let (results, kept) = self.results(id, forward, &keeps, draws, &operands);
        for follows in &follows {
            let statistic = node.input(follows.slot);
            let index = statistic.and_then(|value| self.request.index_of.get(&value));
            if let Some(&index) = index {
                self.follows.push((index, kept[follows.kept], follows.rate));
            }
        }
        if learns {
            let alone = match own.contains(&true) {
                true => Some(self.alone(id, own, &operands)?),
                false => None,
            };
            let ran = Ran { node: id, operands, results, kept };
            self.passed.push(Passed { ran, backward, alone });
        }
        Ok(())
    }

    /// The constants that a node reads and nothing moves.
    pub(super) fn fixed(&self, id: NodeId) -> Vec<Option<&'b Arc<Tensor>>> {
        let Request { graph, parameters, index_of, .. } = *self.request;
        let stays = |value: &ValueId| {
            index_of.get(value).is_some_and(|&index| parameters[index].role == Role::Fixed)
        };
        let inputs = graph.node(id).inputs.iter();
        inputs.map(|input| graph.value(input.filter(stays)?).constant.as_ref()).collect()
    }

    /// Adds the forward step of a node and places its results.
    fn results(
        &mut self,
        id: NodeId,
        forward: Lowered,
        keeps: &[usize],
        draws: bool,
        operands: &[Option<Operand>],
    ) -> (Vec<usize>, Vec<usize>) {
        let node = self.request.graph.node(id);
        let mut inputs: Vec<usize> = operands.iter().flatten().map(|o| o.storage).collect();
        let mut orders = forward.orders.into_iter();
        let kernel = match forward.step {
            LoweredStep::Run(kernel) => kernel,
            LoweredStep::View => {
                let (extents, storage) = (self.extents(node.outputs[0]), inputs[0]);
                let place = |order| Place { extents, order, storage };
                self.places[node.outputs[0].index()] = orders.next().map(place);
                return (vec![storage], Vec::new());
            }
        };
        let results: Vec<usize> = node
            .outputs
            .iter()
            .zip(orders)
            .map(|(&out, order)| self.new_place(out, order))
            .collect();
        let kept: Vec<usize> = keeps.iter().map(|&length| self.new_storage(length)).collect();
        if draws {
            inputs.push(self.draw);
        }
        self.push(kernel, inputs, [&results[..], &kept[..]].concat(), id);
        (results, kept)
    }

    /// The loss: reads the targets row-major, gives their gradients.
    fn turn(&mut self) -> Result<usize, ExecError> {
        let node = NodeId::default();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let mut gradients = Vec::new();
        for &target in self.request.targets {
            let rank = self.extents(target).len();
            let row_major = Order::row_major(rank);
            let operand = self.operand(node, target, Some(&row_major))?;
            let gradient = self.new_storage(self.lengths[operand.storage]);
            inputs.push(operand.storage);
            outputs.push(gradient);
            gradients.push((operand, gradient));
        }
        self.push(Box::new(Missing), inputs, outputs, node);
        let turn = self.steps.len() - 1;
        for (operand, gradient) in gradients {
            self.contribute(node, &operand, gradient)?;
        }
        Ok(turn)
    }

    /// Adds `storage` to the gradient of an operand, which it has in the operand's order.
    fn contribute(
        &mut self,
        node: NodeId,
        operand: &Operand,
        storage: usize,
    ) -> Result<(), ExecError> {
        if !self.request.needed[operand.value.index()] {
            return Ok(());
        }
        let place = self.place(operand.value)?.clone();
        let mut storage = storage;
        if !operand.order.same_places(&place.order, &place.extents) {
            let from = Place { order: operand.order.clone(), ..place.clone() };
            let turned = self.new_storage(volume(&place.extents));
            let relay = Box::new(Relay::new(&from, &place.order));
            self.push(relay, vec![storage], vec![turned], node);
            storage = turned;
        }
        let index = operand.value.index();
        self.gradients[index] = Some(match self.gradients[index] {
            None => storage,
            Some(before) => {
                let sum = self.new_storage(self.lengths[storage]);
                self.push(Box::new(Accumulate), vec![before, storage], vec![sum], node);
                sum
            }
        });
        Ok(())
    }

    fn backward(&mut self, passed: Passed) -> Result<(), ExecError> {
        let Passed { ran, backward, alone } = passed;
        let outputs = self.request.graph.node(ran.node).outputs.clone();
        if outputs.iter().all(|out| self.gradients[out.index()].is_none()) {
            return Ok(());
        }
        let gradients: Vec<usize> =
            outputs.iter().map(|&out| self.gradient(ran.node, out)).collect();
        self.give(&ran, backward, &gradients, 1)?;
        alone.map_or(Ok(()), |alone| self.give(&ran, alone, &gradients, self.request.batch))
    }

    /// Adds a backward pass of a node, from the gradients of its results to those of its operands, so
    /// many of each.
    fn give(
        &mut self,
        ran: &Ran,
        backward: Backward,
        gradients: &[usize],
        samples: usize,
    ) -> Result<(), ExecError> {
        let Ran { node, operands, results, kept } = ran;
        let (slots, storages) = match backward {
            Backward::Same(slots) => {
                let storages = vec![gradients[0]; slots.len()];
                (slots, storages)
            }
            Backward::Run { gives, .. } if gives.is_empty() => return Ok(()),
            Backward::Run { kernel, reads, gives } => {
                let storage_of = |slot: usize| operands[slot].as_ref().map(|o| o.storage);
                let inputs = reads.iter().filter_map(|read| match *read {
                    Reads::Gradient(k) => Some(gradients[k]),
                    Reads::Operand(slot) => storage_of(slot),
                    Reads::Result(k) => Some(results[k]),
                    Reads::Kept(k) => Some(kept[k]),
                    Reads::Draw => Some(self.draw),
                });
                let inputs = inputs.collect();
                let lengths: Vec<usize> = gives
                    .iter()
                    .filter_map(|&slot| storage_of(slot).map(|storage| self.lengths[storage]))
                    .collect();
                let given: Vec<usize> =
                    lengths.into_iter().map(|length| self.new_storage(samples * length)).collect();
                self.push(kernel, inputs, given.clone(), *node);
                (gives, given)
            }
        };
        for (slot, storage) in slots.into_iter().zip(storages) {
            if let Some(operand) = &operands[slot] {
                self.contribute(*node, operand, storage)?;
            }
        }
        Ok(())
    }

    /// The gradient of a result, zero if nothing contributed to it.
    fn gradient(&mut self, node: NodeId, value: ValueId) -> usize {
        match self.gradients[value.index()] {
            Some(storage) => storage,
            None => {
                let storage = self.new_storage(volume(&self.extents(value)));
                self.push(Box::new(Zeros), Vec::new(), vec![storage], node);
                storage
            }
        }
    }

    fn finish(mut self, turn: usize, outside: usize) -> TrainPlan {
        let request = self.request;
        let gradient = |(index, parameter): (usize, &Parameter)| {
            let storage = self.gradients[parameter.value.index()]?;
            (parameter.role == Role::Learned).then_some((index, storage))
        };
        let gradients: Vec<(usize, usize)> =
            request.parameters.iter().enumerate().filter_map(gradient).collect();
        // What is wanted after the last step must outlive it.
        let wanted = gradients.iter().map(|&(_, storage)| storage);
        let wanted = wanted.chain(self.follows.iter().map(|&(_, storage, _)| storage)).collect();
        self.push(Box::new(Missing), wanted, Vec::new(), NodeId::default());
        let layout = Layout::assign(&mut self.steps, self.lengths, outside);
        self.steps.pop();
        let targets = request
            .targets
            .iter()
            .map(|&target| request.graph.value(target).shape.at(request.batch))
            .collect();
        TrainPlan { steps: self.steps, turn, layout, targets, gradients, follows: self.follows }
    }
}

/// Stands for a step that is no kernel's.
struct Missing;

impl Kernel for Missing {
    fn run(&self, _: &[&[f32]], _: &mut [&mut [f32]], _: &mut Buffer) {}
}

/// The sum of two gradients.
struct Accumulate;

impl Kernel for Accumulate {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].copy_from_slice(inputs[0]);
        self.update(outputs[0], &inputs[1..]);
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn update(&self, first: &mut [f32], others: &[&[f32]]) {
        const CHUNK: usize = 1 << 14;
        use rayon::prelude::*;
        first.par_chunks_mut(CHUNK).zip(others[0].par_chunks(CHUNK)).for_each(|(sum, more)| {
            sum.iter_mut().zip(more).for_each(|(sum, x)| *sum += x);
        });
    }
}

/// The gradient of what nothing depends on.
struct Zeros;

impl Kernel for Zeros {
    fn run(&self, _: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].fill(0.0);
    }
}
