//! The nodes of a linear correction: between the factors and the shifts of an assembled model, a layer
//! that reads the last features and the raw logits of every part adds to the logits.

use brickwork_graph::{Builder, Graph, ValueId};
use brickwork_tensor::Tensor;

use super::factors::raw_logits;
use crate::join::head::{SCALED, SHIFT};
use crate::join::padded::joint_name;
use crate::model::card::Part;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::rebuild::{averaged, begun, copy_node, linear_of_zero, operation, with_linear};

/// What the names of all nodes of a correction begin with.
const PREFIX: &str = "correction.";

/// Whether a node or constant belongs to a correction, and to no part.
fn is_own(name: &str) -> bool {
    name.starts_with(PREFIX) && !name.contains('/')
}

/// What a correction reads: `[n, features]`.
const FEATURES: &str = "correction.features";

/// What it adds to the logits: `[n, logits]`.
pub(crate) const CORRECTION: &str = "correction.linear";
const CORRECTED: &str = "correction.sum";

/// What the last layer of a part reads, or of all parts at once.
struct Head {
    features: ValueId,
    /// The part of every feature.
    owners: Vec<usize>,
}

/// The model with a correction of zero, and the part of every feature that it reads: the last
/// features of the parts, then their raw logits.
pub(super) fn with_zero(model: &Classifier) -> Result<(Classifier, Vec<usize>), Error> {
    let heads = heads(model)?;
    let parts = model.card().parts.iter().enumerate();
    let raw = parts.flat_map(|(k, part)| vec![k; part.logits.len()]);
    let owners = heads.iter().flat_map(|head| head.owners.iter().copied()).chain(raw).collect();
    let graph = rebuilt(model, &heads)?;
    Ok((model.with_graph(graph)?, owners))
}

/// The model without any correction.
pub(super) fn removed(model: &Classifier) -> Result<Classifier, Error> {
    match model.graph().find_value(CORRECTED) {
        None => Ok(model.clone()),
        Some(_) => model.with_graph(rebuilt(model, &[])?),
    }
}

/// What the correction of a model reads, if it has one.
pub(super) fn features(model: &Classifier) -> Option<ValueId> {
    model.graph().find_value(FEATURES)
}

/// Sets weights `[features, logits]` and biases `[logits]` of a model's correction.
pub(super) fn set(
    model: &Classifier,
    weights: Tensor,
    bias: Vec<f32>,
) -> Result<Classifier, Error> {
    let graph = with_linear(model.graph(), PREFIX, weights, bias)?;
    model.with_graph(graph)
}

fn heads(model: &Classifier) -> Result<Vec<Head>, Error> {
    let all = layers(model.graph());
    let last = |prefix: &str| all.iter().rfind(|layer| layer.name.starts_with(prefix));
    let parts = &model.card().parts;
    let own: Option<Vec<&LayerInfo>> =
        parts.iter().map(|part| last(&format!("{}/", part.name))).collect();
    let heads = match (own, last(&joint_name(""))) {
        (Some(own), _) => own
            .into_iter()
            .enumerate()
            .map(|(k, layer)| Head {
                features: layer.input,
                owners: vec![k; layer.weighted.inputs],
            })
            .collect(),
        (None, Some(joint)) => {
            let owners = owners(&joint.weights(model.graph()), parts);
            vec![Head { features: joint.input, owners }]
        }
        (None, None) => Vec::new(),
    };
    let fits = |head: &Head| {
        let extents = model.graph().value(head.features).shape.sample();
        matches!(extents.len(), 2 | 4) && extents[1] == head.owners.len()
    };
    if heads.is_empty() || !heads.iter().all(fits) {
        return Err(Error::options(format!(
            "the last layers of the parts of `{}` are not found; calibrate with `method=affine`",
            model.name
        )));
    }
    Ok(heads)
}

/// For every input of a block-diagonal layer of weights `[outputs, inputs, taps]`, the part whose outputs it moves most.
fn owners(weights: &Tensor, parts: &[Part]) -> Vec<usize> {
    let [inputs, taps] = [weights.shape()[1], weights.shape()[2]];
    let rows: Vec<usize> =
        parts.iter().enumerate().flat_map(|(k, part)| vec![k; part.logits.len()]).collect();
    let size = |part: usize, input: usize| -> f32 {
        let own = rows.iter().enumerate().filter(|(_, owner)| **owner == part);
        let kernel = |row: usize| &weights.data()[(row * inputs + input) * taps..][..taps];
        own.flat_map(|(row, _)| kernel(row)).map(|w| w.abs()).sum()
    };
    let stronger = |input: usize| {
        move |best: usize, part: usize| {
            if size(part, input) > size(best, input) { part } else { best }
        }
    };
    (0..inputs).map(|input| (0..parts.len()).fold(0, stronger(input))).collect()
}

/// The graph of `model` once more: with a correction by `heads` in place of any it has, or without.
fn rebuilt(model: &Classifier, heads: &[Head]) -> Result<Graph, Error> {
    let graph = model.graph();
    let mut builder = begun(graph, |name| !is_own(name));
    let shift = graph.find_value(SHIFT);
    for node in graph.nodes().iter().filter(|node| !is_own(&node.name)) {
        let shifts = node.inputs.contains(&shift);
        if shifts && !heads.is_empty() {
            place_correction(&mut builder, model, heads)?;
        }
        let read = |name| match name {
            SCALED | CORRECTED if shifts && !heads.is_empty() => CORRECTED,
            CORRECTED => SCALED,
            other => other,
        };
        copy_node(&mut builder, graph, node, read, |name| name);
    }
    graph.outputs().iter().for_each(|&id| builder.output(&graph.value(id).name));
    Ok(builder.finish()?)
}

/// Adds the nodes of a correction of zero. Features of several positions are averaged over them.
fn place_correction(
    builder: &mut Builder,
    model: &Classifier,
    heads: &[Head],
) -> Result<(), Error> {
    let graph = model.graph();
    let mut read = Vec::new();
    for (k, head) in heads.iter().enumerate() {
        let value = graph.value(head.features);
        if value.shape.rank() == 2 {
            read.push(value.name.clone());
            continue;
        }
        let [pooled, flat] = ["pooled", "flat"].map(|stem| format!("{PREFIX}{stem}.{k}"));
        averaged(builder, &value.name, [&pooled, &flat]);
        read.push(flat);
    }
    let raw = raw_logits(model)?;
    read.push(graph.value(raw).name.clone());
    let logits = graph.value(raw).shape.sample()[1];
    let count = heads.iter().map(|head| head.owners.len()).sum::<usize>() + logits;
    linear_of_zero(builder, PREFIX, &read, [count, logits]);
    operation(builder, "Add", &[SCALED, CORRECTION], CORRECTED, &[]);
    Ok(())
}
