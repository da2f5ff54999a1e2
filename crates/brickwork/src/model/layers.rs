//! The weighted layers of a graph, in running order.

use std::borrow::Cow;

use brickwork_exec::Fetched;
use brickwork_graph::{Graph, NodeId, Operands, ValueId, Weighted};
use brickwork_tensor::kernels::contribution::{TapWeights, position_sums, window_sums};
use brickwork_tensor::kernels::depthwise::Extents;
use brickwork_tensor::{Level, Order, Tensor};

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

    /// Height and width of what a convolution makes; 1 and 1 for any other layer.
    pub(crate) fn grid(&self, graph: &Graph) -> [usize; 2] {
        let extents = graph.value(self.output).shape.sample();
        if self.weighted.window.is_some() { [extents[2], extents[3]] } else { [1, 1] }
    }

    /// Sums over the layer's output `grid` of what it reads at every tap: `[n, taps, inputs]`.
    pub(crate) fn channel_sums(&self, grid: [usize; 2], value: &Fetched<'_>) -> Vec<f32> {
        let (images, inputs) = (value.extents[0], self.weighted.inputs);
        let mut sums = vec![0.0; images * self.weighted.taps() * inputs];
        match &self.weighted.window {
            Some(window) => {
                let input = [value.extents[2], value.extents[3]];
                let extents = Extents { images, input, output: grid };
                let data = in_order(value, &Order::channels_last(4));
                window_sums(window, &data, extents, inputs, &mut sums, Level::best());
            }
            None => {
                let data = in_order(value, &Order::row_major(value.extents.len()));
                let positions = data.len() / sums.len().max(1);
                position_sums(&data, positions, inputs, &mut sums);
            }
        }
        sums
    }
}

/// The value's elements in `order`, copied only if they lie otherwise.
fn in_order<'a>(value: &Fetched<'a>, order: &Order) -> Cow<'a, [f32]> {
    if value.order.same_places(order, value.extents) {
        return value.data.into();
    }
    value.to_tensor().transpose(order.axes()).into_data().into()
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
