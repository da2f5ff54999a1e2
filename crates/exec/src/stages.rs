//! Few samples at a time where values are large: the parts of a graph that make them run over as many samples as stay in
//! the processor's caches, the last part over the whole batch, so that its many weights are read once.

use std::sync::Arc;

use brickwork_graph::{Graph, Kernel, ValueId};
use brickwork_tensor::{Buffer, Order};

use crate::error::ExecError;
use crate::fuse::{Chain, Fuser};
use crate::plan::{Place, Relay, needed_nodes};
use crate::runner::{Fetched, Manner, Runner};

/// Elements that the operands and results of a node may have to stay in cache: 8 MiB.
pub(crate) const CACHED: usize = 1 << 21;
/// How many times smaller values have to become for more samples to be run at a time.
const NARROWER: usize = 4;
/// Samples from which on more of them at a time bring nothing.
const ENOUGH: usize = 64;

/// Parts of a graph, each of which begins with what the one before made.
pub(crate) struct Stages {
    first: Vec<Stage>,
    last: Runner,
}

/// A part of a graph that runs over few samples at a time.
struct Stage {
    runner: Runner,
    most: usize,
    /// Elements of a sample of each feed.
    fed: Vec<usize>,
    /// How each of its results lies, and its elements in a batch.
    results: Vec<(Order, Vec<f32>)>,
}

impl Stages {
    /// Parts a graph wherever the operands and results of some nodes have so many elements that few samples fit `cached`,
    /// and those of all later ones far fewer. Nothing that is fetched may be computed before.
    ///
    /// # Errors
    /// If a node cannot run, or a feed is missing.
    pub(crate) fn new(
        graph: &Arc<Graph>,
        mut feeds: Vec<(ValueId, Order)>,
        fetches: &[ValueId],
        manner: Manner,
        cached: usize,
    ) -> Result<Self, ExecError> {
        let mut first = Vec::new();
        while manner.fuse
            && cached > 0
            && let Some((values, most)) = narrowing(graph, &feeds, fetches, cached)?
        {
            let typical_batch = most.min(manner.typical_batch);
            let part = Manner { typical_batch, ..manner };
            let mut runner = Runner::new(graph.clone(), feeds.clone(), values.clone(), part);
            let orders = runner.orders(most)?;
            if orders.iter().any(|order| !samples_outermost(order)) {
                break;
            }
            let volume = |(value, _): &(ValueId, Order)| graph.value(*value).shape.sample_volume();
            let fed = feeds.iter().map(volume).collect();
            feeds = values.into_iter().zip(orders.iter().cloned()).collect();
            let results = orders.into_iter().map(|order| (order, Vec::new())).collect();
            first.push(Stage { runner, most, fed, results });
        }
        let last = Runner::new(graph.clone(), feeds, fetches.to_vec(), manner);
        Ok(Self { first, last })
    }

    /// Runs over `batch` samples; feeds have the right length.
    pub(crate) fn run(
        &mut self,
        batch: usize,
        feeds: &[&[f32]],
        observe: &mut dyn FnMut(usize, Fetched<'_>),
    ) -> Result<(), ExecError> {
        for k in 0..self.first.len() {
            let (before, rest) = self.first.split_at_mut(k);
            rest[0].run(batch, &made(before, feeds))?;
        }
        self.last.run(batch, &made(&self.first, feeds), observe)
    }

    /// The seconds that each step takes after a run over the same feeds, by `clock`: for some samples, times how
    /// often it runs.
    pub(crate) fn timings(
        &self,
        batch: usize,
        feeds: &[&[f32]],
        clock: &dyn Fn() -> f64,
    ) -> Vec<(String, f64)> {
        let mut times = Vec::new();
        for (k, stage) in self.first.iter().enumerate() {
            let some = stage.at_a_time(batch);
            let feeds = stage.part(&made(&self.first[..k], feeds), 0, some);
            let found = stage.runner.timings(some, &feeds, clock);
            let often = batch as f64 / some as f64;
            times.extend(found.into_iter().map(|(name, seconds)| (name, seconds * often)));
        }
        times.extend(self.last.timings(batch, &made(&self.first, feeds), clock));
        times
    }
}

/// What the stage after `stages` begins with.
fn made<'a>(stages: &'a [Stage], feeds: &[&'a [f32]]) -> Vec<&'a [f32]> {
    match stages.last() {
        Some(stage) => stage.results.iter().map(|(_, data)| data.as_slice()).collect(),
        None => feeds.to_vec(),
    }
}

impl Stage {
    fn run(&mut self, batch: usize, feeds: &[&[f32]]) -> Result<(), ExecError> {
        self.results.iter_mut().for_each(|(_, data)| data.clear());
        let some = self.at_a_time(batch);
        for start in (0..batch).step_by(some) {
            let count = some.min(batch - start);
            let feeds = self.part(feeds, start, count);
            self.runner.run(count, &feeds, &mut |index, value| {
                let (order, data) = &mut self.results[index];
                append(value, order, data);
            })?;
        }
        Ok(())
    }

    /// Samples of a batch to run over at a time: about equally many each time.
    fn at_a_time(&self, batch: usize) -> usize {
        batch.div_ceil(batch.div_ceil(self.most).max(1)).max(1)
    }

    /// The feeds of `count` samples from `start` on.
    fn part<'a>(&self, feeds: &[&'a [f32]], start: usize, count: usize) -> Vec<&'a [f32]> {
        let each = feeds.iter().zip(&self.fed);
        each.map(|(feed, &volume)| &feed[start * volume..][..count * volume]).collect()
    }
}

