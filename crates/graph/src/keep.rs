//! Which channels stay: a wish, closed over everything that ties channels to each other.

use std::collections::{BTreeMap, HashSet};

use crate::channels::Channels;
use crate::graph::{Graph, ValueId};
use crate::groups::frozen_roots;
use crate::labels::Label;

/// The channels that stay, closed: whole groups, no empty value, lines equally long that have to be (groups of
/// grouped layers, attention heads).
#[derive(Clone, Debug)]
pub struct Keep {
    roots: Vec<bool>,
}

impl Keep {
    /// The smallest closed set that holds every label for which `wanted` is true; what follows from others
    /// ([`Channels::is_derived`]) is not asked for.
    ///
    /// Where something must be added that nobody asked for (a value would be empty, or the groups
    /// of a grouped layer or the heads of an attention would differ in size), the labels of highest
    /// `score` are taken; the first, where scores are equal.
    pub fn closed(
        graph: &Graph,
        channels: &Channels,
        wanted: impl Fn(Label) -> bool,
        score: impl Fn(Label) -> f64,
    ) -> Self {
        let mut keep = Self { roots: vec![false; channels.len()] };
        let chosen = |label: &Label| !channels.is_derived(*label) && wanted(*label);
        for label in (0..channels.len() as Label).filter(chosen) {
            keep.add(channels, label);
        }
        frozen_roots(graph, channels).keys().for_each(|&root| keep.roots[root as usize] = true);
        while keep.follow_bundles(channels, &score)
            || keep.fill_empty_values(graph, channels, &score)
            || keep.fill_lines(channels, |_, most| most, &score)
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

    /// Enlarges the set until so many channels are kept in every family of groups, and on lines that stay equally long,
    /// as `width` makes of what is kept of it now, or all; best `score` first.
    pub fn round_up(
        &mut self,
        graph: &Graph,
        channels: &Channels,
        width: impl Fn(&[Label], usize) -> usize,
        score: impl Fn(Label) -> f64,
    ) {
        for family in &families(graph, channels) {
            let kept = family.iter().filter(|&&root| self.roots[root as usize]).count();
            let target = width(family, kept).clamp(kept, family.len());
            self.add_best(channels, family, target - kept, &score);
        }
        *self = Self::closed(graph, channels, |label| self.has(channels, label), &score);
        self.fill_lines(channels, width, &score);
        *self = Self::closed(graph, channels, |label| self.has(channels, label), &score);
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
        let mut seen = HashSet::new();
        let left = |label: &Label| !self.has(channels, *label) && seen.insert(*label);
        let mut rest: Vec<Label> = among.iter().copied().filter(left).collect();
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
            let labels = channels.labels(*value);
            if !labels.iter().any(|&label| self.has(channels, label)) {
                self.add_best(channels, labels, 1, score);
                changed = true;
            }
        }
        changed
    }

    /// A label that stands for several is kept exactly if one of them is.
    fn follow_bundles(&mut self, channels: &Channels, score: &impl Fn(Label) -> f64) -> bool {
        let mut changed = false;
        for bundle in channels.bundles.list() {
            let any = bundle.parts.iter().any(|&part| self.has(channels, part));
            match (self.has(channels, bundle.label), any) {
                (false, true) => self.add(channels, bundle.label),
                (true, false) => self.add_best(channels, &bundle.parts, 1, score),
                _ => continue,
            }
            changed = true;
        }
        changed
    }

    /// Lines that keep anything keep what `target` says of a line and the most that any of its kind keeps.
    fn fill_lines(
        &mut self,
        channels: &Channels,
        target: impl Fn(&[Label], usize) -> usize,
        score: &impl Fn(Label) -> f64,
    ) -> bool {
        let mut changed = false;
        for lines in channels.bundles.even() {
            let count = |keep: &Self, line: &[Label]| keep.indices(channels, line).len();
            let most = lines.iter().map(|line| count(self, line)).max().unwrap_or(0);
            for line in lines {
                let kept = count(self, line);
                let wanted = target(line, most).min(line.len());
                if kept > 0 && kept < wanted {
                    self.add_best(channels, line, wanted - kept, score);
                    changed = true;
                }
            }
        }
        changed
    }
}

/// Groups (by their label) that run through the same values, and of which any number may be kept. Those that follow
/// from others are in none.
pub fn families(graph: &Graph, channels: &Channels) -> Vec<Vec<Label>> {
    let mut places: BTreeMap<Label, Vec<ValueId>> = BTreeMap::new();
    for value in graph.nodes().iter().flat_map(|node| node.outputs.iter().copied()) {
        let labels = channels.axis(value).map_or(&[][..], |(_, labels)| labels);
        for &label in labels.iter().filter(|&&label| !channels.is_derived(label)) {
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
