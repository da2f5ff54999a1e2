//! Channels: which of them depend on each other, worked out by sending labels through the graph.
//!
//! Every cuttable channel gets a *label*, and labels travel through the network like data: an
//! operator that moves elements moves labels the same way, an elementwise operator passes them
//! on, a weighted layer reads the labels of its input and makes new ones for its output. Where
//! two different labels meet (a residual add), a joint label *depends* on both, and the two are
//! *coupled*: they can only be kept or cut together. Whatever an operator cannot express is
//! *frozen*. No rule here names an operator.

use std::collections::{BTreeMap, HashMap, HashSet};

use brickwork_tensor::{Nd, volume};

use crate::forest::Forest;
use crate::graph::{Graph, NodeId, ValueId};

/// Names a channel, across all values that carry it.
pub type Label = u32;

/// The label of everything that is never cut: the network's input, results of opaque operators.
pub const FIXED: Label = 0;

/// A constant whose `axis` has one entry per label.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The constant.
    pub constant: ValueId,
    /// Who reads it.
    pub node: NodeId,
    /// Where.
    pub slot: usize,
    /// The axis that is cut along.
    pub axis: usize,
    /// Axis 0 falls into this many equal blocks, each with labels of its own for `axis`
    /// (grouped convolution; 1 otherwise).
    pub blocks: usize,
    /// `[blocks, extent of axis]`.
    pub labels: Vec<Label>,
    /// Whether the labelled channels are read here and summed over, so that zeroing these
    /// entries equals zeroing the channels.
    pub reads: bool,
}

/// The channels on both sides of a weighted layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The node.
    pub node: NodeId,
    /// Label of every input channel (input feature, for a linear layer).
    pub inputs: Vec<Label>,
    /// Label of every output channel.
    pub outputs: Vec<Label>,
    /// Independent groups.
    pub groups: usize,
}

/// Why labels cannot be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Freeze {
    /// The node that asked for it.
    pub node: NodeId,
    /// In words.
    pub reason: String,
}

/// The channels of a whole graph.
#[derive(Clone, Debug)]
pub struct Channels {
    pub(crate) labels: Vec<Nd<Label>>,
    pub(crate) depends: Vec<Vec<Label>>,
    pub(crate) couplings: Vec<(Label, Label, NodeId)>,
    pub(crate) frozen: BTreeMap<Label, usize>,
    pub(crate) freezes: Vec<Freeze>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) forest: Forest,
}

impl Channels {
    /// Sends labels through `graph`.
    pub fn of(graph: &Graph) -> Self {
        Self::sent(graph, false)
    }

    /// The same with labels for the features of every input, which lie along its last axis: a cut then
    /// leaves features unread.
    pub fn with_features(graph: &Graph) -> Self {
        Self::sent(graph, true)
    }

    fn sent(graph: &Graph, features: bool) -> Self {
        let empty = Nd::new([0], Vec::new());
        let mut channels = Self {
            labels: vec![empty; graph.values().len()],
            depends: vec![Vec::new()],
            couplings: Vec::new(),
            frozen: BTreeMap::new(),
            freezes: Vec::new(),
            bindings: Vec::new(),
            layers: Vec::new(),
            forest: Forest::default(),
        };
        for &input in graph.inputs() {
            let mut shape = graph.value(input).shape.sample();
            let count = shape.pop().filter(|_| features);
            shape.fill(1);
            shape.push(count.unwrap_or(1));
            let labels = count.map_or_else(|| vec![FIXED], |count| channels.added(count));
            channels.labels[input.index()] = Nd::new(shape, labels);
        }
        let tail = graph.score_nodes();
        for node in graph.node_ids() {
            let mut joints = HashMap::new();
            let in_tail = tail.contains(&node);
            let mut flow =
                Flow { graph, node, channels: &mut channels, joints: &mut joints, in_tail };
            graph.node(node).op.channels(&mut flow);
        }
        channels.freeze_spread_values(graph);
        channels.freeze_only_channels(graph);
        channels.freeze_half_bound_constants(graph);
        let pairs = channels.couplings.iter().map(|&(a, b, _)| (a, b));
        channels.forest = Forest::of(channels.depends.len(), pairs);
        channels
    }

    /// `count` new labels.
    fn added(&mut self, count: usize) -> Vec<Label> {
        let first = self.depends.len() as Label;
        self.depends.resize(first as usize + count, Vec::new());
        (first..first + count as Label).collect()
    }

