//! The weighted layers of a graph, in running order.

use brickwork_graph::{Graph, NodeId, Operands, ValueId, Weighted};
use brickwork_tensor::Tensor;
use brickwork_tensor::kernels::contribution::TapWeights;

/// One weighted layer.
#[derive(Clone, Debug)]
pub struct LayerInfo {
    /// Its node.
    pub node: NodeId,
    /// Its node's name, which is how files and people refer to it.
    pub name: String,
    /// What it reads.
    pub input: ValueId,
    /// What it makes.
    pub output: ValueId,
    /// Its weight array.
    pub weight: ValueId,
    /// Its shape as a layer.
    pub weighted: Weighted,
}

impl LayerInfo {
    /// The weights as `[outputs, inputs of a group, taps]`.
    pub fn weights(&self, graph: &Graph) -> Tensor {
        match &graph.value(self.weight).constant {
            Some(stored) => self.weighted.weights(stored),
            None => Tensor::filled([0, 0, 0], 0.0),
        }
    }

    /// The weights in the order contributions are computed in.
    pub fn tap_weights(&self, graph: &Graph) -> TapWeights {
        let (outputs, taps) = (self.weighted.outputs, self.weighted.taps());
        let inputs = self.weighted.inputs / self.weighted.groups;
        let data = self.weights(graph).transpose(&[0, 2, 1]).into_data();
        TapWeights { data, outputs, inputs, taps, groups: self.weighted.groups }
    }
}

/// The weighted layers of `graph`.
pub fn layers(graph: &Graph) -> Vec<LayerInfo> {
    graph.node_ids().filter_map(|id| layer(graph, id)).collect()
}

fn layer(graph: &Graph, id: NodeId) -> Option<LayerInfo> {
    let node = graph.node(id);
    let shapes = node.inputs.iter().map(|i| i.map(|v| &graph.value(v).shape)).collect();
    let constants =
        node.inputs.iter().map(|i| i.and_then(|v| graph.value(v).constant.as_ref())).collect();
    let weighted = node.op.weighted(&Operands { shapes, constants })?;
    Some(LayerInfo {
        node: id,
        name: node.name.clone(),
        input: node.input(0)?,
        output: node.outputs[0],
        weight: node.input(1)?,
        weighted,
    })
}
