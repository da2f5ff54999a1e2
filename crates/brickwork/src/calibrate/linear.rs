//! A linear correction of the affine logits, from what the last layers of all parts read and the raw
//! logits: a multinomial logistic regression with the affine scores as offset. Its penalty is chosen
//! on images held out in turns; where none helps, there is no correction.

use brickwork_tensor::Tensor;
use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::affine::affine;
use super::{Method, Scores, correction, loss_of, with_factors};
use crate::card::{CalibrationNote, OnDuplicate};
use crate::classifier::Classifier;
use crate::error::Error;
use crate::progress::Progress;
use crate::regression::{Fits, Problem, Regression, softmax};

/// What is added to the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One number to all logits of a part, from the part's own features.
    Background,
    /// One number to every class, from all features.
    Linear,
}

/// Penalties tried, falling. Features are standardised, the loss is a mean over images.
const PENALTIES: [f64; 10] = [3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4];

/// Parts of the calibration images that are held out in turns.
const FOLDS: usize = 5;

/// Images of a class below which its share in the correction is called uncertain.
const FEW: usize = 5;

/// Calibrates `plain` by what was `scores`d with a correction of zero, which `zero` has.
pub(super) fn linear(
    [plain, zero]: [&Classifier; 2],
    scores: &Scores,
    owners: &[usize],
    form: Form,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    let correcting = Correcting { form, owners };
    let trials = correcting.trials(scores, seed, progress);
    let chosen = trials.best();
    let (scale, shift, mut notes) = affine(scores);
    let map = correcting.fitted(scores, [&scale, &shift], chosen);
    let right = |score: &dyn Fn(&Scores) -> Mat<f64>| judge(scores, &score(scores)).1;
    let before = right(&|scores| joined(scores, |_, z| z));
    let after = right(&|scores| correcting.scores(scores, [&scale, &shift], map.as_ref()));
    let count = scores.truth.len() as f64;
    notes.push(trials.words(scores));
    notes.extend(few_words(scores, chosen));
    notes.extend(loss_of(form.method(), before as f64 / count, after as f64 / count));
    notes.iter().for_each(|note| progress.note(note));
    let note = CalibrationNote {
        method: form.method().name().to_owned(),
        images: scores.truth.len(),
        scale,
        shift,
        notes,
    };
    match map {
        None => with_factors(plain, Some(note)),
        Some(map) => {
            let (weights, bias) = correcting.spread(scores, &map);
            with_factors(&correction::set(zero, weights, bias)?, Some(note))
        }
    }
}

impl Form {
    fn method(self) -> Method {
        match self {
            Self::Background => Method::Background,
            Self::Linear => Method::Linear,
        }
    }

    /// For every logit, which of the correction's numbers is added to it.
    fn column(self, scores: &Scores) -> &[usize] {
        match self {
            Self::Background => &scores.part,
            Self::Linear => &scores.place,
        }
    }
}

/// How a correction of one form is found.
struct Correcting<'a> {
    form: Form,
    /// The part of every feature.
    owners: &'a [usize],
}