    /// Number of labels, [`FIXED`] included.
    pub fn len(&self) -> usize {
        self.depends.len()
    }

    /// Whether nothing can be cut anywhere.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// The axis of `value` along which its channels lie and the label of each index, if there
    /// is such an axis.
    pub fn axis(&self, value: ValueId) -> Option<(usize, &[Label])> {
        let labels = &self.labels[value.index()];
        let axis = labels.shape().iter().position(|&extent| extent > 1)?;
        (labels.shape()[axis] == labels.data().len()).then_some((axis, labels.data()))
    }

    /// All labels that `value` carries.
    pub fn labels(&self, value: ValueId) -> &[Label] {
        self.labels[value.index()].data()
    }

    /// Weighted layers, in running order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The weighted layer at `node`.
    pub fn layer(&self, node: NodeId) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.node == node)
    }

    /// A label that stands for all labels kept or cut together with `label`.
    pub fn group(&self, label: Label) -> Label {
        self.forest.root(label)
    }

    /// For every label, whether something forbids cutting its group.
    pub fn frozen(&self) -> Vec<bool> {
        let mut groups = vec![false; self.len()];
        groups[self.group(FIXED) as usize] = true;
        self.frozen.keys().for_each(|&label| groups[self.group(label) as usize] = true);
        (0..self.len() as Label).map(|label| groups[self.group(label) as usize]).collect()
    }

    /// Constants that are cut along with channels.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Labels that `label` is made of: if it matters, they matter.
    pub fn depends(&self, label: Label) -> &[Label] {
        &self.depends[label as usize]
    }

    /// Values whose labels spread over several axes cannot be cut by removing whole indices.
    fn freeze_spread_values(&mut self, graph: &Graph) {
        for node in graph.node_ids() {
            for &value in &graph.node(node).outputs {
                let labels = &self.labels[value.index()];
                let spread = labels.shape().iter().filter(|&&extent| extent > 1).count() > 1;
                if spread {
                    let name = &graph.value(value).name;
                    let reason = format!("the channels of `{name}` lie along several axes");
                    let labels = labels.data().to_vec();
                    self.freeze(node, &labels, reason);
                }
            }
        }
    }

    /// A value of a single channel (one part of a split) would be empty without it.
    fn freeze_only_channels(&mut self, graph: &Graph) {
        for node in graph.node_ids() {
            for &value in &graph.node(node).outputs {
                let only = match *self.labels[value.index()].data() {
                    [only] if only != FIXED && !self.frozen.contains_key(&only) => only,
                    _ => continue,
                };
                let reason = format!("it is the only channel of `{}`", graph.value(value).name);
                self.freeze(node, &[only], reason);
            }
        }
    }

    /// A constant can be cut only if every reader agrees.
    fn freeze_half_bound_constants(&mut self, graph: &Graph) {
        let readers = graph.readers();
        let bound: HashSet<(NodeId, usize, usize)> =
            self.bindings.iter().map(|b| (b.node, b.slot, b.axis)).collect();
        // For every axis of a constant that is cut along, a reader that does not agree.
        let mut whole: HashMap<(ValueId, usize), Option<NodeId>> = HashMap::new();
        let mut lost = Vec::new();
        for Binding { constant, axis, labels, .. } in &self.bindings {
            let disagrees =
                |&&(reader, slot): &&(NodeId, usize)| !bound.contains(&(reader, slot, *axis));
            let reader = *whole.entry((*constant, *axis)).or_insert_with(|| {
                readers[constant.index()].iter().find(disagrees).map(|&(reader, _)| reader)
            });
            if let Some(reader) = reader {
                let name = &graph.value(*constant).name;
                let reason = format!("constant `{name}` is also read here, whole");
                lost.push((reader, labels.clone(), reason));
            }
        }
        for (node, labels, reason) in lost {
            self.freeze(node, &labels, reason);
        }
    }

    fn freeze(&mut self, node: NodeId, labels: &[Label], reason: String) {
        let index = self.freezes.len();
        self.freezes.push(Freeze { node, reason });
        for &label in labels.iter().filter(|&&label| label != FIXED) {
            self.frozen.entry(label).or_insert(index);
        }
    }
}

