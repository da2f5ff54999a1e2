//! Three clean-ups after reading: nodes that no output needs are dropped, chains of element
//! moves that amount to a permutation of one axis (channel shuffle) become a single node, whose
//! channels can be cut one by one, and vectors that are only stored together are parted. And one before training: constants that statistics share are parted.

use std::collections::{HashMap, HashSet};

use brickwork_tensor::Tensor;

use crate::graph::{Graph, Node, NodeId, Value, ValueId};
use crate::names::Names;
use crate::ops;
use crate::shape::Operands;

/// Elements that are followed through moves; moves of more are left as they are.
const ROOM: usize = 1 << 26;

pub(crate) fn simplify(graph: Graph) -> Graph {
    unshared(drop_unused(merge_moves(drop_unused(graph))))
}

/// Gives layers that share a vector, such as a bias, but not their weights, vectors of their own: those are
/// only stored together. Weights that are read twice are tied.
fn unshared(mut graph: Graph) -> Graph {
    let producers = graph.producers();
    let layer = |id| layer_constants(&graph, &producers, id);
    let layers: Vec<Vec<ValueId>> = graph.node_ids().map(layer).collect();
    let mut names: Names = graph.values.iter().map(|value| value.name.clone()).collect();
    let mut own: HashMap<(ValueId, &[ValueId]), ValueId> = HashMap::new();
    let mut taken = HashSet::new();
    let Graph { nodes, values, .. } = &mut graph;
    for (node, layer) in nodes.iter_mut().zip(&layers) {
        for input in node.inputs.iter_mut().flatten() {
            let value = values[input.index()].clone();
            if value.constant.as_ref().is_none_or(|data| data.data().len() == 1 || is_matrix(data))
            {
                continue;
            }
            *input = *own.entry((*input, layer)).or_insert_with(|| {
                if taken.insert(*input) {
                    return *input;
                }
                values.push(Value { name: names.unique(&value.name), ..value });
                ValueId((values.len() - 1) as u32)
            });
        }
    }
    graph
}

/// Whether a constant has more than one axis along which it is longer than 1.
fn is_matrix(data: &Tensor) -> bool {
    data.shape().iter().filter(|&&extent| extent > 1).count() > 1
}

/// The constants that tell which layer a node is part of: its weights, or its own, and of a node with a single one that
/// is no layer, such as a bias, also those of the nearest node before that has some.
fn layer_constants(graph: &Graph, producers: &[Option<NodeId>], id: NodeId) -> Vec<ValueId> {
    let constants = |id: NodeId| -> Vec<ValueId> {
        let inputs = graph.node(id).inputs.iter().flatten().copied();
        let large = |value: &ValueId| {
            graph.value(*value).constant.as_ref().is_some_and(|data| data.data().len() > 1)
        };
        inputs.filter(large).collect()
    };
    let own = constants(id);
    let weights =
        |value: &&ValueId| graph.value(**value).constant.as_ref().is_some_and(|d| is_matrix(d));
    let matrices: Vec<ValueId> = own.iter().filter(weights).copied().collect();
    if !matrices.is_empty() {
        return matrices;
    }
    let node = graph.node(id);
    if own.len() != 1 || node.op.weighted(&graph.operands(node)).is_some() {
        return own;
    }
    let mut at = id;
    loop {
        let computed = |value: &&ValueId| graph.value(**value).constant.is_none();
        let before = graph.node(at).inputs.iter().flatten().find(computed);
        let Some(before) = before.and_then(|value| producers[value.index()]) else { return own };
        let found = constants(before);
        if !found.is_empty() {
            return [own, found].concat();
        }
        at = before;
    }
}

/// Drops nodes and values that no output depends on. Inputs stay.
pub(crate) fn drop_unused(graph: Graph) -> Graph {
    let mut used = vec![false; graph.values.len()];
    graph.outputs.iter().chain(&graph.inputs).for_each(|id| used[id.index()] = true);
    let mut keep = vec![false; graph.nodes.len()];
    for id in graph.node_ids().rev() {
        let node = graph.node(id);
        if node.outputs.iter().any(|output| used[output.index()]) {
            keep[id.index()] = true;
            node.inputs.iter().flatten().chain(&node.outputs).for_each(|v| used[v.index()] = true);
        }
    }
    renumber(graph, &used, &keep)
}

/// The graph with a constant for every running statistic that nothing else reads: exporters store
/// equal constants once, but training moves them apart. The ids of `graph` stay.
pub fn own_statistics(graph: &Graph) -> Graph {
    parted(graph, |node, slot| node.op.is_statistic(slot))
}

/// The graph with constants of its own for every node: what is only stored together is not tied. The ids of
/// `graph` stay.
pub fn own_constants(graph: &Graph) -> Graph {
    parted(graph, |_, _| true)
}