impl Correcting<'_> {
    /// The regression that finds the correction.
    ///
    /// A number added to all logits of a part leaves their differences as they are: what is left of
    /// the loss is that of a choice between parts, each with the sum of its logits' exponentials. An
    /// image of a class that several parts hold is each one's in proportion to their odds.
    fn problem<'s>(&'s self, scores: &'s Scores, [scale, shift]: [&[f32]; 2]) -> Problem<'s> {
        let change = |k: usize, z: f32| scale[k] * z + shift[k];
        let (n, features) = (scores.truth.len(), &scores.features);
        let class = |row: usize| scores.place[scores.truth[row]];
        if self.form == Form::Linear {
            let offset = joined(scores, change);
            let target =
                Mat::from_fn(n, offset.ncols(), |row, k| f64::from(u8::from(k == class(row))));
            return Problem { features, target, offset, owners: None };
        }
        let parts = scores.part.iter().max().map_or(0, |last| last + 1);
        let odds = |row: usize, part: usize, of: Option<usize>| {
            let logits = &scores.logits.data()[row * scores.part.len()..][..scores.part.len()];
            let own = (0..logits.len())
                .filter(|&k| scores.part[k] == part && of.is_none_or(|of| scores.place[k] == of));
            log_sum(own.map(|k| f64::from(change(k, logits[k]))))
        };
        let offset = Mat::from_fn(n, parts, |row, part| odds(row, part, None));
        let target = softmax(Mat::from_fn(n, parts, |row, part| odds(row, part, Some(class(row)))));
        Problem { features, target, offset, owners: Some(self.owners) }
    }

    /// The scores `[n, classes]` after the factors, the shifts and the correction.
    fn scores(
        &self,
        scores: &Scores,
        [scale, shift]: [&[f32]; 2],
        map: Option<&Regression>,
    ) -> Mat<f64> {
        let Some(map) = map else { return joined(scores, |k, z| scale[k] * z + shift[k]) };
        let (added, column) = (map.scores(&scores.features), self.form.column(scores));
        let width = column.len();
        let corrected = |at: usize, z: f32| {
            let (row, k) = (at / width, at % width);
            scale[k] * z + added[(row, column[k])] as f32 + shift[k]
        };
        let logits = scores.logits.data().iter().enumerate().map(|(at, &z)| corrected(at, z));
        let logits = Tensor::new(scores.logits.shape(), logits.collect());
        joined(&Scores { logits, ..scores.of(&[]) }, |_, z| z)
    }

    /// The correction with a penalty; none without.
    fn fitted(
        &self,
        scores: &Scores,
        factors: [&[f32]; 2],
        penalty: Option<f64>,
    ) -> Option<Regression> {
        let penalty = penalty?;
        let problem = self.problem(scores, factors);
        let fits = Fits::new(&problem);
        let path = PENALTIES.iter().filter(|&&p| p >= penalty);
        Some(path.fold(fits.zero(), |map, &p| fits.fit(p, map)))
    }

    /// What every penalty gives on images held out in turns.
    fn trials(&self, scores: &Scores, seed: u64, progress: &dyn Progress) -> Trials {
        let folds = folds(scores, seed);
        let mut trials = Trials::default();
        progress.begin("choosing the penalty", FOLDS as u64);
        for fold in 0..FOLDS {
            let side = |held: bool| -> Vec<usize> {
                (0..folds.len()).filter(|&row| (folds[row] == fold) == held).collect()
            };
            let (rest, held) = (side(false), side(true));
            if !rest.is_empty() && !held.is_empty() {
                self.try_penalties(&scores.of(&rest), &scores.of(&held), &mut trials);
            }
            progress.step(1);
        }
        trials
    }

    /// Adds what every penalty, fitted to `rest`, does to `held`.
    fn try_penalties(&self, rest: &Scores, held: &Scores, trials: &mut Trials) {
        let (scale, shift, _) = affine(rest);
        let factors = [&scale[..], &shift[..]];
        let score = |map: Option<&Regression>| judge(held, &self.scores(held, factors, map));
        trials.images += held.truth.len();
        trials.add(0, score(None));
        let problem = self.problem(rest, factors);
        let fits = Fits::new(&problem);
        let mut map = fits.zero();
        for (k, &penalty) in PENALTIES.iter().enumerate() {
            map = fits.fit(penalty, map);
            trials.add(k + 1, score(Some(&map)));
        }
    }

    /// Weights `[features, logits]` and biases of the layer that adds the correction to the logits.
    fn spread(&self, scores: &Scores, map: &Regression) -> (Tensor, Vec<f32>) {
        let (weights, bias) = map.plain();
        let column = self.form.column(scores);
        let rows = (0..weights.nrows()).flat_map(|f| column.iter().map(move |&k| (f, k)));
        let data = rows.map(|at| weights[at] as f32).collect();
        let weights = Tensor::new([weights.nrows(), column.len()], data);
        (weights, column.iter().map(|&k| bias[k] as f32).collect())
    }
}

/// Loss and correct images without a correction, then with every penalty.
#[derive(Default)]
struct Trials {
    images: usize,
    loss: [f64; PENALTIES.len() + 1],
    right: [usize; PENALTIES.len() + 1],
}

impl Trials {
    fn add(&mut self, place: usize, (loss, right): (f64, usize)) {
        self.loss[place] += loss;
        self.right[place] += right;
    }

    fn place(&self) -> usize {
        (1..self.loss.len())
            .fold(0, |best, k| if self.loss[k] < self.loss[best] { k } else { best })
    }

    /// The penalty of the lowest loss; none if that is without a correction.
    fn best(&self) -> Option<f64> {
        self.place().checked_sub(1).map(|k| PENALTIES[k])
    }

    fn words(&self, scores: &Scores) -> String {
        let share = |place: usize| 100.0 * self.right[place] as f64 / self.images.max(1) as f64;
        let says = |what: String| {
            format!("of {} calibration images, held out in turns, {what}", scores.truth.len())
        };
        match self.best() {
            None => says(format!(
                "{:.2} % are right by affine alone; no correction lowers the loss, so it is left out",
                share(0)
            )),
            Some(penalty) => says(format!(
                "{:.2} % are right by affine alone, {:.2} % with the correction (penalty {penalty})",
                share(0),
                share(self.place())
            )),
        }
    }
}

