//! The graph itself: values, nodes, and ids that name them in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use brickwork_tensor::Tensor;

use crate::op::{ConstantRole, Cost, Op};
use crate::shape::{Operands, Shape};

/// Names a value of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) u32);

/// Names a node of one graph; the first by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl ValueId {
    /// Position in [`Graph::values`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl NodeId {
    /// Position in [`Graph::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How files hold the elements of a value. They are computed as 32-bit floats whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stored {
    /// 32 bits.
    #[default]
    Float32,
    /// 16 bits, 5 of them for the exponent (IEEE 754 binary16).
    Float16,
    /// The upper 16 bits of a 32-bit float.
    Bfloat16,
}

/// An `f32` array that flows through the graph, or a constant of it.
#[derive(Clone, Debug)]
pub struct Value {
    /// Unique in the graph.
    pub name: String,
    /// Extents; open in the batch.
    pub shape: Shape,
    /// The data of a constant.
    pub constant: Option<Arc<Tensor>>,
    /// How a file holds the elements of an input, an output or a constant.
    pub stored: Stored,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// Unique in the graph.
    pub name: String,
    /// What it computes.
    pub op: Arc<dyn Op>,
    /// Operands by slot; optional ones may be missing.
    pub inputs: Vec<Option<ValueId>>,
    /// Results.
    pub outputs: Vec<ValueId>,
}

impl Node {
    /// The operand in `slot`, if present.
    pub fn input(&self, slot: usize) -> Option<ValueId> {
        self.inputs.get(slot).copied().flatten()
    }
}

/// A network over `f32` values. Nodes stand in an order in which they can run.
///
/// Graphs are made by a [`Builder`](crate::Builder) or a [`Patch`](crate::Patch), and both end
/// in [`check`](crate::check); a graph in hand therefore satisfies every invariant listed there.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) name: String,
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Graph {
    /// Name of the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All values, by id.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// All nodes, in running order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What the caller feeds.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// What the caller gets.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// Free text that travels with the graph (ONNX `metadata_props`).
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The value behind an id.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// The node behind an id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Node ids in running order.
    pub fn node_ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Value ids.
    pub fn value_ids(&self) -> impl DoubleEndedIterator<Item = ValueId> + use<> {
        (0..self.values.len() as u32).map(ValueId)
    }

    /// The value called `name`.
    pub fn find_value(&self, name: &str) -> Option<ValueId> {
        self.value_ids().find(|&id| self.value(id).name == name)
    }

    /// The node called `name`, or the one whose first output is called so.
    pub fn find_node(&self, name: &str) -> Option<NodeId> {
        self.node_ids().find(|&id| self.node(id).name == name).or_else(|| {
            self.node_ids().find(|&id| self.value(self.node(id).outputs[0]).name == name)
        })
    }

    /// The constant in `slot` of `node`, if there is one.
    pub fn constant(&self, node: NodeId, slot: usize) -> Option<&Arc<Tensor>> {
        self.value(self.node(node).input(slot)?).constant.as_ref()
    }

    /// What the operator of `node` sees of its operands.
    pub fn operands(&self, node: &Node) -> Operands<'_> {
        Operands::of(node.inputs.iter().map(|input| {
            let value = self.value((*input)?);
            Some((&value.shape, value.constant.as_ref()))
        }))
    }

    /// For every value, the node that makes it.
    pub fn producers(&self) -> Vec<Option<NodeId>> {
        let mut producers = vec![None; self.values.len()];
        for id in self.node_ids() {
            for output in &self.node(id).outputs {
                producers[output.index()] = Some(id);
            }
        }
        producers
    }

    /// For every value, the (node, slot) pairs that read it, in running order.
    pub fn readers(&self) -> Vec<Vec<(NodeId, usize)>> {
        let mut readers = vec![Vec::new(); self.values.len()];
        for id in self.node_ids() {
            for (slot, input) in self.node(id).inputs.iter().enumerate() {
                if let Some(value) = input {
                    readers[value.index()].push((id, slot));
                }
            }
        }
        readers
    }

    /// Values by name.
    pub fn names(&self) -> HashMap<&str, ValueId> {
        self.value_ids().map(|id| (self.value(id).name.as_str(), id)).collect()
    }

    /// The value that holds the class scores: the first output, before a final softmax.
    pub fn logits(&self) -> ValueId {
        self.score_path().0
    }

    /// The nodes between the logits and the output.
    pub fn score_nodes(&self) -> Vec<NodeId> {
        self.score_path().1
    }

    fn score_path(&self) -> (ValueId, Vec<NodeId>) {
        let producers = self.producers();
        let output = self.outputs[0];
        let (mut logits, mut nodes) = (output, Vec::new());
        let (mut value, mut passed) = (output, Vec::new());
        while let Some(id) = producers[value.index()] {
            let node = self.node(id);
            let Some(input) = node.input(0) else { break };
            let operands = Operands::of([Some((&self.value(input).shape, None))]);
            let normalises = node.op.normalises_scores();
            if !normalises && node.op.moves(&operands).is_none() {
                break;
            }
            passed.push(id);
            value = input;
            if normalises {
                logits = value;
                nodes.append(&mut passed);
            }
        }
        (logits, nodes)
    }

    /// Number of learned parameters: elements of the constants that nodes read, without running
    /// statistics, what is given, and scalars. A shared constant counts once.
    pub fn parameters(&self) -> usize {
        let mut counted = vec![false; self.values.len()];
        let mut total = 0;
        for node in &self.nodes {
            for (slot, input) in node.inputs.iter().enumerate() {
                let learned =
                    !matches!(node.op.role(slot), ConstantRole::Statistic | ConstantRole::Given);
                let Some(value) = input.filter(|_| learned) else { continue };
                let Some(constant) = &self.value(value).constant else { continue };
                if constant.rank() > 0 && !std::mem::replace(&mut counted[value.index()], true) {
                    total += constant.data().len();
                }
            }
        }
        total
    }

    /// Multiply-accumulates of one sample in weighted layers.
    pub fn macs(&self) -> u64 {
        self.node_ids().map(|id| self.node_macs(id)).fold(0, u64::saturating_add)
    }

    /// Roughly how many elements all kernels together touch for one sample.
    pub fn steps(&self) -> u64 {
        self.node_ids().map(|id| self.cost(id).steps).fold(0, u64::saturating_add)
    }

    /// Multiply-accumulates of one sample in one node.
    pub fn node_macs(&self, id: NodeId) -> u64 {
        self.cost(id).macs
    }

    fn cost(&self, id: NodeId) -> Cost {
        let node = self.node(id);
        node.op.cost(&self.operands(node), &self.value(node.outputs[0]).shape)
    }
}
