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

use crate::bundles::Bundles;
use crate::forest::Forest;
use crate::graph::{Graph, NodeId, ValueId};
use crate::labels::{FIXED, Label, collapse, crossed, in_order, lines, varying};

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

/// A product of two computed values, whose work shrinks with their channels.
#[derive(Clone, Debug)]
pub struct Product {
    /// The node.
    pub node: NodeId,
    /// A label for each of equal shares of its multiply-accumulates.
    pub work: Vec<Label>,
    /// The labels of operand 0, with extent 1 along axes on which they do not change, if it sums over them.
    pub summed: Option<Nd<Label>>,
}

/// An operand of an elementwise node that keeps channels where the result may lose them: those that the result keeps
/// are taken from it.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// The node.
    pub node: NodeId,
    /// The operand.
    pub slot: usize,
    /// Its axis.
    pub axis: usize,
    /// Its labels along that axis.
    pub held: Vec<Label>,
    /// Those of the result.
    pub labels: Vec<Label>,
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
    pub(crate) products: Vec<Product>,
    pub(crate) taken: Vec<Taken>,
    pub(crate) bundles: Bundles,
    pub(crate) forest: Forest,
    /// Groups, by their label, that nobody chooses: they follow from others.
    derived: HashSet<Label>,
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
            products: Vec::new(),
            taken: Vec::new(),
            bundles: Bundles::default(),
            forest: Forest::default(),
            derived: HashSet::new(),
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
        channels.keep_spread_values_regular(graph);
        channels.freeze_only_channels(graph);
        channels.freeze_half_bound_constants(graph);
        channels.tie_what_stays();
        let pairs = channels.couplings.iter().map(|&(a, b, _)| (a, b));
        channels.forest = Forest::of(channels.depends.len(), pairs);
        let all = 0..channels.len() as Label;
        let chosen: HashSet<Label> = all
            .clone()
            .filter(|&label| !channels.bundles.is_derived(label))
            .map(|label| channels.group(label))
            .collect();
        channels.derived = all.filter(|label| !chosen.contains(&channels.group(*label))).collect();
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

    /// The labels of `value` over its extents for one sample, with extent 1 along axes on which they do not change.
    pub(crate) fn array(&self, value: ValueId) -> &Nd<Label> {
        &self.labels[value.index()]
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

    /// Products of two computed values whose channels can be told, in running order.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// Whether `label` stays or goes as others do, such as an attention head, which is there as long as any of its
    /// channels is.
    pub fn is_derived(&self, label: Label) -> bool {
        self.derived.contains(&label)
    }

    /// Labels that `label` is made of: if it matters, they matter.
    pub fn depends(&self, label: Label) -> &[Label] {
        &self.depends[label as usize]
    }

    /// Of values whose labels change along several axes, all that is left inside of one index of an outer axis is
    /// as large as inside of another.
    fn keep_spread_values_regular(&mut self, graph: &Graph) {
        let mut known = HashSet::new();
        for &value in graph.nodes().iter().flat_map(|node| &node.outputs) {
            let mut labels = self.labels[value.index()].clone();
            while let [_, .., last] = varying(&labels)[..] {
                if !known.insert((labels.shape().to_vec(), labels.data().to_vec())) {
                    break;
                }
                let (shape, along) = lines(&labels, &[last]);
                self.bundles.keep_even(along.clone());
                let bundles = along.into_iter().map(|line| self.bundle(line)).collect();
                labels = Nd::new(shape, bundles);
            }
        }
    }

    /// A label that is kept exactly if one of `parts` is.
    fn bundle(&mut self, parts: Vec<Label>) -> Label {
        let new = self.depends.len() as Label;
        let label = self.bundles.label(parts, new);
        if label == new {
            self.depends.push(Vec::new());
        }
        label
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

    /// Channels that cannot be cut after all go with those that stay beside them.
    fn tie_what_stays(&mut self) {
        let pairs = self.couplings.iter().map(|&(a, b, _)| (a, b));
        self.forest = Forest::of(self.depends.len(), pairs);
        let frozen = self.frozen();
        let stays = |label: Label| frozen[label as usize];
        for Taken { node, held, labels, .. } in &self.taken {
            let both = held.iter().zip(labels).filter(|&(&a, &b)| a != b && stays(a) && stays(b));
            self.couplings.extend(both.map(|(&a, &b)| (a, b, *node)));
        }
        self.taken.retain(|taken| taken.labels.iter().any(|&label| !stays(label)));
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

    /// Labels of the operand in `slot` along `axis`, one for each index. Those that stand at one index, but change
    /// along other axes, are coupled.
    ///
    /// # Errors
    /// The labels, if they change along other axes alone.
    pub fn labels_along(&mut self, slot: usize, axis: usize) -> Result<Vec<Label>, Vec<Label>> {
        let labels = self.labels(slot);
        let others: Vec<usize> = varying(&labels).into_iter().filter(|&k| k != axis).collect();
        if labels.shape()[axis] == 1 && !others.is_empty() {
            return Err(labels.into_data());
        }
        let labels = self.united(labels, &others).into_data();
        let extent = self.extents(slot)[axis];
        if labels.len() == extent { Ok(labels) } else { Ok(vec![labels[0]; extent]) }
    }

    /// `labels` with extent 1 along `axes`: what stands on a line along them is coupled, and has one label.
    pub fn united(&mut self, labels: Nd<Label>, axes: &[usize]) -> Nd<Label> {
        if axes.iter().all(|&axis| labels.shape()[axis] == 1) {
            return labels;
        }
        let (shape, along) = lines(&labels, axes);
        let joints = along.into_iter().map(|line| self.joint(line)).collect();
        Nd::new(shape, joints)
    }

    /// Labels of the operand in `slot` for an operator that takes or adds indices of `axes`: of an axis inside of
    /// another that holds channels, other indices may be left here than there, so what stands along it is coupled.
    pub fn labels_by_indices(&mut self, slot: usize, axes: &[usize]) -> Nd<Label> {
        let labels = self.labels(slot);
        let first = varying(&labels).first().copied();
        let nested = axes.iter().copied().filter(|&axis| first.is_some_and(|first| first < axis));
        self.united(labels, &nested.collect::<Vec<_>>())
    }

    /// What an operand with labels along `axes` alone meets at each of its places in a value that carries `labels`:
    /// a label that stands for all that lies inside, where what the operand does not tell apart is coupled if it
    /// lies outside.
    fn met(&mut self, labels: Nd<Label>, axes: &[usize]) -> Nd<Label> {
        let last = axes.iter().copied().max().unwrap_or(0);
        let others = varying(&labels).into_iter().filter(|axis| !axes.contains(axis));
        let (outer, inner): (Vec<usize>, Vec<usize>) = others.partition(|&axis| axis < last);
        let (shape, along) = lines(&self.united(labels, &outer), &inner);
        Nd::new(shape, along.into_iter().map(|line| self.channels.bundle(line)).collect())
    }

    /// Labels of a value that carries `labels`, and also depends on another of as many axes, whose labels change
    /// along some of these: where one of the other's channels is kept, something that it belongs to is, and the
    /// other way round.
    pub fn gated_by(&mut self, labels: Nd<Label>, gate: &Nd<Label>) -> Nd<Label> {
        let axes = varying(gate);
        let met = self.met(labels.clone(), &axes);
        let shape = labels.shape().to_vec();
        if !axes.is_empty() {
            let met = met.broadcast(gate.shape());
            met.data().iter().zip(gate.data()).for_each(|(&a, &b)| self.couple(a, b));
        }
        let gates = gate.broadcast(&shape).into_data().into_iter();
        let gated = labels.into_data().into_iter().zip(gates);
        let gated = gated.map(|(label, gate)| self.gated(label, &[gate])).collect();
        Nd::new(shape, gated)
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

    /// Says the labels of a result to which indices of `axis` were added. Of an axis inside of another that holds
    /// channels, other indices may be left here than there, so what stands along it is coupled.
    pub fn set_by_indices(&mut self, result: usize, labels: Nd<Label>, axis: usize) {
        let labels = collapse(labels);
        let nested = varying(&labels).first().is_some_and(|&first| first < axis);
        let labels = self.united(labels, if nested { std::slice::from_ref(&axis) } else { &[] });
        self.set(result, labels);
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

    /// Labels of operand 0, which an operator that treats all indices of `axes` alike keeps whole along them: what
    /// stands there is coupled, or if nothing would be left to tell apart, frozen, and there is nothing to say.
    pub fn labels_whole_along(&mut self, axes: &[usize], doing: &str) -> Option<Nd<Label>> {
        let labels = self.labels(0);
        let varied = varying(&labels);
        let mixes = axes.iter().any(|axis| varied.contains(axis));
        if mixes && varied.iter().all(|axis| axes.contains(axis)) {
            self.freeze_all(doing);
            return None;
        }
        Some(self.united(labels, axes))
    }

    /// Result 0 carries the labels of operand 0, which are kept whole along `axes`.
    pub fn pass_whole_along(&mut self, axes: &[usize], doing: &str) {
        if let Some(labels) = self.labels_whole_along(axes, doing) {
            self.set(0, labels);
        }
    }

    /// Result 0 has the axes of operand 0 in another order: axis `k` is axis `perm[k]`. Channels along axes that
    /// change places among those that hold channels are coupled.
    pub fn turn(&mut self, perm: &[usize]) {
        let labels = self.labels(0);
        let axes = varying(&labels);
        let place = |axis: &usize| perm.iter().position(|from| from == axis).unwrap_or(*axis);
        let moved: Vec<usize> = axes.iter().map(place).collect();
        let extents: Vec<usize> = axes.iter().map(|&axis| labels.shape()[axis]).collect();
        let stay = in_order(&moved, &extents);
        let mixed = (0..axes.len()).filter(|k| !stay.contains(k)).map(|k| axes[k]);
        let labels = self.united(labels, &mixed.collect::<Vec<_>>());
        self.set(0, labels.transpose(perm));
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

    /// Says that this node is a weighted layer from `inputs` to `outputs`. Groups of several channels that keep
    /// anything keep as many inputs, and as many outputs, as others.
    pub fn layer(&mut self, inputs: Vec<Label>, outputs: Vec<Label>, groups: usize) {
        if groups > 1 && inputs.len() > groups {
            let [read, made] = [&inputs, &outputs].map(|labels| {
                labels.chunks(labels.len() / groups).map(<[Label]>::to_vec).collect::<Vec<_>>()
            });
            for (read, made) in read.iter().zip(&made) {
                let (read, made) = (self.bundle(read.clone()), self.bundle(made.clone()));
                self.couple(read, made);
            }
            self.channels.bundles.keep_even(read);
            self.channels.bundles.keep_even(made);
        }
        self.channels.layers.push(Layer { node: self.node, inputs, outputs, groups });
    }

    /// Says that this node multiplies two computed values; fields as in [`Product`].
    pub fn product(&mut self, work: Vec<Label>, summed: Option<Nd<Label>>) {
        self.channels.products.push(Product { node: self.node, work, summed });
    }

    /// A label that is kept exactly if one of `parts` is.
    pub fn bundle(&mut self, parts: Vec<Label>) -> Label {
        self.channels.bundle(parts)
    }

    /// A label that depends on all of `parts`, which are coupled. One part is its own joint.
    pub fn joint(&mut self, mut parts: Vec<Label>) -> Label {
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
        if parts.iter().all(|&part| self.channels.bundles.is_derived(part)) {
            self.channels.bundles.derive(label);
        }
        for &part in &parts {
            self.depend(label, part);
            self.couple(label, part);
        }
        self.stay_frozen(label, &parts);
        self.joints.insert(parts, label);
        label
    }

    /// A label that is coupled to `parts` is frozen as they are.
    fn stay_frozen(&mut self, label: Label, parts: &[Label]) {
        let cause = parts.iter().find_map(|part| self.channels.frozen.get(part)).copied();
        cause.map(|index| self.channels.frozen.insert(label, index));
    }

    /// Whether it is known by now that the channel stays.
    fn stays(&self, label: Label) -> bool {
        label == FIXED || self.channels.frozen.contains_key(&label)
    }

    /// Labels, over extents `shape`, of what operands with the labels of `carriers` give element by element. Channels that
    /// meet are coupled; but where only some may be cut, and along one axis alone, the others stay and are taken from.
    fn met_by_element(&mut self, carriers: &[Carrier], shape: &[usize]) -> Vec<Label> {
        let parts: Vec<Vec<Label>> =
            carriers.iter().map(|c| c.labels.broadcast(shape).into_data()).collect();
        let at = |k: usize| parts.iter().map(move |part| part[k]);
        let along = (0..shape.len()).filter(|&axis| shape[axis] > 1).collect::<Vec<_>>();
        let [axis] = along[..] else {
            return (0..volume(shape)).map(|k| self.joint(at(k).collect())).collect();
        };
        let mut labels = Vec::new();
        for k in 0..shape[axis] {
            let (stay, free): (Vec<Label>, Vec<Label>) =
                at(k).partition(|&label| self.stays(label));
            labels.push(match free.is_empty() {
                true => self.joint(stay),
                false => {
                    let label = self.joint(free);
                    self.gated(label, &stay)
                }
            });
        }
        for (carrier, held) in carriers.iter().zip(&parts) {
            let differs =
                |(&held, &label): (&Label, &Label)| self.stays(held) && !self.stays(label);
            if held.iter().zip(&labels).any(differs) {
                let axis = axis - (shape.len() - carrier.rank);
                let (node, slot, held) = (self.node, carrier.slot, held.clone());
                let labels = labels.clone();
                self.channels.taken.push(Taken { node, slot, axis, held, labels });
            }
        }
        labels
    }

    /// Result 0 combines all operands element by element, with ONNX broadcasting: channels that
    /// meet are coupled, unless one of them cannot be cut. An operand with one channel where the others have many only
    /// depends.
    pub fn join(&mut self) {
        let extents = self.result_extents(0);
        let rank = extents.len();
        let padded = |shape: Vec<usize>| -> Vec<usize> {
            std::iter::repeat_n(1, rank - shape.len()).chain(shape).collect()
        };
        let computed: Vec<Carrier> = (0..self.slots())
            .filter(|&slot| self.is_computed(slot))
            .map(|slot| {
                let (labels, own) = (self.labels(slot), self.extents(slot));
                let shape = padded(labels.shape().to_vec());
                let labels = labels.reshape(shape);
                Carrier { slot, rank: own.len(), extents: padded(own), labels }
            })
            .collect();
        let varies = |axis: usize| computed.iter().any(|c| c.labels.shape()[axis] > 1);
        let is_gate =
            |c: &Carrier| (0..rank).any(|k| c.extents[k] == 1 && extents[k] > 1 && varies(k));
        let (gates, mut carriers): (Vec<Carrier>, Vec<Carrier>) =
            computed.iter().cloned().partition(is_gate);
        self.stay_beside_first(&mut carriers);
        let cross = |a: &Carrier| carriers.iter().any(|b| crossed(&a.labels, &b.labels));
        if carriers.iter().any(cross) {
            return self.freeze_all("it combines values whose channels lie along different axes");
        }
        let widest = |k| carriers.iter().map(|c| c.labels.shape()[k]).max().unwrap_or(1);
        let shape: Vec<usize> = (0..rank).map(widest).collect();
        let mut labels = self.met_by_element(&carriers, &shape);
        for Carrier { labels: gate, .. } in &gates {
            let axes = varying(gate);
            if !axes.is_empty() && axes.iter().all(|&axis| shape[axis] == gate.shape()[axis]) {
                labels = self.gated_by(Nd::new(shape.clone(), labels), gate).into_data();
                continue;
            }
            self.freeze(gate.data(), "it is broadcast over all channels of another value");
            for label in &mut labels {
                *label = self.gated(*label, gate.data());
            }
        }
        let labels = Nd::new(shape, labels);
        self.follow_constants(&labels);
        self.set(0, labels);
    }

    /// Freezes the channels of operands that lie along other axes than those of the operand whose channels were made first:
    /// a layer over positions comes behind the channels that it is mixed into.
    fn stay_beside_first(&mut self, carriers: &mut [Carrier]) {
        let made = |carrier: &&Carrier| {
            let labels = carrier.labels.data().iter().copied();
            labels.filter(|&label| label != FIXED).min().unwrap_or(Label::MAX)
        };
        let first = carriers.iter().min_by_key(made).map(|first| first.labels.clone());
        let Some(first) = first else { return };
        for carrier in carriers.iter_mut().filter(|carrier| crossed(&carrier.labels, &first)) {
            let reason = "they meet channels that were made before, which lie along another axis";
            self.freeze(carrier.labels.data(), reason);
            carrier.labels = Nd::filled(vec![1; first.rank()], FIXED);
        }
    }

    /// A label coupled to `label` that also depends on `gates`: one of its own, so that the dependence does not reach
    /// back to whatever else carries `label`.
    fn gated(&mut self, label: Label, gates: &[Label]) -> Label {
        if gates.iter().all(|&gate| gate == FIXED) {
            return label;
        }
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
        if self.channels.bundles.is_derived(label) {
            self.channels.bundles.derive(new);
        }
        self.couple(new, label);
        self.stay_frozen(new, &[label]);
        self.joints.insert(key, new);
        new
    }

    /// Constants of an elementwise node are cut with the channels they lie along, but along one axis alone.
    fn follow_constants(&mut self, labels: &Nd<Label>) {
        for slot in 0..self.slots() {
            let own = self.extents(slot);
            if self.is_computed(slot) || own.is_empty() {
                continue;
            }
            let missing = labels.rank() - own.len();
            let lies = |axis: &usize| *axis >= missing && own[axis - missing] > 1;
            if let [axis, ref others @ ..] =
                varying(labels).into_iter().filter(lies).collect::<Vec<_>>()[..]
            {
                self.follow_at(slot, axis - missing, labels, axis, others);
            }
        }
    }

    /// The constant in `slot` lies along `axis`, where its own is `own`, of a value that carries `labels`, and is
    /// whole along `others`.
    pub fn follow_at(
        &mut self,
        slot: usize,
        own: usize,
        labels: &Nd<Label>,
        axis: usize,
        others: &[usize],
    ) {
        let labels = self.united(labels.clone(), others);
        let met = self.met(labels, &[axis]).into_data();
        self.follow(slot, own, &met);
    }

    /// Result 0 takes its elements from operand 0: element `k` from `sources[k]` (one sample).
    pub fn rearrange(&mut self, sources: &[usize]) {
        let labels = self.labels(0).broadcast(&self.extents(0));
        let moved = sources.iter().map(|&from| labels.data()[from]).collect();
        self.set(0, Nd::new(self.result_extents(0), moved));
    }
}

/// A computed operand of an elementwise node.
#[derive(Clone)]
struct Carrier {
    slot: usize,
    /// Number of its own axes.
    rank: usize,
    /// Its extents for one sample, with as many axes as the result has.
    extents: Vec<usize>,
    /// Its labels, with as many axes.
    labels: Nd<Label>,
}
