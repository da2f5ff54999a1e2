//! Blocks: heads of an attention, groups of a layer. Their channels are chosen one by one, but in equal numbers, and a
//! block is there as long as any of them is.

use std::collections::{BTreeMap, BTreeSet};

use crate::channels::Channels;
use crate::forest::Forest;
use crate::labels::Label;

/// Groups of channels, by their label, that lie side by side in one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The block; all lines of one go together.
    pub block: Label,
    /// Lines of one set, in blocks that are there, keep equally many groups.
    pub set: usize,
    /// The groups.
    pub groups: Vec<Label>,
}

/// The lines of all blocks, those together that depend on each other by their blocks or sets.
pub fn blocks(channels: &Channels) -> Vec<Vec<Line>> {
    let of_line = |line: &[Label]| -> Vec<Label> {
        let groups: BTreeSet<Label> = line.iter().map(|&label| channels.group(label)).collect();
        groups.into_iter().collect()
    };
    // Bundles of equal groups are one block.
    let mut known: BTreeMap<Vec<Label>, Label> = BTreeMap::new();
    let mut pairs = Vec::new();
    for bundle in channels.bundles.list() {
        let group = channels.group(bundle.label);
        pairs.push((group, *known.entry(of_line(&bundle.parts)).or_insert(group)));
    }
    let same = Forest::of(channels.len(), pairs.into_iter());
    let mut sets: BTreeMap<Vec<Label>, Vec<usize>> = BTreeMap::new();
    let even = channels.bundles.even().filter(|lines| !derived(channels, lines)).enumerate();
    for (set, lines) in even {
        lines.iter().for_each(|line| sets.entry(of_line(line)).or_default().push(set));
    }
    let count = sets.values().flatten().max().map_or(0, |last| last + 1);
    let shared =
        sets.values().flat_map(|sets| sets.iter().map(|&set| (sets[0] as u32, set as u32)));
    let as_one = Forest::of(count, shared);
    let lines: Vec<Line> = sets
        .into_iter()
        .map(|(groups, sets)| {
            let block = same.root(known.get(&groups).copied().unwrap_or(groups[0]));
            Line { block, set: as_one.root(sets[0] as u32) as usize, groups }
        })
        .collect();
    let first = channels.len() as u32;
    let ties = lines.iter().map(|line| (line.block, first + line.set as u32));
    let ties = Forest::of(channels.len() + count, ties);
    let mut families: BTreeMap<u32, Vec<Line>> = BTreeMap::new();
    for line in lines {
        families.entry(ties.root(line.block)).or_default().push(line);
    }
    families.into_values().collect()
}

/// Whether lines hold what follows from others, such as whole heads.
fn derived(channels: &Channels, lines: &[Vec<Label>]) -> bool {
    lines.iter().flatten().any(|&label| channels.is_derived(label))
}
