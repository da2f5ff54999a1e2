//! What classes have in common, layer by layer.

use serde::Serialize;

use super::cluster::{Merge, average_linkage, order};

/// What all profiled classes have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    /// The classes.
    pub classes: Vec<String>,
    /// Layer by layer, in running order, without the head.
    pub layers: Vec<LayerOverlap>,
    /// For every two classes, the mean Jaccard similarity over all layers.
    pub similarity: Vec<Vec<f64>>,
    /// Average-linkage clustering of the classes at distances of 1 - similarity.
    pub merges: Vec<Merge>,
    /// The classes in an order in which no two merges cross.
    pub order: Vec<usize>,
}

/// What classes have in common at one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerOverlap {
    /// Its node's name.
    pub name: String,
    /// Number of output channels.
    pub channels: usize,
    /// For every two classes, how many channels are relevant to both; for one class, to it.
    pub shared: Vec<Vec<usize>>,
    /// For every two classes, what is relevant to both as a share of what is relevant to either.
    pub jaccard: Vec<Vec<f64>>,
}

impl Overlap {
    pub(super) fn new(classes: Vec<String>, layers: Vec<LayerOverlap>) -> Self {
        let mean = |a: usize, b: usize| {
            let sum: f64 = layers.iter().map(|layer| layer.jaccard[a][b]).sum();
            if a == b { 1.0 } else { sum / layers.len().max(1) as f64 }
        };
        let similarity = square(classes.len(), mean);
        let merges = average_linkage(&square(classes.len(), |a, b| 1.0 - similarity[a][b]));
        let order = order(&merges, classes.len());
        Self { classes, layers, similarity, merges, order }
    }

    /// The smallest and the largest similarity of two classes.
    pub(super) fn range(&self) -> (f64, f64) {
        let rows = self.similarity.iter().enumerate();
        rows.flat_map(|(k, row)| &row[..k])
            .fold((1.0, 0.0), |(low, high), &value| (f64::min(low, value), f64::max(high, value)))
    }
}

impl LayerOverlap {
    /// Of the relevant channels of every class.
    pub(super) fn of(name: String, channels: usize, sets: &[Vec<usize>]) -> Self {
        let bits: Vec<Vec<u64>> = sets.iter().map(|set| bits(set, channels)).collect();
        let both = |a: usize, b: usize| {
            bits[a].iter().zip(&bits[b]).map(|(x, y)| (x & y).count_ones() as usize).sum()
        };
        let shared: Vec<Vec<usize>> = square(sets.len(), both);
        let jaccard = square(sets.len(), |a, b| {
            let either = shared[a][a] + shared[b][b] - shared[a][b];
            // Two empty sets are the same.
            if either == 0 { 1.0 } else { shared[a][b] as f64 / either as f64 }
        });
        Self { name, channels, shared, jaccard }
    }

    /// The mean over all pairs of classes, if there are any.
    pub(super) fn mean_jaccard(&self) -> Option<f64> {
        let count = self.jaccard.len();
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let sum: f64 = pairs.map(|(a, b)| self.jaccard[a][b]).sum();
        (count > 1).then(|| sum / (count * (count - 1) / 2) as f64)
    }
}

fn square<T>(count: usize, value: impl Fn(usize, usize) -> T) -> Vec<Vec<T>> {
    (0..count).map(|a| (0..count).map(|b| value(a, b)).collect()).collect()
}

fn bits(set: &[usize], channels: usize) -> Vec<u64> {
    let mut bits = vec![0; channels.div_ceil(64)];
    set.iter().for_each(|&channel| bits[channel / 64] |= 1 << (channel % 64));
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_channels_and_jaccard_by_hand() {
        let sets = [vec![0, 1, 70], vec![1, 70, 99], vec![5], vec![]];
        let found = LayerOverlap::of("conv".to_owned(), 100, &sets);
        assert_eq!(
            found.shared,
            [vec![3, 2, 0, 0], vec![2, 3, 0, 0], vec![0, 0, 1, 0], vec![0; 4]]
        );
        assert_eq!(found.jaccard[0], [1.0, 0.5, 0.0, 0.0]);
        assert_eq!(found.jaccard[3], [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(found.mean_jaccard(), Some(0.5 / 6.0));
    }

    #[test]
    fn similarity_is_the_mean_over_layers() {
        let layer = |sets: [Vec<usize>; 3]| LayerOverlap::of("l".to_owned(), 8, &sets);
        let layers = vec![
            layer([vec![0, 1], vec![0, 1], vec![2]]),
            layer([vec![0], vec![0, 1], vec![0, 1, 2, 3]]),
        ];
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let found = Overlap::new(names, layers);
        assert_eq!(found.similarity[0], [1.0, 0.75, 0.125]);
        assert_eq!(found.similarity[1], [0.75, 1.0, 0.25]);
        let merges: Vec<_> = found.merges.iter().map(|m| (m.parts, m.height)).collect();
        assert_eq!(merges, [([0, 1], 0.25), ([3, 2], (0.875 + 0.75) / 2.0)]);
        assert_eq!(found.order, [0, 1, 2]);
        assert_eq!(found.range(), (0.125, 0.75));
    }
}
