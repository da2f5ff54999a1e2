//! Edits as values: the only way to change a graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brickwork_tensor::Tensor;

use crate::check::{check, derive_shapes};
use crate::error::{Problem, Problems};
use crate::graph::{Graph, Node, NodeId, Stored, Value, ValueId};
use crate::names::Names;
use crate::op::Op;
use crate::shape::Shape;
use crate::simplify::drop_unused;

/// Changes to a graph. They can be looked at, and applied to give a new, checked graph.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// What the changes are for, in words.
    pub label: String,
    constants: BTreeMap<ValueId, Arc<Tensor>>,
    ops: BTreeMap<NodeId, Arc<dyn Op>>,
    operands: BTreeMap<(NodeId, usize), (String, Arc<Tensor>)>,
    behind: BTreeMap<ValueId, Arc<dyn Op>>,
    before: BTreeMap<(NodeId, usize), Before>,
    /// What metadata entries become; nothing where they go.
    metadata: BTreeMap<String, Option<String>>,
}

/// The operator of a node that stands before an operand, and the constant that it reads beside it.
#[derive(Clone, Debug)]
struct Before {
    op: Arc<dyn Op>,
    by: Option<Arc<Tensor>>,
}

impl Patch {
    /// No changes yet.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Replaces the data of a constant; its shape may change.
    pub fn constant(&mut self, value: ValueId, data: Arc<Tensor>) {
        self.constants.insert(value, data);
    }

    /// The data this patch gives a constant, if it changes it.
    pub fn new_constant(&self, value: ValueId) -> Option<&Arc<Tensor>> {
        self.constants.get(&value)
    }

    /// Replaces the operator of a node.
    pub fn op(&mut self, node: NodeId, op: Arc<dyn Op>) {
        self.ops.insert(node, op);
    }

    /// Gives a node a constant of its own in `slot`.
    pub fn operand(
        &mut self,
        node: NodeId,
        slot: usize,
        name: impl Into<String>,
        data: Arc<Tensor>,
    ) {
        self.operands.insert((node, slot), (name.into(), data));
    }

    /// Puts a node of one operand and one result behind an input: whatever reads the input reads the
    /// node's result instead.
    pub fn behind(&mut self, input: ValueId, op: Arc<dyn Op>) {
        self.behind.insert(input, op);
    }

    /// Puts a node of two operands before `slot` of a node, with what stands there and a constant that broadcasts to it.
    pub fn scaled(&mut self, node: NodeId, slot: usize, op: Arc<dyn Op>, by: Arc<Tensor>) {
        self.before.insert((node, slot), Before { op, by: Some(by) });
    }

    /// Puts a node of one operand before `slot` of a node, with what stands there.
    pub fn before(&mut self, node: NodeId, slot: usize, op: Arc<dyn Op>) {
        self.before.insert((node, slot), Before { op, by: None });
    }

    /// Sets a metadata entry.
    pub fn metadata(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.metadata.insert(key.into(), Some(text.into()));
    }

    /// Takes a metadata entry away.
    pub fn no_metadata(&mut self, key: impl Into<String>) {
        self.metadata.insert(key.into(), None);
    }

    /// The graph after the changes. Shapes of computed values are worked out anew.
    ///
    /// # Errors
    /// Every way in which the result would break the invariants in [`check`].
    pub fn apply(&self, graph: &Graph) -> Result<Graph, Problems> {
        let mut new = graph.clone();
        for (&value, data) in &self.constants {
            let value = &mut new.values[value.index()];
            value.shape = Shape::fixed(data.shape());
            value.constant = Some(data.clone());
        }
        for (&node, op) in &self.ops {
            new.nodes[node.index()].op = op.clone();
        }
        for &(node, slot) in self.operands.keys() {
            let inputs = &mut new.nodes[node.index()].inputs;
            inputs.resize(inputs.len().max(slot + 1), None);
            inputs[slot] = None;
        }
        let mut taken = names_in_use(&new);
        for ((node, slot), (name, data)) in &self.operands {
            let id = ValueId(new.values.len() as u32);
            new.values.push(Value {
                name: taken.unique(name),
                shape: Shape::fixed(data.shape()),
                constant: Some(data.clone()),
                stored: Stored::default(),
            });
            new.nodes[node.index()].inputs[*slot] = Some(id);
        }
        // From the last, so that nodes keep their places until theirs is looked up.
        for (&(node, slot), before) in self.before.iter().rev() {
            stand_before(&mut new, node, slot, before, &mut taken);
        }
        for (&input, op) in &self.behind {
            _ = stand_behind(&mut new, input, op, &mut taken);
        }
        for (key, text) in &self.metadata {
            match text {
                Some(text) => new.metadata.insert(key.clone(), text.clone()),
                None => new.metadata.remove(key),
            };
        }
        self.reshape(&mut new)?;
        let new = drop_unused(new);
        check(&new)?;
        Ok(new)
    }