/// What an operator sees and says while labels pass through its node.
///
/// Labels of a value are an array over its extents for one sample, with extent 1 along axes on
/// which they do not change: `[1, c, 1, 1]` for an image value `[n, c, h, w]`.
pub struct Flow<'a> {
    graph: &'a Graph,
    node: NodeId,
    channels: &'a mut Channels,
    joints: &'a mut HashMap<Vec<Label>, Label>,
    in_tail: bool,
}

impl Flow<'_> {
    /// Whether the node comes after the logits (a final softmax).
    pub fn after_logits(&self) -> bool {
        self.in_tail
    }

    /// Number of operand slots.
    pub fn slots(&self) -> usize {
        self.graph.node(self.node).inputs.len()
    }

    /// Number of results.
    pub fn results(&self) -> usize {
        self.graph.node(self.node).outputs.len()
    }

    /// Extents of the operand in `slot` for one sample; empty if it is missing.
    pub fn extents(&self, slot: usize) -> Vec<usize> {
        let value = self.graph.node(self.node).input(slot);
        value.map(|v| self.graph.value(v).shape.sample()).unwrap_or_default()
    }

    /// Extents of a result for one sample.
    pub fn result_extents(&self, result: usize) -> Vec<usize> {
        self.graph.value(self.graph.node(self.node).outputs[result]).shape.sample()
    }

    /// Whether the operand in `slot` is computed at run time.
    pub fn is_computed(&self, slot: usize) -> bool {
        let value = self.graph.node(self.node).input(slot);
        value.is_some_and(|v| self.graph.value(v).constant.is_none())
    }

    /// Labels of the computed operand in `slot`.
    pub fn labels(&self, slot: usize) -> Nd<Label> {
        match self.graph.node(self.node).input(slot) {
            Some(value) if self.is_computed(slot) => self.channels.labels[value.index()].clone(),
            _ => Nd::filled(vec![1; self.extents(slot).len()], FIXED),
        }
    }

    /// Labels of the operand in `slot` along `axis`, one for each index.
    ///
    /// # Errors
    /// The labels, if they change along any other axis.
    pub fn labels_along(&self, slot: usize, axis: usize) -> Result<Vec<Label>, Vec<Label>> {
        let labels = self.labels(slot);
        let extent = self.extents(slot)[axis];
        let along = labels.shape()[axis];
        if labels.data().len() != along {
            return Err(labels.into_data());
        }
        if along == extent { Ok(labels.into_data()) } else { Ok(vec![labels.data()[0]; extent]) }
    }

    /// `count` new labels. A single channel is frozen at once, since no value may end up empty.
    pub fn fresh(&mut self, count: usize) -> Vec<Label> {
        let labels = self.added(count);
        if count == 1 {
            self.freeze(&labels, "it is the only channel of its value");
        }
        labels
    }

    /// `count` new labels that stand beside others in their value.
    pub fn added(&mut self, count: usize) -> Vec<Label> {
        self.channels.added(count)
    }

    /// Says the labels of a result; axes on which they do not change are collapsed.
    pub fn set(&mut self, result: usize, labels: Nd<Label>) {
        let value = self.graph.node(self.node).outputs[result];
        self.channels.labels[value.index()] = collapse(labels);
    }

    /// Every result carries `labels` along `axis`.
    pub fn set_along(&mut self, result: usize, axis: usize, labels: Vec<Label>) {
        let mut shape = vec![1; self.result_extents(result).len()];
        shape[axis] = labels.len();
        self.set(result, Nd::new(shape, labels));
    }

    /// Result 0 carries the labels of operand 0 (same rank).
    pub fn pass(&mut self) {
        let labels = self.labels(0);
        self.set(0, labels);
    }

    /// Result 0 carries the labels of operand 0, which must not change along `axes`.
    pub fn pass_unless_along(&mut self, axes: &[usize], doing: &str) {
        let labels = self.labels(0);
        if axes.iter().any(|&axis| labels.shape()[axis] > 1) {
            return self.freeze_all(doing);
        }
        self.set(0, labels);
    }

    /// These labels are never cut.
    pub fn freeze(&mut self, labels: &[Label], reason: &str) {
        self.channels.freeze(self.node, labels, reason.to_owned());
    }

    /// No channel of any operand is cut, and the results have none of their own.
    pub fn freeze_all(&mut self, reason: &str) {
        for slot in 0..self.slots() {
            if self.is_computed(slot) {
                let labels = self.labels(slot);
                self.freeze(labels.data(), reason);
            }
        }
        for result in 0..self.results() {
            let rank = self.result_extents(result).len();
            self.set(result, Nd::filled(vec![1; rank], FIXED));
        }
    }

    /// If `child` matters to a class, so does `parent`.
    pub fn depend(&mut self, child: Label, parent: Label) {
        let parents = &mut self.channels.depends[child as usize];
        if child != FIXED && child != parent && !parents.contains(&parent) {
            parents.push(parent);
        }
    }

    /// `a` and `b` are kept or cut together.
    pub fn couple(&mut self, a: Label, b: Label) {
        if a != b {
            self.channels.couplings.push((a, b, self.node));
        }
    }

    /// The constant in `slot` has one entry per label along `axis`, for each result channel it
    /// belongs to. Does nothing for a missing operand.
    pub fn follow(&mut self, slot: usize, axis: usize, labels: &[Label]) {
        self.bind(slot, axis, 1, labels, false);
    }

    /// The constant in `slot` multiplies channels `labels` along `axis` and sums over them;
    /// `blocks` as in [`Binding`].
    pub fn contract(&mut self, slot: usize, axis: usize, blocks: usize, labels: &[Label]) {
        self.bind(slot, axis, blocks, labels, true);
    }

    fn bind(&mut self, slot: usize, axis: usize, blocks: usize, labels: &[Label], reads: bool) {
        let Some(constant) = self.graph.node(self.node).input(slot) else { return };
        if self.is_computed(slot) {
            return self.freeze(labels, "these channels meet weights that are computed");
        }
        let twin = self.channels.bindings.iter().find(|b| b.constant == constant && b.axis == axis);
        if let Some(twin) = twin.cloned() {
            if twin.labels.len() == labels.len() && twin.blocks == blocks {
                for (&a, &b) in twin.labels.iter().zip(labels) {
                    self.couple(a, b);
                }
            } else {
                let reason = "a shared constant is read in two different ways";
                self.freeze(labels, reason);
                self.freeze(&twin.labels, reason);
            }
        }
        let (node, labels) = (self.node, labels.to_vec());
        let binding = Binding { constant, node, slot, axis, blocks, labels, reads };
        self.channels.bindings.push(binding);
    }

    /// Says that this node is a weighted layer from `inputs` to `outputs`.
    pub fn layer(&mut self, inputs: Vec<Label>, outputs: Vec<Label>, groups: usize) {
        self.channels.layers.push(Layer { node: self.node, inputs, outputs, groups });
    }

    /// A label that depends on all of `parts`, which are coupled. One part is its own joint.
    fn joint(&mut self, mut parts: Vec<Label>) -> Label {
        parts.sort_unstable();
        parts.dedup();
        match parts[..] {
            // Only gates meet here: nothing that could be cut by itself.
            [] => return FIXED,
            [only] => return only,
            _ => {}
        }
        if let Some(&known) = self.joints.get(&parts) {
            return known;
        }
        let label = self.channels.depends.len() as Label;
        self.channels.depends.push(Vec::new());
        for &part in &parts {
            self.depend(label, part);
            self.couple(label, part);
        }
        self.joints.insert(parts, label);
        label
    }

    /// Result 0 combines all operands element by element, with ONNX broadcasting: channels that
    /// meet are coupled. An operand with one channel where the others have many only depends.
    pub fn join(&mut self) {
        let extents = self.result_extents(0);
        let rank = extents.len();
        let padded = |shape: Vec<usize>| -> Vec<usize> {
            std::iter::repeat_n(1, rank - shape.len()).chain(shape).collect()
        };
        let computed: Vec<(Vec<usize>, Nd<Label>)> = (0..self.slots())
            .filter(|&slot| self.is_computed(slot))
            .map(|slot| {
                let labels = self.labels(slot);
                let shape = padded(labels.shape().to_vec());
                (padded(self.extents(slot)), labels.reshape(shape))
            })
            .collect();
        let varies = |axis: usize| computed.iter().any(|(_, l)| l.shape()[axis] > 1);
        let is_gate = |own: &[usize]| (0..rank).any(|k| own[k] == 1 && extents[k] > 1 && varies(k));
        let (gates, carriers): (Vec<_>, Vec<_>) =
            computed.iter().partition(|(own, _)| is_gate(own));
        let shape: Vec<usize> = (0..rank)
            .map(|k| carriers.iter().map(|(_, l)| l.shape()[k]).max().unwrap_or(1))
            .collect();
        let parts: Vec<Vec<Label>> =
            carriers.iter().map(|(_, l)| l.broadcast(&shape).into_data()).collect();
        let mut labels: Vec<Label> = (0..volume(&shape))
            .map(|k| self.joint(parts.iter().map(|part| part[k]).collect()))
            .collect();
        for (_, gate) in &gates {
            self.freeze(gate.data(), "it is broadcast over all channels of another value");
            // A label of its own, so that the dependence does not reach back to the carriers.
            for label in &mut labels {
                *label = self.gated(*label, gate.data());
            }
        }
        self.follow_constants(rank, &shape, &labels);
        self.set(0, Nd::new(shape, labels));
    }

    /// A label coupled to `label` that also depends on `gates`.
    fn gated(&mut self, label: Label, gates: &[Label]) -> Label {
        let mut key = vec![label, label];
        key.extend(gates);
        if let Some(&known) = self.joints.get(&key) {
            return known;
        }
        let new = self.channels.depends.len() as Label;
        let mut parents = key.clone();
        parents.sort_unstable();
        parents.dedup();
        self.channels.depends.push(parents);
        self.couple(new, label);
        self.joints.insert(key, new);
        new
    }

    /// Constants of an elementwise node are cut with the channels they lie along.
    fn follow_constants(&mut self, rank: usize, shape: &[usize], labels: &[Label]) {
        for slot in 0..self.slots() {
            let own = self.extents(slot);
            if self.is_computed(slot) || own.is_empty() {
                continue;
            }
            let missing = rank - own.len();
            for axis in (0..rank).filter(|&k| shape[k] > 1) {
                if axis < missing || own[axis - missing] == 1 {
                    continue;
                }
                if labels.len() == shape[axis] {
                    self.follow(slot, axis - missing, labels);
                } else {
                    self.freeze(labels, "a constant meets channels that lie along several axes");
                }
            }
        }
    }

    /// Result 0 takes its elements from operand 0: element `k` from `sources[k]` (one sample).
    pub fn rearrange(&mut self, sources: &[usize]) {
        let labels = self.labels(0).broadcast(&self.extents(0));
        let moved = sources.iter().map(|&from| labels.data()[from]).collect();
        self.set(0, Nd::new(self.result_extents(0), moved));
    }
}

