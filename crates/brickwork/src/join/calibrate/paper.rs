//! The published head scaling.

use super::scores::Scores;
use crate::images::select::top_class;

/// The published scaling. A class without a correct image, or whose winning logits are not positive
/// on average, cannot be scaled: it gets the mean factor of its part, or 1.
pub(super) fn paper(scores: &Scores) -> (Vec<f32>, Vec<f32>, Vec<String>) {
    let count = scores.part.len();
    let (mut sums, mut counts) = (vec![0.0f64; count], vec![0usize; count]);
    for (row, &truth) in scores.logits.data().chunks(count).zip(&scores.truth) {
        let own: Vec<usize> =
            (0..count).filter(|&k| scores.part[k] == scores.part[truth]).collect();
        let picked: Vec<f32> = own.iter().map(|&k| row[k]).collect();
        if own[top_class(&picked)] == truth {
            sums[truth] += f64::from(row[truth]);
            counts[truth] += 1;
        }
    }
    let factor = |k: usize| {
        let mean = sums[k] / counts[k] as f64;
        (counts[k] > 0 && mean > 0.0).then(|| (1.0 / mean) as f32).filter(|f| f.is_finite())
    };
    let mut notes = Vec::new();
    let scale = (0..count)
        .map(|k| {
            factor(k).unwrap_or_else(|| {
                let part: Vec<f32> = (0..count)
                    .filter(|&other| scores.part[other] == scores.part[k])
                    .filter_map(factor)
                    .collect();
                let stand_in = if part.is_empty() {
                    1.0
                } else {
                    part.iter().sum::<f32>() / part.len() as f32
                };
                let why = if counts[k] == 0 {
                    "no calibration image is classified correctly"
                } else {
                    "its winning logits are not positive on average"
                };
                notes.push(format!(
                    "class `{}`: {why}; scaled by its part's mean factor {stand_in:.4}",
                    scores.names[k]
                ));
                stand_in
            })
        })
        .collect();
    (scale, vec![0.0; count], notes)
}
