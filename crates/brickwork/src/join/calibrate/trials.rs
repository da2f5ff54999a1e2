//! Choosing how far to trust calibration images: parts of them are held out in turns, and of several
//! ways to calibrate, from the most careful to the freest, the rest judge.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::scores::Scores;
use crate::images::image_set::evenly;
use crate::model::card::{HeldOutCounts, OnDuplicate};
use crate::model::percent::Percent;

/// Parts of the calibration images that are held out in turns.
pub(super) const FOLDS: usize = 5;

/// Images of a class below which what it says is called uncertain.
const FEW: usize = 5;

/// So many ways in a row that are worse than one before them are the last that are tried.
const PATIENCE: usize = 3;

/// Images that are held out in turns, at most: all of many would take long.
const TRIED: usize = 10_000;

/// The images to hold out in turns: all, or some of many.
pub(super) fn tried(scores: &Scores) -> Scores {
    scores.of(&evenly(scores.truth.len(), TRIED).collect::<Vec<_>>())
}

/// Images that a way is fitted to, and others that judge it.
pub(super) struct Turn {
    pub(super) rest: Scores,
    pub(super) held: Scores,
}

/// Every part of the images held out once, where others are left.
pub(super) fn turns(scores: &Scores, seed: u64) -> Vec<Turn> {
    let folds = folds(scores, seed);
    let turn = |fold: usize| {
        let side = |held: bool| -> Scores {
            let rows = (0..folds.len()).filter(|&row| (folds[row] == fold) == held);
            scores.of(&rows.collect::<Vec<_>>())
        };
        Turn { rest: side(false), held: side(true) }
    };
    let usable = |turn: &Turn| !turn.rest.truth.is_empty() && !turn.held.truth.is_empty();
    (0..FOLDS).map(turn).filter(usable).collect()
}

/// What images held out in turns say of factors and shifts, which `fitted` finds for the rest.
pub(super) fn of_factors(
    scores: &Scores,
    seed: u64,
    fitted: impl Fn(&Scores) -> (Vec<f32>, Vec<f32>, Vec<String>) + Sync,
) -> Option<HeldOutCounts> {
    let turns = turns(&tried(scores), seed);
    let mut trials = Trials::new(&turns);
    let judged = |Turn { rest, held }: &Turn| {
        let (scale, shift, _) = fitted(rest);
        judge(held, &joined(held, |k, z| scale[k] * z + shift[k]))
    };
    trials.add(turns.par_iter().map(judged).collect());
    trials.counts(0)
}

/// What every way gives on images held out in turns.
pub(super) struct Trials {
    /// The loss of every image, by way.
    pub(super) losses: Vec<Vec<f64>>,
    /// Images that are right, by way.
    right: Vec<usize>,
    /// Images that are right by the scores as they are.
    right_before: usize,
}

impl Trials {
    /// Before any way is tried.
    pub(super) fn new(turns: &[Turn]) -> Self {
        let right = |turn: &Turn| judge(&turn.held, &joined(&turn.held, |_, z| z)).1;
        let right_before = turns.iter().map(right).sum();
        Self { losses: Vec::new(), right: Vec::new(), right_before }
    }

    /// Adds a way: the losses of what each turn holds out, and how much of it is right.
    pub(super) fn add(&mut self, judged: Vec<(Vec<f64>, usize)>) {
        self.right.push(judged.iter().map(|(_, right)| right).sum());
        self.losses.push(judged.into_iter().flat_map(|(losses, _)| losses).collect());
    }

    /// Whether the last ways, ever freer, were all worse than one before them.
    pub(super) fn are_past_the_best(&self) -> bool {
        let sums: Vec<f64> = self.losses.iter().map(|losses| losses.iter().sum()).collect();
        let (before, last) = sums.split_at(sums.len().saturating_sub(PATIENCE));
        let best = before.iter().copied().fold(f64::INFINITY, f64::min);
        last.iter().all(|&loss| loss > best)
    }

    /// The most careful way whose loss is within a standard error of the lowest (Breiman et al. 1984,
    /// section 3.4.3; here of the difference, image by image).
    pub(super) fn chosen(&self) -> usize {
        let sum = |way: &usize| self.losses[*way].iter().sum::<f64>();
        let ways = 0..self.losses.len();
        let best = ways.clone().min_by(|a, b| sum(a).total_cmp(&sum(b))).unwrap_or(0);
        let close = |way: &usize| {
            let pairs = self.losses[*way].iter().zip(&self.losses[best]);
            let apart: Vec<f64> = pairs.map(|(a, b)| a - b).collect();
            let count = apart.len() as f64;
            let mean = apart.iter().sum::<f64>() / count;
            let variance = apart.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / count;
            *way == best || mean <= (variance / count).sqrt()
        };
        ways.into_iter().find(close).unwrap_or(best)
    }

    /// Share of the held-out images that are right.
    pub(super) fn right(&self, way: usize) -> Percent {
        Percent::ratio(self.right[way] as u64, self.losses[way].len() as u64)
    }

    /// What the held-out images say of a way, if there are any.
    pub(super) fn counts(&self, way: usize) -> Option<HeldOutCounts> {
        let (images, right_after) = (self.losses[way].len(), self.right[way]);
        let right_before = self.right_before;
        (images > 0).then_some(HeldOutCounts { images, right_before, right_after })
    }
}

