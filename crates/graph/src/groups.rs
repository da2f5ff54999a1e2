//! Groups: sets of channels that can only be kept or cut together, and why.

use std::collections::{BTreeMap, VecDeque};

use crate::channels::Channels;
use crate::graph::{Graph, NodeId, ValueId};
use crate::labels::{FIXED, Label};

/// Channels at one place of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The value.
    pub value: ValueId,
    /// Its channel axis.
    pub axis: usize,
    /// How many of its channels belong to each channel of the group.
    pub each: usize,
}

/// A family of channels that run through the same places and can be cut one by one, each at all
/// its places at once.
#[derive(Clone, Debug)]
pub struct Group {
    /// Number of channels that can be chosen independently.
    pub channels: usize,
    /// Where they live, in running order.
    pub members: Vec<Member>,
    /// Why none of them can be cut, if that is so.
    pub frozen: Option<String>,
}

/// The groups of a graph, in running order of their first member, but those that follow from others: heads of an
/// attention go with their channels.
pub fn groups(graph: &Graph, channels: &Channels) -> Vec<Group> {
    let reasons = frozen_roots(graph, channels);
    let mut places: BTreeMap<Label, BTreeMap<ValueId, usize>> = BTreeMap::new();
    for node in graph.nodes() {
        for &value in &node.outputs {
            if channels.axis(value).is_some() {
                for &label in channels.labels(value) {
                    let root = channels.forest.root(label);
                    *places.entry(root).or_default().entry(value).or_default() += 1;
                }
            }
        }
    }
    type Family<'a> = (Vec<(ValueId, usize)>, Option<&'a str>);
    let mut families: BTreeMap<Family<'_>, usize> = BTreeMap::new();
    for (root, members) in &places {
        let reason = reasons.get(root).map(String::as_str);
        if *root != FIXED && !channels.is_derived(*root) {
            *families
                .entry((members.iter().map(|(&v, &n)| (v, n)).collect(), reason))
                .or_default() += 1;
        }
    }
    let mut groups: Vec<Group> = families
        .into_iter()
        .map(|((places, reason), count)| Group {
            channels: count,
            members: places
                .into_iter()
                .filter_map(|(value, each)| {
                    channels.axis(value).map(|(axis, _)| Member { value, axis, each })
                })
                .collect(),
            frozen: reason.map(str::to_owned),
        })
        .collect();
    groups.sort_by_key(|group| group.members.first().map(|member| member.value));
    groups
}

/// For every root that cannot be cut, the reason in words.
pub(crate) fn frozen_roots(graph: &Graph, channels: &Channels) -> BTreeMap<Label, String> {
    let mut reasons = BTreeMap::new();
    reasons.insert(FIXED, "it is the network's input or computed by an opaque node".to_owned());
    for (&label, &index) in &channels.frozen {
        let freeze = &channels.freezes[index];
        let node = graph.node(freeze.node);
        let root = channels.forest.root(label);
        reasons.entry(root).or_insert_with(|| {
            format!("node `{}` ({}): {}", node.name, node.op.kind(), freeze.reason)
        });
    }
    reasons
}

/// One step of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These nodes couple the value's channels to others.
    Coupled(Vec<NodeId>),
    /// The channels are frozen, for this reason.
    Frozen(String),
}

/// What couples the channels of `value` to other channels, and what freezes them.
///
/// Follows the couplings outwards from the value, so nodes are listed nearest first.
pub fn why(graph: &Graph, channels: &Channels, value: ValueId) -> Vec<Step> {
    let mut neighbours: BTreeMap<Label, Vec<(Label, NodeId)>> = BTreeMap::new();
    for &(a, b, node) in &channels.couplings {
        neighbours.entry(a).or_default().push((b, node));
        neighbours.entry(b).or_default().push((a, node));
    }
    let mut seen = vec![false; channels.len()];
    let mut queue: VecDeque<Label> = channels.labels(value).iter().copied().collect();
    let (mut nodes, mut steps): (Vec<NodeId>, Vec<Step>) = (Vec::new(), Vec::new());
    let mut frozen = Vec::new();
    while let Some(label) = queue.pop_front() {
        if std::mem::replace(&mut seen[label as usize], true) {
            continue;
        }
        if let Some(&index) = channels.frozen.get(&label) {
            let freeze = &channels.freezes[index];
            let node = graph.node(freeze.node);
            let text = format!("node `{}` ({}): {}", node.name, node.op.kind(), freeze.reason);
            if !frozen.contains(&text) {
                frozen.push(text);
            }
        }
        for &(next, node) in neighbours.get(&label).into_iter().flatten() {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
            queue.push_back(next);
        }
    }
    if channels.labels(value).contains(&FIXED) {
        frozen.push("it is the network's input or computed by an opaque node".to_owned());
    }
    if !nodes.is_empty() {
        steps.push(Step::Coupled(nodes));
    }
    steps.extend(frozen.into_iter().map(Step::Frozen));
    steps
}