/// Appends a value's elements in `order`.
fn append(value: Fetched<'_>, order: &Order, data: &mut Vec<f32>) {
    if order.same_places(value.order, value.extents) {
        return data.extend_from_slice(value.data);
    }
    let place = Place { extents: value.extents.to_vec(), order: value.order.clone(), storage: 0 };
    let start = data.len();
    data.resize(start + value.data.len(), 0.0);
    let relay = Relay::new(&place, order);
    relay.run(&[value.data], &mut [&mut data[start..]], &mut Buffer::default());
}

fn samples_outermost(order: &Order) -> bool {
    order.axes().first() == Some(&0)
}

/// The values at which a graph gets narrow, if that pays, and how many samples to run over at a time before.
fn narrowing(
    graph: &Graph,
    feeds: &[(ValueId, Order)],
    fetches: &[ValueId],
    cached: usize,
) -> Result<Option<(Vec<ValueId>, usize)>, ExecError> {
    let fed: Vec<ValueId> = feeds.iter().map(|(value, _)| *value).collect();
    let needed = needed_nodes(graph, &fed, fetches)?;
    let chains = Fuser::new(graph, &needed, &fed, fetches).chains(&needed, true);
    let sizes: Vec<usize> = chains.iter().map(|chain| elements(graph, chain)).collect();
    let largest = sizes.iter().copied().max().unwrap_or(0).max(1);
    let most = (cached / largest).max(1);
    let wide = sizes.iter().rposition(|&size| size > largest / NARROWER);
    let apart = most < ENOUGH && feeds.iter().all(|(_, order)| samples_outermost(order));
    let end = wide.map_or(0, |wide| wide + 1);
    if !apart || end == chains.len() {
        return Ok(None);
    }
    let (front, back) = chains.split_at(end);
    Ok(between(graph, &fed, fetches, front, back).map(|values| (values, most)))
}

/// Elements that a chain reads and writes for a sample.
fn elements(graph: &Graph, chain: &Chain) -> usize {
    reads(graph, chain).chain([chain.output]).map(|v| graph.value(v).shape.sample_volume()).sum()
}

/// The computed values that a chain reads.
fn reads<'a>(graph: &'a Graph, chain: &Chain) -> impl Iterator<Item = ValueId> + use<'a> {
    let inputs = graph.node(chain.host).inputs.iter().flatten().copied();
    inputs.chain(chain.residual).filter(|&value| graph.value(value).constant.is_none())
}

/// What the `back` reads of what the `front` makes, if all of that has its samples one after the other and none of it is
/// fetched.
fn between(
    graph: &Graph,
    fed: &[ValueId],
    fetches: &[ValueId],
    front: &[Chain],
    back: &[Chain],
) -> Option<Vec<ValueId>> {
    let results = |chain: &Chain| {
        graph.node(chain.host).outputs.iter().skip(1).copied().chain([chain.output])
    };
    let made: Vec<ValueId> = fed.iter().copied().chain(front.iter().flat_map(results)).collect();
    let apart = |value: &ValueId| graph.value(*value).shape.batch_axis() == Some(0);
    if !made.iter().all(apart) || fetches.iter().any(|fetch| made.contains(fetch)) {
        return None;
    }
    let mut values: Vec<ValueId> =
        back.iter().flat_map(|chain| reads(graph, chain)).filter(|v| made.contains(v)).collect();
    values.sort_unstable();
    values.dedup();
    Some(values)
}
