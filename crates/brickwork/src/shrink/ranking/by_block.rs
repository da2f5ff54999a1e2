//! Worth of channels that stay in equal numbers, block by block (heads of an attention): what goes next is either the
//! least of every block or a whole block, whichever is worth less.

use std::collections::{BTreeMap, BTreeSet};

use brickwork_graph::{Channels, Label, Line, blocks};

/// Gives all labels of the groups in blocks the worth at which they go. Worth of a group stands at all of its labels.
pub(super) fn level(channels: &Channels, worth: &mut [f64]) {
    let mut new = BTreeMap::new();
    for mut lines in blocks(channels) {
        let of = |group: Label| worth[group as usize];
        lines.iter_mut().for_each(|line| line.groups.sort_by(|&a, &b| of(b).total_cmp(&of(a))));
        let mut least = f64::NEG_INFINITY;
        while let Some((mean, gone)) = next(&lines, of) {
            least = least.max(mean);
            gone.iter().for_each(|&group| _ = new.entry(group).or_insert(least));
            for line in &mut lines {
                line.groups.retain(|group| !gone.contains(group));
            }
            lines.retain(|line| !line.groups.is_empty());
        }
    }
    for (label, worth) in worth.iter_mut().enumerate() {
        if let Some(&level) = new.get(&channels.group(label as Label)) {
            *worth = level;
        }
    }
}

/// The groups that go next from sorted lines, and what they are worth on average.
fn next(lines: &[Line], worth: impl Fn(Label) -> f64) -> Option<(f64, BTreeSet<Label>)> {
    let sets: BTreeSet<usize> = lines.iter().map(|line| line.set).collect();
    let ids: BTreeSet<Label> = lines.iter().map(|line| line.block).collect();
    let last = |set: usize| {
        let own = lines.iter().filter(move |line| line.set == set);
        own.filter_map(|line| line.groups.last().copied()).collect::<BTreeSet<Label>>()
    };
    let whole = |block: Label| {
        let own = lines.iter().filter(move |line| line.block == block);
        own.flat_map(|line| line.groups.iter().copied()).collect::<BTreeSet<Label>>()
    };
    let choices = sets.into_iter().map(last).chain(ids.into_iter().map(whole));
    let mean = |groups: &BTreeSet<Label>| {
        groups.iter().map(|&group| worth(group)).sum::<f64>() / groups.len() as f64
    };
    choices.map(|groups| (mean(&groups), groups)).min_by(|a, b| a.0.total_cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(block: Label, set: usize, groups: &[Label]) -> Line {
        Line { block, set, groups: groups.to_vec() }
    }

    #[test]
    fn the_least_of_every_block_or_a_whole_one_goes() {
        let worth = [9.0, 5.0, 8.0, 3.0, 1.0, 0.5];
        let of = |group: Label| worth[group as usize];
        let two = [line(0, 0, &[0, 1]), line(1, 0, &[2, 3])];
        assert_eq!(next(&two, of), Some((4.0, BTreeSet::from([1, 3]))));
        let three = [two[0].clone(), two[1].clone(), line(2, 0, &[4, 5])];
        assert_eq!(next(&three, of), Some((0.75, BTreeSet::from([4, 5]))));
        assert_eq!(next(&[], of), None);
    }
}
