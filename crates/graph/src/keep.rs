//! Which channels stay: a wish, closed over everything that ties channels to each other.

use std::collections::BTreeMap;

use crate::channels::{Channels, Label, Layer};
use crate::graph::{Graph, ValueId};
use crate::groups::frozen_roots;

/// The channels that stay, closed: whole groups, no empty value, equal shares of grouped layers.
#[derive(Clone, Debug)]
pub struct Keep {
    roots: Vec<bool>,
}

impl Keep {
    /// The smallest closed set that holds every label for which `wanted` is true.
    ///
    /// Where something must be added that nobody asked for (a value would be empty, or the groups
    /// of a grouped layer would differ in size), the labels of highest `score` are taken; the
    /// first, where scores are equal.
    pub fn closed(
        graph: &Graph,
        channels: &Channels,
        wanted: impl Fn(Label) -> bool,
        score: impl Fn(Label) -> f64,
    ) -> Self {
        let mut keep = Self { roots: vec![false; channels.len()] };
        for label in (0..channels.len() as Label).filter(|&label| wanted(label)) {
            keep.add(channels, label);
        }
        frozen_roots(graph, channels).keys().for_each(|&root| keep.roots[root as usize] = true);
        while keep.fill_empty_values(graph, channels, &score)
            || keep.balance_groups(channels, &score)
        {}
        keep
    }

    /// Everything.
    pub fn all(channels: &Channels) -> Self {
        Self { roots: vec![true; channels.len()] }
    }

    /// Whether the channel stays.
    pub fn has(&self, channels: &Channels, label: Label) -> bool {
        self.roots[channels.forest.root(label) as usize]
    }

    /// Indices that stay in a list of labels.
    pub fn indices(&self, channels: &Channels, labels: &[Label]) -> Vec<usize> {
        (0..labels.len()).filter(|&k| self.has(channels, labels[k])).collect()
    }

    /// Enlarges the set until the number of kept channels in every family of groups is a multiple of what `step` says
    /// of it, or the whole family; best `score` first.
    pub fn round_up(
        &mut self,
        graph: &Graph,
        channels: &Channels,
        step: impl Fn(&[Label]) -> usize,
        score: impl Fn(Label) -> f64,
    ) {
        for family in &families(graph, channels) {
            let kept = family.iter().filter(|&&root| self.roots[root as usize]).count();
            let target = kept.next_multiple_of(step(family).max(1)).min(family.len());
            self.add_best(channels, family, target - kept, &score);
        }
        let closed = Self::closed(graph, channels, |label| self.has(channels, label), score);
        *self = closed;
    }

    fn add(&mut self, channels: &Channels, label: Label) {
        self.roots[channels.forest.root(label) as usize] = true;
    }

    /// Adds the `count` best labels of `among` that are not kept yet.
    fn add_best(
        &mut self,
        channels: &Channels,
        among: &[Label],
        count: usize,
        score: &impl Fn(Label) -> f64,
    ) {
        let mut rest: Vec<Label> =
            among.iter().copied().filter(|&label| !self.has(channels, label)).collect();
        rest.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        rest.into_iter().take(count).for_each(|label| self.add(channels, label));
    }

    fn fill_empty_values(
        &mut self,
        graph: &Graph,
        channels: &Channels,
        score: &impl Fn(Label) -> f64,
    ) -> bool {
        let mut changed = false;
        for value in graph.nodes().iter().flat_map(|node| &node.outputs) {
            let Some((_, labels)) = channels.axis(*value) else { continue };
            if !labels.iter().any(|&label| self.has(channels, label)) {
                self.add_best(channels, labels, 1, score);
                changed = true;
            }
        }
        changed
    }

    /// Groups of a grouped layer that keep anything keep the same number of inputs and of outputs.
    fn balance_groups(&mut self, channels: &Channels, score: &impl Fn(Label) -> f64) -> bool {
        let mut changed = false;
        for layer in channels.layers().iter().filter(|layer| is_grouped(layer)) {
            let (each_in, each_out) =
                (layer.inputs.len() / layer.groups, layer.outputs.len() / layer.groups);
            let count = |keep: &Self, labels: &[Label]| {
                labels.iter().filter(|&&label| keep.has(channels, label)).count()
            };
            let groups: Vec<(&[Label], &[Label])> =
                layer.inputs.chunks(each_in).zip(layer.outputs.chunks(each_out)).collect();
            let alive: Vec<_> = groups
                .into_iter()
                .filter(|(inputs, outputs)| count(self, inputs) + count(self, outputs) > 0)
                .collect();
            let target_in =
                alive.iter().map(|(inputs, _)| count(self, inputs)).max().unwrap_or(0).max(1);
            let target_out =
                alive.iter().map(|(_, outputs)| count(self, outputs)).max().unwrap_or(0).max(1);
            for (inputs, outputs) in alive {
                for (labels, target) in [(inputs, target_in), (outputs, target_out)] {
                    let kept = count(self, labels);
                    if kept < target {
                        self.add_best(channels, labels, target - kept, score);
                        changed = true;
                    }
                }
            }
        }
        changed
    }
}

/// Groups (by their label) that run through the same values, and of which any number may be kept.
pub fn families(graph: &Graph, channels: &Channels) -> Vec<Vec<Label>> {
    let mut places: BTreeMap<Label, Vec<ValueId>> = BTreeMap::new();
    for value in graph.nodes().iter().flat_map(|node| node.outputs.iter().copied()) {
        for &label in channels.axis(value).map_or(&[][..], |(_, labels)| labels) {
            let places = places.entry(channels.group(label)).or_default();
            if places.last() != Some(&value) {
                places.push(value);
            }
        }
    }
    let mut families: BTreeMap<Vec<ValueId>, Vec<Label>> = BTreeMap::new();
    for (group, places) in places {
        families.entry(places).or_default().push(group);
    }
    families.into_values().collect()
}

/// Whether groups of a layer hold more than one channel each, whose numbers must agree.
fn is_grouped(layer: &Layer) -> bool {
    layer.groups > 1 && layer.inputs.len() > layer.groups
}
