//! How many samples to run at once.

use crate::model::classifier::Classifier;

/// Elements of the largest value of a batch.
const ELEMENTS: usize = 1 << 22;

/// A batch size that keeps cores busy and memory small: the largest value of a batch holds about
/// four million elements. Results never depend on it.
pub fn batch_size(classifier: &Classifier) -> usize {
    let largest = classifier
        .graph()
        .values()
        .iter()
        .filter(|value| value.constant.is_none())
        .map(|value| value.shape.sample_volume())
        .max()
        .unwrap_or(1);
    (ELEMENTS / largest.max(1)).clamp(1, 64)
}