/// Gives a node its own copy of a constant that others read, too, wherever `wanted(node, slot)`.
fn parted(graph: &Graph, wanted: impl Fn(&Node, usize) -> bool) -> Graph {
    let mut new = graph.clone();
    // The last reader keeps the constant as it is, so that none is left that nothing reads.
    let mut left: Vec<usize> = graph.readers().iter().map(Vec::len).collect();
    let mut taken: Names = new.values.iter().map(|value| value.name.clone()).collect();
    for node in &mut new.nodes {
        for slot in 0..node.inputs.len() {
            let Some(read) = node.inputs[slot].filter(|_| wanted(node, slot)) else { continue };
            let constant = graph.value(read).constant.is_some();
            if constant && left[read.index()] > 1 {
                left[read.index()] -= 1;
                let value = new.values[read.index()].clone();
                node.inputs[slot] = Some(ValueId(new.values.len() as u32));
                new.values.push(Value { name: taken.unique(&value.name), ..value });
            }
        }
    }
    new
}

fn renumber(graph: Graph, used: &[bool], keep: &[bool]) -> Graph {
    let mut ids = vec![ValueId(u32::MAX); used.len()];
    for (next, (index, _)) in used.iter().enumerate().filter(|(_, used)| **used).enumerate() {
        ids[index] = ValueId(next as u32);
    }
    let new = |id: ValueId| ids[id.index()];
    let nodes =
        graph.nodes.into_iter().zip(keep).filter(|(_, keep)| **keep).map(|(node, _)| Node {
            inputs: node.inputs.iter().map(|input| input.map(new)).collect(),
            outputs: node.outputs.iter().copied().map(new).collect(),
            ..node
        });
    Graph {
        name: graph.name,
        nodes: nodes.collect(),
        inputs: graph.inputs.into_iter().map(new).collect(),
        outputs: graph.outputs.into_iter().map(new).collect(),
        metadata: graph.metadata,
        values: graph.values.into_iter().zip(used).filter(|(_, u)| **u).map(|(v, _)| v).collect(),
    }
}

/// Replaces the last node of every chain of at least two moves by one gather, if the whole chain
/// permutes the indices of one axis.
fn merge_moves(mut graph: Graph) -> Graph {
    let readers = graph.readers();
    let producers = graph.producers();
    let mut fetched = vec![false; graph.values.len()];
    graph.outputs.iter().for_each(|id| fetched[id.index()] = true);
    let mut moves = all_moves(&graph);
    for id in graph.node_ids() {
        let Some(end) = moves[id.index()].take() else { continue };
        let output = graph.node(id).outputs[0];
        let goes_on = match readers[output.index()][..] {
            [(reader, 0)] => moves[reader.index()].is_some(),
            _ => false,
        };
        if goes_on {
            moves[id.index()] = Some(end);
            continue;
        }
        let (mut start, mut sources, mut length) = (id, end, 1);
        while let Some(before) = graph.node(start).input(0).and_then(|v| producers[v.index()]) {
            let made = graph.node(before).outputs[0];
            if readers[made.index()].len() != 1 || fetched[made.index()] {
                break;
            }
            let Some(earlier) = moves[before.index()].take() else { break };
            sources = sources.iter().map(|&k| earlier[k]).collect();
            start = before;
            length += 1;
        }
        let Some(input) = graph.node(start).input(0) else { continue };
        if length < 2 || graph.value(input).shape != graph.value(output).shape {
            continue;
        }
        if let Some((axis, indices)) =
            axis_permutation(&graph.value(input).shape.sample(), &sources)
        {
            let node = &mut graph.nodes[id.index()];
            node.op = ops::taking(axis, indices);
            node.inputs = vec![Some(input)];
        }
    }
    graph
}

/// For every node that only moves elements, where they come from.
fn all_moves(graph: &Graph) -> Vec<Option<Vec<usize>>> {
    let mut room = ROOM;
    let moves = |node: &Node| {
        let input = node.input(0).filter(|&v| graph.value(v).constant.is_none())?;
        let shape = &graph.value(input).shape;
        let output = &graph.value(node.outputs[0]).shape;
        let rest = room.checked_sub(shape.sample_volume() + output.sample_volume())?;
        let moves = node.op.moves(&Operands::of([Some((shape, None))]))?;
        room = rest;
        Some(moves)
    };
    graph.nodes.iter().map(moves).collect()
}

/// The axis whose indices `sources` permutes, leaving every other axis alone.
fn axis_permutation(extents: &[usize], sources: &[usize]) -> Option<(usize, Vec<usize>)> {
    for axis in 1..extents.len() {
        let inner: usize = extents[axis + 1..].iter().product();
        let extent = extents[axis];
        let indices: Vec<usize> =
            (0..extent).map(|k| sources[k * inner] / inner % extent).collect();
        let fits = sources.iter().enumerate().all(|(at, &from)| {
            let (outer, index, rest) = (at / inner / extent, at / inner % extent, at % inner);
            from == (outer * extent + indices[index]) * inner + rest
        });
        if fits && indices.iter().enumerate().any(|(k, &index)| k != index) {
            return Some((axis, indices));
        }
    }
    None
}
