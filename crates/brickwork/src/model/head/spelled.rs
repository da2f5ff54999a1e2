//! Ends of networks that are a sigmoid or a softmax written out in simpler operations. However one is spelled, it is known
//! by what it computes.

use std::collections::BTreeSet;
use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_graph::{Attr, Builder, Dim, Graph, Literal, NodeId, ValueId};
use brickwork_tensor::kernels::pointwise::Pointwise;

use super::tail::last_function;
use crate::model::error::Error;
use crate::model::layers::layers;
use crate::model::random::uniform;
use crate::model::rebuild::{begun, copy_node, operation};

/// Nodes of an end, at most.
const LONGEST: usize = 16;
/// Samples of random numbers that an end is tried on.
const TRIED: usize = 8;
/// How far from probabilities its results may be.
const TOLERANCE: f32 = 1e-5;

/// The last nodes of a network that depend on one value alone.
struct End {
    before: ValueId,
    nodes: BTreeSet<NodeId>,
}

/// What an end computes.
enum Meaning {
    Sigmoid,
    /// Along this axis.
    Softmax(usize),
}

/// The network, with a single output, whose end is a single node if it is a sigmoid or a softmax written out. Samples lie
/// along the first axis of the output, or it stays as it is.
///
/// # Errors
/// If its end cannot run.
pub(super) fn gathered(graph: Graph) -> Result<Graph, Error> {
    let output = graph.outputs()[0];
    let by_sample = graph.value(output).shape.0.first() == Some(&Dim::Batch(1));
    if !by_sample
        || graph.logits() != output
        || last_function(&graph, &Pointwise::Sigmoid).is_some()
    {
        return Ok(graph);
    }
    // From the longest, which has what does not change a softmax in it, such as a maximum that is taken off.
    for end in ends(&graph).iter().rev() {
        if let Some(meaning) = Meaning::of(&graph, end)? {
            return with_end(&graph, end, &meaning);
        }
    }
    Ok(graph)
}

/// The ends behind values of the output's shape and in front of the last layers, from the shortest.
fn ends(graph: &Graph) -> Vec<End> {
    let producers = graph.producers();
    let layers: BTreeSet<NodeId> = layers(graph).into_iter().map(|layer| layer.node).collect();
    let (mut found, mut nodes) = (Vec::new(), BTreeSet::new());
    let output = graph.outputs()[0];
    // Values that the end needs so far, by the node that makes each: the last goes first.
    let mut open = BTreeSet::from([(producers[output.index()], output)]);
    while let Some((Some(id), _)) = open.pop_last() {
        if layers.contains(&id) || nodes.len() == LONGEST {
            break;
        }
        nodes.insert(id);
        let read = graph.node(id).inputs.iter().flatten();
        let computed = read.filter(|value| graph.value(**value).constant.is_none());
        open.extend(computed.map(|&value| (producers[value.index()], value)));
        if let [(_, before)] = open.iter().copied().collect::<Vec<_>>()[..]
            && graph.value(before).shape == graph.value(output).shape
        {
            found.push(End { before, nodes: nodes.clone() });
        }
    }
    found
}

impl Meaning {
    /// Of an end; `None` if it is neither a sigmoid nor a softmax.
    fn of(graph: &Graph, end: &End) -> Result<Option<Self>, Error> {
        let extents = graph.value(end.before).shape.sample();
        let numbers = uniform([&[TRIED], &extents[1..]].concat(), -4.0, 4.0, 0);
        let alone = Arc::new(alone(graph, end)?);
        let mut session = Session::new(alone.clone(), alone.outputs()).for_batches_of(TRIED);
        let found = session.outputs(TRIED, numbers.data())?;
        let found = found.first().map(|scores| scores.data()).unwrap_or_default();
        let is = |expected: Vec<f32>| {
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE;
            expected.len() == found.len() && expected.iter().zip(found).all(near)
        };
        let exponentials: Vec<f32> = numbers.data().iter().map(|x| x.exp()).collect();
        if is(exponentials.iter().map(|e| e / (1.0 + e)).collect()) {
            return Ok(Some(Self::Sigmoid));
        }
        let large: Vec<usize> = (1..extents.len()).filter(|&axis| extents[axis] > 1).collect();
        let [axis] = large[..] else { return Ok(None) };
        let rows = exponentials.chunks(extents[axis]);
        let shares = rows.flat_map(|row| row.iter().map(|e| e / row.iter().sum::<f32>()));
        Ok(is(shares.collect()).then_some(Self::Softmax(axis)))
    }
}

/// The end by itself: a network whose input is the value before it.
fn alone(graph: &Graph, end: &End) -> Result<Graph, Error> {
    let mut builder = Builder::new("end", 17, None);
    let before = graph.value(end.before);
    builder.input(&before.name, before.shape.clone());
    let nodes = || end.nodes.iter().map(|&id| graph.node(id));
    let read: BTreeSet<ValueId> =
        nodes().flat_map(|node| &node.inputs).flatten().copied().collect();
    for value in read.iter().map(|&id| graph.value(id)) {
        if let Some(data) = &value.constant {
            builder.constant(&value.name, Literal::Floats((**data).clone()));
        }
    }
    nodes().for_each(|node| copy_node(&mut builder, graph, node, |name| name, |name| name));
    builder.output(&graph.value(graph.outputs()[0]).name);
    Ok(builder.finish()?)
}

/// The network with one node in place of an end.
fn with_end(graph: &Graph, end: &End, meaning: &Meaning) -> Result<Graph, Error> {
    let [before, output] = [end.before, graph.outputs()[0]].map(|id| &graph.value(id).name[..]);
    let mut builder = begun(graph, |_| true);
    for id in graph.node_ids().filter(|id| !end.nodes.contains(id)) {
        copy_node(&mut builder, graph, graph.node(id), |name| name, |name| name);
    }
    match meaning {
        Meaning::Sigmoid => operation(&mut builder, "Sigmoid", &[before], output, &[]),
        Meaning::Softmax(axis) => {
            let axis = [("axis", Attr::Int(*axis as i64))];
            operation(&mut builder, "Softmax", &[before], output, &axis);
        }
    }
    builder.output(output);
    Ok(builder.finish()?)
}