/// What fewer than [`FEW`] images of a class cost.
fn few_words(scores: &Scores, chosen: Option<f64>) -> Option<String> {
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
    let cost = match chosen {
        None => "the correction was left out, which leaves affine".to_owned(),
        Some(penalty) => {
            format!("the correction is held back by a penalty of {penalty} and rests on the others")
        }
    };
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
fn joined(scores: &Scores, change: impl Fn(usize, f32) -> f32) -> Mat<f64> {
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

/// The summed cross-entropy of scores `[n, classes]`, and how many rows are right.
fn judge(scores: &Scores, found: &Mat<f64>) -> (f64, usize) {
    let (mut loss, mut right) = (0.0, 0);
    for (row, &truth) in scores.truth.iter().enumerate() {
        let truth = scores.place[truth];
        let own = found[(row, truth)];
        loss += log_sum((0..found.ncols()).map(|k| found[(row, k)])) - own;
        right += usize::from((0..found.ncols()).all(|k| k == truth || found[(row, k)] < own));
    }
    (loss, right)
}

/// The logarithm of the sum of exponentials.
fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        top
    } else {
        top + values.map(|z| (z - top).exp()).sum::<f64>().ln()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::two_parts;
    use super::*;
    use crate::progress::Silent;
    use crate::random::uniform;

    const OWNERS: [usize; 6] = [0, 1, 0, 0, 1, 1];

    /// Equal parts, a feature of each, and the logits.
    fn scores(feature: impl Fn(usize, usize) -> f32) -> Scores {
        let scores = two_parts(1.0, 1.0);
        let row = |row: usize| {
            let logits = &scores.logits.data()[4 * row..4 * row + 4];
            [feature(row, 0), feature(row, 1)].into_iter().chain(logits.iter().copied())
        };
        let features = Tensor::new([40, 6], (0..40).flat_map(row).collect());
        Scores { features, ..scores }
    }

    fn trials(scores: &Scores, form: Form) -> Trials {
        Correcting { form, owners: &OWNERS }.trials(scores, 3, &Silent)
    }

    #[test]
    fn a_correction_is_never_chosen_against_the_images_held_out() {
        for seed in 0..8 {
            let noise = uniform([40, 2], -1.0, 1.0, seed);
            let scores = scores(|row, k| noise.data()[2 * row + k]);
            let some = scores.of(&(0..20).collect::<Vec<_>>());
            for form in [Form::Background, Form::Linear] {
                let found = trials(&some, form);
                assert_eq!(found.images, 20);
                assert!(found.loss[found.place()] <= found.loss[0], "{:?}", found.loss);
            }
        }
    }

    #[test]
    fn a_gate_learns_what_is_not_its_parts() {
        // Logits that say nothing, and a feature of each part that says whether an image is its own.
        let mut scores = scores(|row, k| if row % 4 / 2 == k { 1.0 } else { -1.0 });
        scores.logits = Tensor::new(
            [40, 4],
            (0..40)
                .flat_map(|r| (0..4).map(move |k| if k % 2 == r % 2 { 1.0 } else { 0.0 }))
                .collect(),
        );
        let found = trials(&scores, Form::Background);
        assert!(found.right[0] < 25 && found.right[found.place()] == 40, "{:?}", found.right);
        let correcting = Correcting { form: Form::Background, owners: &OWNERS };
        let factors = [&[1.0; 4][..], &[0.0; 4][..]];
        let map = correcting.fitted(&scores, factors, found.best()).unwrap();
        let (weights, _) = correcting.spread(&scores, &map);
        // A part's logits read its own features alone, and all the same.
        for (feature, &owner) in OWNERS.iter().enumerate() {
            let row = &weights.data()[4 * feature..4 * feature + 4];
            assert!(row[2 * owner] == row[2 * owner + 1], "{row:?}");
            assert_eq!(row[2 * (1 - owner)..2 * (1 - owner) + 2], [0.0; 2]);
        }
        assert!(weights.data()[0] > 0.0);
    }

    #[test]
    fn every_class_is_spread_over_the_folds() {
        let scores = scores(|_, _| 0.0);
        let folds = folds(&scores, 7);
        for class in 0..4 {
            for fold in 0..FOLDS {
                let both = |row: &usize| scores.truth[*row] == class && folds[*row] == fold;
                assert_eq!((0..40).filter(both).count(), 2);
            }
        }
    }

    #[test]
    fn classes_of_few_images_are_named() {
        let scores = scores(|_, _| 0.0).of(&[0, 4, 8, 12, 16, 1, 2, 3, 5, 6, 10, 14, 18]);
        let said = few_words(&scores, None).unwrap();
        assert_eq!(
            said,
            "fewer than 5 calibration images of `b` (2), `d` (1): the correction was left out, which \
             leaves affine"
        );
        assert!(few_words(&scores, Some(0.3)).unwrap().contains("a penalty of 0.3"));
    }
}
