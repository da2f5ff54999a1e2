//! Where layers stand from left to right.

use std::collections::BTreeMap;

/// The column of every layer, given for each the earlier layers that feed it: to the right of all
/// of these, and otherwise as far right as the layers it feeds allow, so that parallel branches
/// end in one column.
pub(super) fn columns(feeders: &[Vec<usize>]) -> Vec<usize> {
    let mut columns: Vec<usize> = Vec::new();
    for feeders in feeders {
        columns.push(feeders.iter().map(|&feeder| columns[feeder] + 1).max().unwrap_or(0));
    }
    let mut latest = vec![usize::MAX; feeders.len()];
    for (layer, feeders) in feeders.iter().enumerate().rev() {
        if latest[layer] != usize::MAX {
            columns[layer] = latest[layer];
        }
        for &feeder in feeders {
            latest[feeder] = latest[feeder].min(columns[layer] - 1);
        }
    }
    columns
}

/// The columns that are drawn: those that hold a chosen layer or, if these are more than `most`,
/// the first, the last, and one of every so many between. Of the ways to do so that which shows
/// the most layers per column, so that networks of blocks are drawn where their branches end.
/// Gives the columns with that number.
pub(super) fn drawn(columns: &[usize], chosen: &[bool], most: usize) -> (Vec<usize>, usize) {
    let mut layers: BTreeMap<usize, usize> = BTreeMap::new();
    for (column, _) in columns.iter().zip(chosen).filter(|(_, chosen)| **chosen) {
        *layers.entry(*column).or_default() += 1;
    }
    let (held, layers): (Vec<usize>, Vec<usize>) = layers.into_iter().unzip();
    if held.len() <= most {
        return (held, 1);
    }
    let last = held.len() - 1;
    let least = last.div_ceil(most - 1);
    let ways = (least..=least + 2).flat_map(|every| (0..every).map(move |start| (start, every)));
    let between = |(start, every): (usize, usize)| (start..last).step_by(every);
    let fits = |way: &(usize, usize)| between(*way).count() + usize::from(way.0 > 0) < most;
    let mean = |way: (usize, usize)| {
        between(way).map(|k| layers[k]).sum::<usize>() as f64 / between(way).count().max(1) as f64
    };
    let mut best = (0, least);
    for way in ways.filter(fits) {
        if mean(way) > mean(best) {
            best = way;
        }
    }
    let mut kept: Vec<usize> = [0].into_iter().chain(between(best)).chain([last]).collect();
    kept.dedup();
    (kept.into_iter().map(|k| held[k]).collect(), best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_end_in_one_column() {
        // A stem; branches of one layer and of two; a head that reads both.
        assert_eq!(columns(&[vec![], vec![0], vec![0], vec![2], vec![1, 3]]), [0, 2, 1, 2, 3]);
    }

    #[test]
    fn a_residual_sum_does_not_hold_layers_back() {
        // stem -> a -> b, and the head reads stem + b.
        assert_eq!(columns(&[vec![], vec![0], vec![1], vec![0, 2]]), [0, 1, 2, 3]);
    }

    #[test]
    fn blocks_are_drawn_where_their_branches_end() {
        // A stem, three blocks of three columns of which the last holds two layers, a head.
        let columns = [0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9, 10];
        assert_eq!(drawn(&columns, &[true; 14], 8), (vec![0, 3, 6, 9, 10], 3));
        assert_eq!(drawn(&columns, &[true; 14], 11), ((0..=10).collect(), 1));
    }

    #[test]
    fn columns_are_thinned_evenly_and_the_last_stays() {
        let thin =
            |count: usize, most| drawn(&(0..count).collect::<Vec<_>>(), &vec![true; count], most);
        assert_eq!(thin(5, 5), (vec![0, 1, 2, 3, 4], 1));
        assert_eq!(thin(6, 5), (vec![0, 2, 4, 5], 2));
        assert_eq!(thin(9, 5), (vec![0, 2, 4, 6, 8], 2));
        assert_eq!(thin(50, 24), ((0..=48).step_by(3).chain([49]).collect(), 3));
        assert_eq!(thin(47, 24), ((0..=46).step_by(2).collect(), 2));
        assert_eq!(drawn(&[0, 1, 2, 2], &[true, false, false, true], 24), (vec![0, 2], 1));
        assert_eq!(drawn(&[0], &[false], 24), (vec![], 1));
    }
}
