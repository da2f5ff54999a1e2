//! Ties between channels other than that one goes with another: labels that stand for several, and lines that stay
//! equally long.

use std::collections::{BTreeSet, HashMap};

use crate::labels::Label;

/// A label that is kept exactly if one of its parts is.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) label: Label,
    pub(crate) parts: Vec<Label>,
}

/// Bundles, and lines of which those that keep anything keep equally much.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bundles {
    list: Vec<Bundle>,
    places: HashMap<Vec<Label>, usize>,
    even: BTreeSet<Vec<Vec<Label>>>,
    /// Labels that stand for others alone: nobody chooses them.
    derived: BTreeSet<Label>,
}

impl Bundles {
    /// The label that stands for `parts`, which is `new` unless there is one; nothing stands for a single label but
    /// itself.
    pub(crate) fn label(&mut self, mut parts: Vec<Label>, new: Label) -> Label {
        parts.sort_unstable();
        parts.dedup();
        if let [only] = parts[..] {
            return only;
        }
        let place = *self.places.entry(parts.clone()).or_insert_with(|| {
            self.list.push(Bundle { label: new, parts });
            self.derived.insert(new);
            self.list.len() - 1
        });
        self.list[place].label
    }

    /// All of them.
    pub(crate) fn list(&self) -> &[Bundle] {
        &self.list
    }

    /// Those of `lines` that keep anything keep equally much.
    pub(crate) fn keep_even(&mut self, mut lines: Vec<Vec<Label>>) {
        let unique = |line: &Vec<Label>| line.iter().copied().collect::<BTreeSet<Label>>();
        let short: Vec<BTreeSet<Label>> = lines.iter().map(unique).collect();
        let times = lines.first().map_or(1, |line| line.len() / short[0].len().max(1));
        let alike = |line: &Vec<Label>, label: &Label| {
            line.iter().filter(|other| *other == label).take(times + 1).count() == times
        };
        // Labels that all stand equally often on their lines count once.
        if lines.iter().zip(&short).all(|(line, short)| short.iter().all(|l| alike(line, l))) {
            lines = short.into_iter().map(|short| short.into_iter().collect()).collect();
        }
        if lines.len() > 1 {
            self.even.insert(lines);
        }
    }

    /// Sets of lines of which those that keep anything keep equally much.
    pub(crate) fn even(&self) -> impl Iterator<Item = &[Vec<Label>]> {
        self.even.iter().map(Vec::as_slice)
    }

    /// Says that `label` depends on the choice of others alone.
    pub(crate) fn derive(&mut self, label: Label) {
        self.derived.insert(label);
    }

    /// Whether `label` depends on the choice of others alone.
    pub(crate) fn is_derived(&self, label: Label) -> bool {
        self.derived.contains(&label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_have_one_label() {
        let mut bundles = Bundles::default();
        assert_eq!(bundles.label(vec![3, 2, 3], 9), 9);
        assert_eq!(bundles.label(vec![2, 3], 10), 9);
        assert_eq!(bundles.label(vec![4, 4], 10), 4);
        assert_eq!(bundles.list()[0].parts, [2, 3]);
        assert!(bundles.is_derived(9) && !bundles.is_derived(4) && !bundles.is_derived(10));
    }

    #[test]
    fn labels_that_repeat_alike_count_once() {
        let mut bundles = Bundles::default();
        bundles.keep_even(vec![vec![1, 1, 2, 2], vec![3, 3, 4, 4]]);
        bundles.keep_even(vec![vec![1, 1, 2], vec![3, 4, 4]]);
        let even: Vec<_> = bundles.even().collect();
        assert_eq!(even, [&[vec![1, 1, 2], vec![3, 4, 4]][..], &[vec![1, 2], vec![3, 4]]]);
    }
}
