//! Which classes resemble each other: average-linkage clustering.

use schemars::JsonSchema;
use serde::Serialize;

/// Two clusters become one. Clusters are numbered: first every class, then every merge in order.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Merge {
    /// The clusters.
    pub parts: [usize; 2],
    /// The mean distance between their classes.
    pub height: f64,
    /// How many classes they hold together.
    pub size: usize,
}

struct Cluster {
    number: usize,
    size: usize,
    /// To every other cluster, in their order.
    distances: Vec<f64>,
}

/// Merges the two nearest clusters until one is left; of equally near ones the first.
pub(super) fn average_linkage(distances: &[Vec<f64>]) -> Vec<Merge> {
    let mut clusters: Vec<Cluster> = distances
        .iter()
        .enumerate()
        .map(|(number, row)| Cluster { number, size: 1, distances: row.clone() })
        .collect();
    let mut merges = Vec::new();
    while let Some((a, b)) = nearest(&clusters) {
        let last = clusters.remove(b);
        clusters.iter_mut().for_each(|cluster| {
            cluster.distances.remove(b);
        });
        let (p, q) = (clusters[a].size, last.size);
        merges.push(Merge {
            parts: [clusters[a].number, last.number],
            height: last.distances[a],
            size: p + q,
        });
        for k in 0..clusters.len() {
            let to = if k < b { last.distances[k] } else { last.distances[k + 1] };
            let mean = (p as f64 * clusters[a].distances[k] + q as f64 * to) / (p + q) as f64;
            clusters[a].distances[k] = mean;
            clusters[k].distances[a] = mean;
        }
        clusters[a].number = distances.len() + merges.len() - 1;
        clusters[a].size = p + q;
    }
    merges
}

fn nearest(clusters: &[Cluster]) -> Option<(usize, usize)> {
    let pairs = (0..clusters.len()).flat_map(|a| (a + 1..clusters.len()).map(move |b| (a, b)));
    let distance = |(a, b): (usize, usize)| clusters[a].distances[b];
    pairs.min_by(|&x, &y| distance(x).total_cmp(&distance(y)))
}

/// The classes in an order in which no two merges cross.
pub(super) fn order(merges: &[Merge], count: usize) -> Vec<usize> {
    let mut order = Vec::new();
    let mut open: Vec<usize> = (count + merges.len()).checked_sub(1).into_iter().collect();
    while let Some(cluster) = open.pop() {
        match cluster.checked_sub(count) {
            Some(merge) => open.extend(merges[merge].parts.iter().rev()),
            None => order.push(cluster),
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a line.
    fn line(points: &[f64]) -> Vec<Vec<f64>> {
        points.iter().map(|a| points.iter().map(|b| (a - b).abs()).collect()).collect()
    }

    #[test]
    fn merges_worked_out_by_hand() {
        // 0 and 1 at distance 1; then 10 and 12 at 2; then 5 joins {0, 1} at (5 + 4) / 2; then
        // {0, 1, 5} and {10, 12} at (10 + 12 + 9 + 11 + 5 + 7) / 6.
        let merges = average_linkage(&line(&[0.0, 10.0, 1.0, 5.0, 12.0]));
        let expected = [([0, 2], 1.0, 2), ([1, 4], 2.0, 2), ([5, 3], 4.5, 3), ([7, 6], 9.0, 5)];
        let expected = expected.map(|(parts, height, size)| Merge { parts, height, size });
        assert_eq!(merges.len(), 4);
        for (found, expected) in merges.iter().zip(&expected) {
            assert_eq!((found.parts, found.size), (expected.parts, expected.size));
            assert!((found.height - expected.height).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(order(&merges, 5), [0, 2, 3, 1, 4]);
    }

    #[test]
    fn equally_near_ones_merge_in_order() {
        let merges = average_linkage(&line(&[0.0, 1.0, 2.0, 3.0]));
        assert_eq!(merges.iter().map(|m| m.parts).collect::<Vec<_>>(), [[0, 1], [2, 3], [4, 5]]);
    }

    #[test]
    fn one_class_and_none() {
        assert_eq!(average_linkage(&[vec![0.0]]), []);
        assert_eq!(order(&[], 1), [0]);
        assert!(order(&[], 0).is_empty());
    }
}
