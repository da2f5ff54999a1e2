//! Running a graph over many images a stretch at a time, keeping only what later nodes read.

use std::sync::Arc;

use brickwork_exec::{Fetched, Session};
use brickwork_graph::{Graph, NodeId, ValueId};
use brickwork_tensor::Order;

use crate::images::image_set::ImageSet;
use crate::model::error::Error;

/// A value for all images, batch outermost.
pub(crate) struct StagedValue {
    pub(crate) value: String,
    /// Extents for one image, without the batch.
    pub(crate) extents: Vec<usize>,
    pub(crate) order: Order,
    pub(crate) data: Vec<f32>,
}

impl StagedValue {
    /// What it is for no image yet.
    pub(super) fn empty(value: &str) -> Self {
        let (extents, order, data) = (Vec::new(), Order::row_major(0), Vec::new());
        Self { value: value.to_owned(), extents, order, data }
    }

    /// Adds what it is for more images.
    pub(super) fn append(&mut self, more: &Fetched<'_>) {
        if self.data.is_empty() {
            let batch_outermost = more.order.axes()[0] == 0;
            let plain = || Order::row_major(more.extents.len());
            self.order = if batch_outermost { more.order.clone() } else { plain() };
            self.extents = more.extents[1..].to_vec();
        }
        if self.order == *more.order {
            self.data.extend_from_slice(more.data);
        } else {
            self.data.extend(more.to_tensor().transpose(self.order.axes()).into_data());
        }
    }
}

/// Where a graph stands with the first images of a set: the values that nodes from some place on read.
pub(crate) struct Stages {
    images: ImageSet,
    /// So many of the images have come this far.
    count: usize,
    batch: usize,
    held: Vec<StagedValue>,
}

impl Stages {
    /// Before the first node, with no image yet.
    pub(crate) fn new(graph: &Graph, images: ImageSet, batch: usize) -> Self {
        let input = graph.value(graph.inputs()[0]);
        Self { images, count: 0, batch, held: vec![StagedValue::empty(&input.name)] }
    }

    /// Brings more images to where the others are, until there are `count`, or all.
    pub(crate) fn grow(&mut self, graph: &Arc<Graph>, count: usize) -> Result<(), Error> {
        let more = self.images.range(self.count..count.clamp(self.count, self.images.len()));
        let input = graph.inputs()[0];
        let (mut places, mut values) = (Vec::new(), Vec::new());
        for (place, held) in self.held.iter().enumerate() {
            if let Some(value) = graph.find_value(&held.value).filter(|&value| value != input) {
                places.push(place);
                values.push(value);
            }
        }
        let mut session = Session::new(graph.clone(), &values).for_batches_of(self.batch);
        for images in more.batches(self.batch) {
            let images = images?;
            let held = &mut self.held;
            if let Some(held) = held.iter_mut().find(|held| held.value == graph.value(input).name) {
                let (extents, order) = (images.shape(), &Order::row_major(images.shape().len()));
                held.append(&Fetched { extents, order, data: images.data() });
            }
            if !values.is_empty() {
                let append = |k: usize, value: Fetched<'_>| held[places[k]].append(&value);
                session.run(images.shape()[0], &[images.data()], append)?;
            }
        }
        self.count += more.len();
        Ok(())
    }

    /// Runs on to just before node `until` (by place), and further to what `also` needs. Keeps what
    /// is read from there on and `also`.
    pub(crate) fn advance(
        &mut self,
        graph: &Arc<Graph>,
        until: usize,
        also: &[ValueId],
    ) -> Result<(), Error> {
        let mut wanted = live(graph, until);
        also.iter().for_each(|value| {
            if !wanted.contains(value) {
                wanted.push(*value);
            }
        });
        let known: Vec<(ValueId, usize)> = self
            .held
            .iter()
            .enumerate()
            .filter_map(|(k, held)| graph.find_value(&held.value).map(|id| (id, k)))
            .collect();
        let missing: Vec<ValueId> =
            wanted.iter().copied().filter(|id| !known.iter().any(|(v, _)| v == id)).collect();
        let named = |&id: &ValueId| StagedValue::empty(&graph.value(id).name);
        let mut made: Vec<StagedValue> = missing.iter().map(named).collect();
        if self.count > 0 && !missing.is_empty() {
            self.run(graph, &known, &missing, &mut made)?;
        }
        let needed =
            |held: &StagedValue| wanted.iter().any(|&id| graph.value(id).name == held.value);
        self.held.retain(needed);
        self.held.append(&mut made);
        Ok(())
    }

    fn run(
        &self,
        graph: &Arc<Graph>,
        known: &[(ValueId, usize)],
        missing: &[ValueId],
        made: &mut [StagedValue],
    ) -> Result<(), Error> {
        let feeds: Vec<ValueId> = known.iter().map(|(id, _)| *id).collect();
        let mut session =
            Session::between(graph.clone(), &feeds, missing).for_batches_of(self.batch);
        for (k, (_, held)) in known.iter().enumerate() {
            session = session.feed_order(k, self.held[*held].order.clone());
        }
        let mut start = 0;
        while start < self.count {
            let count = self.batch.min(self.count - start);
            let slices: Vec<&[f32]> = known
                .iter()
                .map(|(_, held)| {
                    let held = &self.held[*held];
                    let each = held.data.len() / self.count;
                    &held.data[start * each..(start + count) * each]
                })
                .collect();
            session.run(count, &slices, |index, value| made[index].append(&value))?;
            start += count;
        }
        Ok(())
    }

    /// A value that is held.
    pub(crate) fn get(&self, graph: &Graph, value: ValueId) -> Option<&StagedValue> {
        self.held.iter().find(|held| held.value == graph.value(value).name)
    }
}

/// Computed values made before node `until` (by place) that it or a later node reads.
fn live(graph: &Graph, until: usize) -> Vec<ValueId> {
    let mut made = vec![false; graph.values().len()];
    graph.inputs().iter().for_each(|id| made[id.index()] = true);
    for node in &graph.nodes()[..until] {
        node.outputs.iter().for_each(|id| made[id.index()] = true);
    }
    let mut live = Vec::new();
    for node in &graph.nodes()[until..] {
        for &input in node.inputs.iter().flatten() {
            if made[input.index()] && !live.contains(&input) {
                live.push(input);
            }
        }
    }
    live
}

/// Elements that the largest set of values alive between two nodes takes, for one image: among the nodes from
/// every place on.
pub(crate) fn largest_stages(graph: &Graph) -> Vec<usize> {
    let volume = |id: &ValueId| graph.value(*id).shape.sample_volume();
    let of = |place: usize| live(graph, place).iter().map(volume).sum::<usize>();
    let mut largest: Vec<usize> = (0..=graph.nodes().len()).map(of).collect();
    for place in (1..largest.len()).rev() {
        largest[place - 1] = largest[place - 1].max(largest[place]);
    }
    largest
}

/// The place of a node in running order.
pub(crate) fn place_of(node: NodeId) -> usize {
    node.index()
}