/// Reduces axes along which nothing changes to extent 1.
fn collapse(mut labels: Nd<Label>) -> Nd<Label> {
    for axis in 0..labels.rank() {
        if labels.shape()[axis] > 1 {
            let first = labels.slice(axis, 0, 1, 1);
            if first.broadcast(labels.shape()) == labels {
                labels = first;
            }
        }
    }
    labels
}

/// What remains of a node's operands and results after a cut.
pub struct Kept<'a> {
    pub(crate) inputs: Vec<Option<Remains<'a>>>,
    pub(crate) outputs: Vec<Remains<'a>>,
}

/// What remains of one value: its extents for one sample before the cut, and the indices kept
/// of the axis that is cut, if one is.
#[derive(Clone, Debug)]
pub struct Remains<'a> {
    /// Extents for one sample, before.
    pub before: Vec<usize>,
    /// (axis, kept indices).
    pub cut: Option<(usize, &'a [usize])>,
}

impl Remains<'_> {
    /// Extents for one sample, after.
    pub fn after(&self) -> Vec<usize> {
        let mut extents = self.before.clone();
        if let Some((axis, kept)) = self.cut {
            extents[axis] = kept.len();
        }
        extents
    }

    /// The indices of `axis` that remain.
    pub fn indices(&self, axis: usize) -> Vec<usize> {
        match self.cut {
            Some((cut, kept)) if cut == axis => kept.to_vec(),
            _ => (0..self.before[axis]).collect(),
        }
    }
}

impl<'a> Kept<'a> {
    /// What remains of the operand in `slot`.
    ///
    /// # Panics
    /// If the operand is missing.
    pub fn input(&self, slot: usize) -> &Remains<'a> {
        self.inputs[slot].as_ref().expect("the operator has this operand")
    }

    /// What remains of a result.
    pub fn output(&self, result: usize) -> &Remains<'a> {
        &self.outputs[result]
    }

    /// Whether anything is cut at this node.
    pub fn changes(&self) -> bool {
        self.inputs.iter().flatten().chain(&self.outputs).any(|remains| remains.cut.is_some())
    }
}
