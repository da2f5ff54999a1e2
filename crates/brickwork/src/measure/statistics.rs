//! What shares of images are worth.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::card::HeldOutCounts;
use crate::model::percent::Percent;

/// The two-sided 95 % quantile of the normal distribution.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// Bins that confidences are sorted into.
const BINS: usize = 15;

/// The 95 % interval of a share of which `part` of `whole` trials are (Wilson 1927): where the share of
/// all such images lies. From 0 to 1 if there were no trials.
pub(crate) fn wilson(part: usize, whole: usize) -> [f64; 2] {
    if whole == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    let z = QUANTILE * QUANTILE / n;
    let centre = p + z / 2.0;
    let spread = (z * p * (1.0 - p) + z * z / 4.0).sqrt();
    [centre - spread, centre + spread].map(|bound| (bound / (1.0 + z)).clamp(0.0, 1.0))
}

/// How often answers are right, of calibration images held out in turns: each is judged by what was fitted without it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HeldOutGain {
    /// How many images.
    pub images: usize,
    /// The share of right answers by scores as the parts give them.
    pub before: Percent,
    /// Its 95 % interval (Wilson 1927).
    pub before_interval: [Percent; 2],
    /// The share of right answers by calibrated scores.
    pub after: Percent,
    /// Its 95 % interval.
    pub after_interval: [Percent; 2],
}

impl From<HeldOutCounts> for HeldOutGain {
    fn from(counts: HeldOutCounts) -> Self {
        let HeldOutCounts { images, right_before, right_after } = counts;
        let share = |right: usize| Percent::ratio(right as u64, images as u64);
        let interval = |right| wilson(right, images).map(Percent::of);
        Self {
            images,
            before: share(right_before),
            before_interval: interval(right_before),
            after: share(right_after),
            after_interval: interval(right_after),
        }
    }
}

/// Expected calibration error: how far confidences are from the shares of right answers, over 15 bins
/// (Guo et al. 2017, equation 3). `answers` are confidences from 0 to 1, and whether each was right.
pub(crate) fn calibration_error(answers: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0_usize); BINS];
    for &(confidence, right) in answers {
        let bin = &mut bins[bin_of(confidence)];
        bin.0 += confidence - f64::from(u8::from(right));
        bin.1 += 1;
    }
    let apart: f64 = bins.iter().map(|(difference, _)| difference.abs()).sum();
    apart / answers.len().max(1) as f64
}

/// Answers that are about equally sure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReliabilityBin {
    /// How many.
    pub images: usize,
    /// How sure they are: the mean of their softmax.
    pub confidence: Percent,
    /// The share of them that is right.
    pub right: Percent,
}

/// How often answers are right that are about equally sure: 15 bins of equal width (Guo et al. 2017, figure 1),
/// without those that no answer falls into, the least sure first.
pub(crate) fn reliability(answers: &[(f64, bool)]) -> Vec<ReliabilityBin> {
    let mut bins = [(0, 0.0, 0_usize); BINS];
    for &(confidence, right) in answers {
        let (images, sum, correct) = &mut bins[bin_of(confidence)];
        *images += 1;
        *sum += confidence;
        *correct += usize::from(right);
    }
    let filled = bins.into_iter().filter(|(images, ..)| *images > 0);
    filled
        .map(|(images, sum, correct)| ReliabilityBin {
            images,
            confidence: Percent::of(sum / images as f64),
            right: Percent::ratio(correct as u64, images as u64),
        })
        .collect()
}

/// The bin that a confidence from 0 to 1 falls into.
fn bin_of(confidence: f64) -> usize {
    ((confidence * BINS as f64) as usize).min(BINS - 1)
}

/// Softmax of one of the logits, without overflow.
pub(crate) fn probability(logits: &[f32], class: usize) -> f64 {
    let sum: f64 = logits.iter().map(|&z| (f64::from(z) - f64::from(logits[class])).exp()).sum();
    1.0 / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_wilson() {
        // Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (part, whole, bounds) in [
            (81, 263, [0.2553, 0.3662]),
            (15, 148, [0.0624, 0.1605]),
            (0, 20, [0.0, 0.1611]),
            (1, 29, [0.0061, 0.1718]),
        ] {
            for (found, expected) in wilson(part, whole).iter().zip(bounds) {
                assert!((found - expected).abs() < 1e-4, "{part} of {whole}: {found}");
            }
        }
        assert_eq!(wilson(20, 20)[1], 1.0);
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }

    #[test]
    fn confidence_that_is_kept_costs_nothing() {
        let kept = [(0.5, true), (0.5, false), (1.0, true), (0.0, false)];
        assert_eq!(calibration_error(&kept), 0.0);
        assert_eq!(calibration_error(&[(0.9, false), (0.9, false)]), 0.9);
        assert_eq!(calibration_error(&[]), 0.0);
    }

    #[test]
    fn equally_sure_answers_are_counted_together() {
        let found = reliability(&[(0.91, true), (0.93, false), (0.2, false), (1.0, true)]);
        let told: Vec<_> =
            found.iter().map(|bin| (bin.images, bin.confidence.cell(), bin.right.cell())).collect();
        let expected = [(1, "20.00", "0.00"), (2, "92.00", "50.00"), (1, "100.00", "100.00")];
        assert_eq!(told, expected.map(|(n, a, b)| (n, a.to_owned(), b.to_owned())));
    }

    #[test]
    fn probabilities_sum_to_one() {
        let logits = [800.0, 801.0, -900.0];
        let sum: f64 = (0..3).map(|class| probability(&logits, class)).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        assert_eq!(probability(&[-900.0, 800.0], 0), 0.0);
    }
}