/// The classes with fewer than [`FEW`] images, if there are any, and what that costs.
pub(super) fn few_words(scores: &Scores, cost: &str) -> Option<String> {
    let count = |class: usize| scores.truth.iter().filter(|&&k| scores.place[k] == class).count();
    let classes = scores.place.iter().max().map_or(0, |last| last + 1);
    let few: Vec<String> = (0..classes)
        .map(|class| (class, count(class)))
        .filter(|&(_, count)| count < FEW)
        .filter_map(|(class, count)| {
            let logit = scores.place.iter().position(|&place| place == class)?;
            Some(format!("`{}` ({count})", scores.names[logit]))
        })
        .collect();
    (!few.is_empty())
        .then(|| format!("fewer than {FEW} calibration images of {}: {cost}", few.join(", ")))
}

/// The fold of every image: every class is spread over the folds, at random.
fn folds(scores: &Scores, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..scores.truth.len()).collect();
    for k in 1..order.len() {
        order.swap(k, rng.random_range(0..=k));
    }
    order.sort_by_key(|&row| scores.truth[row]);
    let mut folds = vec![0; order.len()];
    order.iter().enumerate().for_each(|(k, &row)| folds[row] = k % FOLDS);
    folds
}

/// The scores `[n, classes]` of the model after `change(logit, value)`.
pub(super) fn joined(scores: &Scores, change: impl Fn(usize, f32) -> f32) -> Mat<f64> {
    let classes = scores.place.iter().max().map_or(0, |last| last + 1);
    let sources: Vec<Vec<usize>> = (0..classes)
        .map(|class| (0..scores.place.len()).filter(|&k| scores.place[k] == class).collect())
        .collect();
    let width = scores.place.len();
    let logits = scores.logits.data();
    Mat::from_fn(logits.len() / width, classes, |row, class| {
        let values = sources[class].iter().map(|&k| change(k, logits[row * width + k]));
        f64::from(OnDuplicate::join(scores.joined, values))
    })
}

/// The cross-entropy of every row of scores `[n, classes]`, and how many rows are right.
pub(super) fn judge(scores: &Scores, found: &Mat<f64>) -> (Vec<f64>, usize) {
    let truth = |row: usize| scores.place[scores.truth[row]];
    let all = |row: usize| (0..found.ncols()).map(move |k| found[(row, k)]);
    let loss = |row: usize| log_sum(all(row)) - found[(row, truth(row))];
    let right = |row: &usize| {
        let own = found[(*row, truth(*row))];
        all(*row).enumerate().all(|(k, z)| k == truth(*row) || z < own)
    };
    let rows = 0..found.nrows();
    (rows.clone().map(loss).collect(), rows.filter(right).count())
}

/// The logarithm of the sum of exponentials.
pub(super) fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        top
    } else {
        top + values.map(|z| (z - top).exp()).sum::<f64>().ln()
    }
}

#[cfg(test)]
mod tests {
    use super::super::scores::tests::two_parts;
    use super::*;

    #[test]
    fn every_class_is_spread_over_the_folds() {
        let scores = two_parts(1.0, 1.0);
        let folds = folds(&scores, 7);
        for class in 0..4 {
            for fold in 0..FOLDS {
                let both = |row: &usize| scores.truth[*row] == class && folds[*row] == fold;
                assert_eq!((0..40).filter(both).count(), 2);
            }
        }
    }

    #[test]
    fn a_single_image_cannot_be_held_out() {
        let as_they_are = |_: &Scores| (vec![1.0; 4], vec![0.0; 4], Vec::new());
        let of = |rows: &[usize]| of_factors(&two_parts(1.0, 1.0).of(rows), 7, as_they_are);
        assert_eq!(of(&[0]), None);
        let counts = HeldOutCounts { images: 2, right_before: 2, right_after: 2 };
        assert_eq!(of(&[0, 1]), Some(counts));
    }

    #[test]
    fn the_most_careful_of_ways_as_good_as_the_best_is_chosen() {
        let of = |losses: &[&[f64]]| {
            let losses: Vec<Vec<f64>> = losses.iter().map(|way| way.to_vec()).collect();
            Trials { right: vec![0; losses.len()], losses, right_before: 0 }.chosen()
        };
        assert_eq!(of(&[&[2.0; 4], &[1.0; 4], &[1.5; 4]]), 1);
        // Better by a hair, and worse as often as better.
        assert_eq!(of(&[&[1.0, 1.0, 1.0, 1.0], &[0.2, 1.7, 0.2, 1.7]]), 0);
        assert_eq!(of(&[&[], &[]]), 0);
    }

    #[test]
    fn classes_of_few_images_are_named() {
        let scores = two_parts(1.0, 1.0).of(&[0, 4, 8, 12, 16, 1, 2, 3, 5, 6, 10, 14, 18]);
        assert_eq!(
            few_words(&scores, "a pity").unwrap(),
            "fewer than 5 calibration images of `b` (2), `d` (1): a pity"
        );
        assert_eq!(few_words(&two_parts(1.0, 1.0), "a pity"), None);
    }
}
