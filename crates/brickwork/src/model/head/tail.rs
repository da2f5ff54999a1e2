//! The end of a network, looked at from its output.

use std::collections::BTreeSet;
use std::sync::Arc;

use brickwork_graph::{Attr, Fusion, Graph, Literal, NodeId, ValueId, WeightLayout};
use brickwork_tensor::kernels::pointwise::Pointwise;
use brickwork_tensor::{Nd, Tensor};

use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::rebuild::{begun, copy_node, ending, operation, place_node};

/// The node that applies `function` to every score, with what it reads. Behind it nothing but moves of
/// elements follows.
pub(super) fn last_function(graph: &Graph, function: &Pointwise) -> Option<(NodeId, ValueId)> {
    let producers = graph.producers();
    let mut value = graph.outputs()[0];
    loop {
        let id = producers[value.index()]?;
        let node = graph.node(id);
        let operands = graph.operands(node);
        let input = node.input(0)?;
        match node.op.fusion(&operands) {
            Fusion::Pointwise(found) if found == *function => return Some((id, input)),
            _ if node.op.moves(&operands).is_some() => value = input,
            _ => return None,
        }
    }
}

/// A layer of one output, and the nodes between it and the network's output: `scale * y + shift`.
struct LastLayer {
    layer: LayerInfo,
    behind: BTreeSet<NodeId>,
    scale: f32,
    shift: f32,
}

/// The layer that makes a network's only score, if nothing but scales, shifts and moves follow it.
fn last_layer(graph: &Graph) -> Option<LastLayer> {
    let (producers, layers) = (graph.producers(), layers(graph));
    let mut value = graph.outputs()[0];
    let mut behind = BTreeSet::new();
    let (mut scale, mut shift) = (1.0, 0.0);
    loop {
        if let Some(layer) = layers.iter().find(|layer| layer.output == value) {
            let single = graph.value(value).shape.sample_volume() == 1;
            let layer = single.then(|| layer.clone())?;
            return Some(LastLayer { layer, behind, scale, shift });
        }
        let id = producers[value.index()]?;
        let node = graph.node(id);
        let operands = graph.operands(node);
        let by = match node.op.fusion(&operands) {
            Fusion::Affine(scales, shifts) if scales.len() == 1 => Some([scales[0], shifts[0]]),
            Fusion::Pointwise(Pointwise::Affine(scale, shift)) => Some([scale, shift]),
            _ => node.op.moves(&operands).map(|_| [1.0, 0.0]),
        };
        let [by, plus] = by?;
        shift += scale * plus;
        scale *= by;
        behind.insert(id);
        value = node.input(0)?;
    }
}

/// The network that gives `[-z/2, z/2]`, called `name`, in place of its only score `z`: its last layer has
/// two outputs, or one more layer makes two of one.
pub(super) fn pair(graph: &Graph, name: &str) -> Result<Graph, Error> {
    match last_layer(graph) {
        Some(last) => widened(graph, &last, name),
        None => doubled(graph, name),
    }
}

/// The network whose last layer has two outputs, `-z/2` and `z/2` of its only one.
fn widened(graph: &Graph, last: &LastLayer, name: &str) -> Result<Graph, Error> {
    let LastLayer { layer, behind, .. } = last;
    let node = graph.node(layer.node);
    let [weights, bias, mut value] =
        ["weights", "bias", "layer"].map(|stem| format!("{name}.{stem}"));
    let mut builder = begun(graph, |_| true);
    builder.constant(&weights, Literal::Floats(last.weights(graph)));
    builder.constant(&bias, Literal::Floats(last.bias(graph)));
    let takes_bias = layer.weighted.bias_slot;
    let flat = graph.value(layer.output).shape.rank() == 2;
    if takes_bias.is_some() && flat {
        name.clone_into(&mut value);
    }
    for id in graph.node_ids().filter(|id| !behind.contains(id)) {
        if id != layer.node {
            copy_node(&mut builder, graph, graph.node(id), |name| name, |name| name);
            continue;
        }
        let named = |id: &Option<ValueId>| id.map(|id| graph.value(id).name.clone());
        let mut inputs: Vec<Option<String>> = node.inputs.iter().map(named).collect();
        inputs[1] = Some(weights.clone());
        if let Some(slot) = takes_bias {
            inputs.resize(inputs.len().max(slot + 1), None);
            inputs[slot] = Some(bias.clone());
        }
        place_node(&mut builder, &node.name, node.op.as_ref(), &inputs, &[value.clone()]);
    }
    if takes_bias.is_none() {
        let biased = if flat { name.to_owned() } else { format!("{name}.biased") };
        operation(&mut builder, "Add", &[&value, &bias], &biased, &[]);
        value = biased;
    }
    if !flat {
        operation(&mut builder, "Flatten", &[&value], name, &[]);
    }
    builder.output(name);
    Ok(builder.finish()?)
}

impl LastLayer {
    /// The weights of both outputs, in the form in which the layer stores those of its only one.
    fn weights(&self, graph: &Graph) -> Tensor {
        let single = self.layer.weights(graph);
        let half = |sign: f32| single.data().iter().map(move |w| sign * 0.5 * self.scale * w);
        let both: Vec<f32> = half(-1.0).chain(half(1.0)).collect();
        let both = Nd::new([2, single.shape()[1], single.shape()[2]], both);
        wide(&self.layer, graph.constant(self.layer.node, 1), &both)
    }

    /// The bias `[2]` of both outputs.
    fn bias(&self, graph: &Graph) -> Tensor {
        let slot = self.layer.weighted.bias_slot;
        let stored = slot.and_then(|slot| graph.constant(self.layer.node, slot));
        let own = stored.map_or(0.0, |bias| bias.data()[0]);
        let half = 0.5 * (self.scale * own + self.shift);
        Tensor::vector(vec![-half, half])
    }
}

/// Weights `[2, inputs, taps]` in the form in which the layer stores its own, of one output.
fn wide(layer: &LayerInfo, stored: Option<&Arc<Tensor>>, both: &Tensor) -> Tensor {
    let stored = stored.map_or(&[][..], |stored| stored.shape());
    match layer.weighted.window {
        Some(_) => {
            let shape: Vec<usize> = [&[2], stored.get(1..).unwrap_or_default()].concat();
            both.clone().reshape(shape)
        }
        None => {
            let rows = both.clone().reshape([2, layer.weighted.inputs]);
            match layer.weighted.layout {
                WeightLayout::OutputsFirst => rows,
                WeightLayout::InputsFirst => rows.transpose(&[1, 0]),
            }
        }
    }
}

fn doubled(graph: &Graph, name: &str) -> Result<Graph, Error> {
    let output = graph.value(graph.outputs()[0]);
    let [single, halves, axes] = ["single", "halves", "axes"].map(|stem| format!("{name}.{stem}"));
    ending(graph, &output.name, |builder, last| {
        builder.constant(&halves, Literal::Floats(Nd::new([1, 2], vec![-0.5, 0.5])));
        if output.shape.rank() == 1 {
            builder.constant(&axes, Literal::Ints(Nd::new([1], vec![1])));
            operation(builder, "Unsqueeze", &[&last, &axes], &single, &[]);
        } else {
            operation(builder, "Flatten", &[&last], &single, &[("axis", Attr::Int(1))]);
        }
        operation(builder, "MatMul", &[&single, &halves], name, &[]);
        name.to_owned()
    })
}
