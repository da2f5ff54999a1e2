//! From the channels that stay to the patch that removes the others, and to the one that only
//! masks them: the two graphs must compute the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickwork_tensor::{Tensor, volume};

use crate::channels::{Binding, Channels, Taken};
use crate::error::{OpError, Problem, Problems};
use crate::graph::{Graph, Node, ValueId};
use crate::keep::Keep;
use crate::op::Op;
use crate::ops;
use crate::patch::Patch;
use crate::remains::{Kept, Remains};

/// The patch that removes every channel not in `keep` from weights and attributes. Features of an
/// input that are not in it are no longer read: the input itself stays as it is.
///
/// # Errors
/// Every node whose operator cannot express what remains.
pub fn cut(graph: &Graph, channels: &Channels, keep: &Keep) -> Result<Patch, Problems> {
    let mut patch = Patch::new("cutting channels");
    for (value, bindings) in by_constant(channels) {
        if let Some(data) = &graph.value(value).constant {
            patch.constant(value, Arc::new(cut_constant(data, &bindings, channels, keep)));
        }
    }
    for &input in graph.inputs() {
        let Some((axis, labels)) = channels.axis(input) else { continue };
        let indices = keep.indices(channels, labels);
        if indices.len() < labels.len() {
            patch.behind(input, ops::taking(axis, indices));
        }
    }
    for Taken { node, slot, axis, held, labels } in &channels.taken {
        let left = keep.indices(channels, held);
        let taken: Vec<usize> =
            (0..left.len()).filter(|&k| keep.has(channels, labels[left[k]])).collect();
        if taken.len() < left.len() {
            patch.before(*node, *slot, ops::taking(*axis, taken));
        }
    }
    let mut problems = Vec::new();
    let mut remains: Vec<Remains> = Vec::new();
    for value in graph.value_ids() {
        let before = graph.value(value).shape.sample();
        let kept = channels.array(value).map(|label| keep.has(channels, label));
        remains.push(Remains::of(before, &kept).unwrap_or_else(|error| {
            problems.push(Problem {
                place: graph.value(value).name.clone(),
                kind: None,
                text: error.0,
            });
            Remains::whole(graph.value(value).shape.sample())
        }));
    }
    for id in graph.node_ids() {
        let node = graph.node(id);
        match resized(node, &remains) {
            Ok(Some(op)) => patch.op(id, op),
            Ok(None) => {}
            Err(error) => problems.push(Problem {
                place: node.name.clone(),
                kind: Some(node.op.kind().to_owned()),
                text: error.0,
            }),
        }
    }
    if problems.is_empty() { Ok(patch) } else { Err(Problems(problems)) }
}

/// The operator of a node after the cut, if it is another; `remains` by value.
fn resized(node: &Node, remains: &[Remains]) -> Result<Option<Arc<dyn Op>>, OpError> {
    let of = |value: ValueId| &remains[value.index()];
    let around = Kept {
        inputs: node.inputs.iter().map(|input| input.map(of)).collect(),
        outputs: node.outputs.iter().copied().map(of).collect(),
    };
    if around.changes() { node.op.resized(&around) } else { Ok(None) }
}

/// The patch that keeps every shape but zeroes the removed channels wherever a layer reads them or a product sums over
/// them.
pub fn mask(graph: &Graph, channels: &Channels, keep: &Keep) -> Patch {
    let mut patch = Patch::new("masking channels");
    for (value, bindings) in by_constant(channels) {
        let Some(data) = &graph.value(value).constant else { continue };
        let mut masked = (**data).clone();
        for binding in bindings.iter().filter(|binding| binding.reads) {
            zero(&mut masked, binding, channels, keep);
        }
        patch.constant(value, Arc::new(masked));
    }
    for product in channels.products() {
        let Some(summed) = &product.summed else { continue };
        let factor = summed.map(|label| f32::from(u8::from(keep.has(channels, label))));
        if factor.data().contains(&0.0) {
            patch.scaled(product.node, 0, ops::scaling(), Arc::new(factor));
        }
    }
    patch
}

fn by_constant(channels: &Channels) -> BTreeMap<ValueId, Vec<&Binding>> {
    let mut map: BTreeMap<ValueId, Vec<&Binding>> = BTreeMap::new();
    for binding in channels.bindings() {
        let known = map.entry(binding.constant).or_default();
        // Readers of a shared constant agree, so one binding per axis is enough.
        if known.iter().all(|other| other.axis != binding.axis) {
            known.push(binding);
        }
    }
    map
}

fn cut_constant(data: &Tensor, bindings: &[&Binding], channels: &Channels, keep: &Keep) -> Tensor {
    // Axes that differ between blocks go first, while axis 0 still has its blocks.
    let mut result = data.clone();
    let (split, plain): (Vec<&Binding>, Vec<&Binding>) =
        bindings.iter().copied().partition(|binding| binding.blocks > 1);
    let rows = plain.iter().find(|binding| binding.axis == 0);
    if let [binding] = split[..] {
        return cut_blocks(data, binding, rows.copied(), channels, keep);
    }
    for binding in plain {
        result = result.take(binding.axis, &keep.indices(channels, &binding.labels));
    }
    result
}

/// Cuts rows and, block of rows by block, the entries of another axis.
fn cut_blocks(
    data: &Tensor,
    binding: &Binding,
    rows: Option<&Binding>,
    channels: &Channels,
    keep: &Keep,
) -> Tensor {
    let each = data.shape()[0] / binding.blocks;
    let extent = binding.labels.len() / binding.blocks;
    let mut parts = Vec::new();
    for block in 0..binding.blocks {
        let all: Vec<usize> = (block * each..(block + 1) * each).collect();
        let kept_rows: Vec<usize> = match rows {
            Some(rows) => {
                all.into_iter().filter(|&row| keep.has(channels, rows.labels[row])).collect()
            }
            None => all,
        };
        let labels = &binding.labels[block * extent..(block + 1) * extent];
        let entries = keep.indices(channels, labels);
        if !kept_rows.is_empty() && !entries.is_empty() {
            parts.push(data.take(0, &kept_rows).take(binding.axis, &entries));
        }
    }
    Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0)
}

fn zero(data: &mut Tensor, binding: &Binding, channels: &Channels, keep: &Keep) {
    let shape = data.shape().to_vec();
    let rows_per_block = shape[0] / binding.blocks;
    let extent = shape[binding.axis];
    let inner = volume(&shape[binding.axis + 1..]);
    let per_row = volume(&shape[1..]);
    for (at, x) in data.data_mut().iter_mut().enumerate() {
        let block = if binding.axis == 0 { 0 } else { at / per_row / rows_per_block };
        let index = at / inner % extent;
        if !keep.has(channels, binding.labels[block * extent + index]) {
            *x = 0.0;
        }
    }
}