    fn reshape(&self, graph: &mut Graph) -> Result<(), Problems> {
        for id in graph.node_ids() {
            let shapes = derive_shapes(graph, graph.node(id)).map_err(|mut problem| {
                problem.text = format!("after {}: {}", self.label, problem.text);
                Problems(vec![Problem { ..problem }])
            })?;
            for (output, shape) in graph.nodes[id.index()].outputs.clone().into_iter().zip(shapes) {
                graph.values[output.index()].shape = shape;
            }
        }
        Ok(())
    }
}

/// The names of all values but constants that nothing reads.
fn names_in_use(graph: &Graph) -> Names {
    let read: BTreeSet<ValueId> =
        graph.nodes.iter().flat_map(|node| node.inputs.iter().flatten()).copied().collect();
    let values = graph.values.iter().enumerate();
    let used = values.filter(|(place, value)| {
        value.constant.is_none() || read.contains(&ValueId(*place as u32))
    });
    used.map(|(_, value)| value.name.clone()).collect()
}

/// Adds a node before a slot of another, which reads what stands there, and a constant if there is one.
fn stand_before(
    graph: &mut Graph,
    node: NodeId,
    slot: usize,
    Before { op, by }: &Before,
    taken: &mut Names,
) {
    let Some(operand) = graph.node(node).input(slot) else { return };
    let Value { name, shape, .. } = graph.value(operand).clone();
    let mut add = |name: String, shape: Shape, constant: Option<Arc<Tensor>>| {
        graph.values.push(Value { name, shape, constant, stored: Stored::default() });
        ValueId((graph.values.len() - 1) as u32)
    };
    let beside = by
        .clone()
        .map(|by| add(taken.unique(&format!("{name}.factor")), Shape::fixed(by.shape()), Some(by)));
    let name = taken.unique(&format!("{name}.{}", op.kind().to_lowercase()));
    let result = add(name.clone(), shape, None);
    let mut nodes: Names = graph.nodes.iter().map(|node| node.name.clone()).collect();
    let added = Node {
        name: nodes.unique(&name),
        op: op.clone(),
        inputs: [Some(operand)].into_iter().chain(beside.map(Some)).collect(),
        outputs: vec![result],
    };
    graph.nodes[node.index()].inputs[slot] = Some(result);
    graph.nodes.insert(node.index(), added);
}

/// Adds a node behind an input, before all others, and gives its result, of which the shape is still to be
/// worked out.
pub(crate) fn stand_behind(
    graph: &mut Graph,
    input: ValueId,
    op: &Arc<dyn Op>,
    taken: &mut Names,
) -> ValueId {
    let Value { name, shape, .. } = graph.value(input);
    let name = taken.unique(&format!("{name}.{}", op.kind().to_lowercase()));
    let result = ValueId(graph.values.len() as u32);
    let shape = shape.clone();
    for read in graph.nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().flatten()) {
        if *read == input {
            *read = result;
        }
    }
    let mut nodes: Names = graph.nodes.iter().map(|node| node.name.clone()).collect();
    let node = Node {
        name: nodes.unique(&name),
        op: op.clone(),
        inputs: vec![Some(input)],
        outputs: vec![result],
    };
    graph.values.push(Value { name, shape, constant: None, stored: Stored::default() });
    graph.nodes.insert(0, node);
    result
}
