//! Running a graph over many images a stretch at a time, keeping only what later nodes read.

use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_graph::{Graph, NodeId, ValueId};
use brickwork_tensor::{Order, Tensor};

use crate::model::error::Error;

/// A value for all images, batch outermost.
pub(crate) struct StagedValue {
    pub(crate) value: String,
    /// Extents for one image, without the batch.
    pub(crate) extents: Vec<usize>,
    pub(crate) order: Order,
    pub(crate) data: Vec<f32>,
}

/// Where a graph stands with a set of images: the values that nodes from some place on read.
pub(crate) struct Stages {
    images: usize,
    batch: usize,
    held: Vec<StagedValue>,
}

impl Stages {
    /// Before the first node, with images `[n, c, h, w]`.
    pub(crate) fn new(graph: &Graph, images: &Tensor, batch: usize) -> Self {
        let input = graph.value(graph.inputs()[0]);
        let held = StagedValue {
            value: input.name.clone(),
            extents: images.shape()[1..].to_vec(),
            order: Order::row_major(4),
            data: images.data().to_vec(),
        };
        Self { images: images.shape()[0], batch, held: vec![held] }
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
        let mut made: Vec<StagedValue> = missing
            .iter()
            .map(|&id| StagedValue {
                value: graph.value(id).name.clone(),
                extents: Vec::new(),
                order: Order::row_major(0),
                data: Vec::new(),
            })
            .collect();
        if !missing.is_empty() {
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
        while start < self.images {
            let count = self.batch.min(self.images - start);
            let slices: Vec<&[f32]> = known
                .iter()
                .map(|(_, held)| {
                    let held = &self.held[*held];
                    let each = held.data.len() / self.images;
                    &held.data[start * each..(start + count) * each]
                })
                .collect();
            session.run(count, &slices, |index, value| {
                let held = &mut made[index];
                held.extents = value.extents[1..].to_vec();
                if value.order.axes()[0] == 0 {
                    held.order = value.order.clone();
                    held.data.extend_from_slice(value.data);
                } else {
                    held.order = Order::row_major(value.extents.len());
                    held.data.extend(value.to_tensor().into_data());
                }
            })?;
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

/// Elements that the largest set of values alive between two nodes takes, for one image.
pub(crate) fn largest_stage(graph: &Graph) -> usize {
    (0..=graph.nodes().len())
        .map(|place| {
            live(graph, place).iter().map(|&id| graph.value(id).shape.sample_volume()).sum()
        })
        .max()
        .unwrap_or(0)
}

/// The place of a node in running order.
pub(crate) fn place_of(node: NodeId) -> usize {
    node.index()
}
