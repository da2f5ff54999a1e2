//! A linear correction of the affine logits, from what the last layers of all parts read and the raw
//! logits: a multinomial logistic regression with the affine scores as offset. Its penalty is chosen
//! on images held out in turns; where none helps, there is no correction.

use brickwork_tensor::Tensor;
use faer::Mat;
use rayon::prelude::*;

use super::affine::{affine, hold};
use super::correction;
use super::factors::with_factors;
use super::method::{Method, loss_of};
use super::scores::Scores;
use super::trials::{Trials, Turn, few_words, joined, judge, log_sum, tried, turns};
use crate::model::card::CalibrationNote;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;
use crate::refit::regression::{EXACT, Fits, Problem, Regression, softmax};

/// What is added to the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CorrectionForm {
    /// One number to all logits of a part, from the part's own features.
    Background,
    /// One number to every class, from all features.
    Linear,
}

/// Penalties tried, falling. Features are standardised, the loss is a mean over images.
const PENALTIES: [f64; 10] = [3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4];

/// Fits that are only compared, or that others start from, end with a step this short.
const NEAR: f64 = 1e-4;

/// Calibrates `plain` by what was `scores`d with a correction of zero, which `zero` has.
pub(super) fn linear(
    [plain, zero]: [&Classifier; 2],
    scores: &Scores,
    owners: &[usize],
    form: CorrectionForm,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    let correcting = Correcting { form, owners, hold: hold(scores, seed) };
    progress.begin("fitting the correction", PENALTIES.len() as u64 + 1);
    let some = tried(scores);
    let trials = correcting.trials(&some, seed, progress)?;
    let chosen = trials.chosen().checked_sub(1).map(|k| PENALTIES[k]);
    let (scale, shift, mut notes) = affine(scores, correcting.hold);
    let start = correcting.fitted(&some, [&scale, &shift], chosen);
    let map = correcting.refined(scores, [&scale, &shift], start.zip(chosen));
    progress.advance(1)?;
    let right = |score: &dyn Fn(&Scores) -> Mat<f64>| judge(scores, &score(scores)).1;
    let before = right(&|scores| joined(scores, |_, z| z));
    let after = right(&|scores| correcting.scores(scores, [&scale, &shift], map.as_ref()));
    let count = scores.truth.len() as f64;
    notes.push(words(some.truth.len(), &trials, chosen));
    notes.extend(few_words(scores, &cost(chosen)));
    notes.extend(loss_of(form.method(), before as f64 / count, after as f64 / count));
    notes.iter().for_each(|note| progress.note(note));
    let note = CalibrationNote {
        method: form.method().name().to_owned(),
        images: scores.truth.len(),
        scale,
        shift,
        notes,
        held_out: trials.counts(trials.chosen()),
    };
    match map {
        None => with_factors(plain, Some(note)),
        Some(map) => {
            let (weights, bias) = correcting.spread(scores, &map);
            with_factors(&correction::set(zero, weights, bias)?, Some(note))
        }
    }
}

impl CorrectionForm {
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
    form: CorrectionForm,
    /// The part of every feature.
    owners: &'a [usize],
    /// How far affine is held back.
    hold: f64,
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
        if self.form == CorrectionForm::Linear {
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
        Some(path.fold(fits.zero(), |map, &p| fits.fit(p, map, NEAR)))
    }

    /// The correction that was found with a penalty on some images, fitted to all of them.
    fn refined(
        &self,
        scores: &Scores,
        factors: [&[f32]; 2],
        found: Option<(Regression, f64)>,
    ) -> Option<Regression> {
        let (start, penalty) = found?;
        let problem = self.problem(scores, factors);
        let fits = Fits::new(&problem);
        Some(fits.fit(penalty, fits.like(&start), EXACT))
    }

    /// No correction, then every penalty until some in a row are past the best, on images held out in turns.
    fn trials(&self, scores: &Scores, seed: u64, progress: &dyn Progress) -> Result<Trials, Error> {
        let turns = turns(scores, seed);
        let mut trials = Trials::new(&turns);
        let factors = |turn: &Turn| affine(&turn.rest, self.hold);
        let factors: Vec<_> = turns.par_iter().map(factors).collect();
        let changes = |k: usize| [&factors[k].0[..], &factors[k].1[..]];
        let problem = |k: usize| self.problem(&turns[k].rest, changes(k));
        let problems: Vec<Problem<'_>> = (0..turns.len()).into_par_iter().map(problem).collect();
        let fits: Vec<Fits<'_>> = problems.par_iter().map(Fits::new).collect();
        let judged = |k: usize, map: Option<&Regression>| {
            judge(&turns[k].held, &self.scores(&turns[k].held, changes(k), map))
        };
        trials.add((0..turns.len()).into_par_iter().map(|k| judged(k, None)).collect());
        let mut maps: Vec<Regression> = fits.iter().map(Fits::zero).collect();
        for penalty in PENALTIES {
            fits.par_iter().zip(&mut maps).try_for_each(|(fits, map)| {
                *map = fits.fit(penalty, map.clone(), NEAR);
                progress.advance(0)
            })?;
            let each = maps.par_iter().enumerate().map(|(k, map)| judged(k, Some(map)));
            trials.add(each.collect());
            progress.advance(1)?;
            if trials.are_past_the_best() {
                break;
            }
        }
        Ok(trials)
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

/// What the correction does to images held out in turns.
fn words(count: usize, trials: &Trials, chosen: Option<f64>) -> String {
    let alone = format!(
        "of {count} calibration images, held out in turns, {} are right by affine alone",
        trials.right(0)
    );
    match chosen {
        None => format!("{alone}; no correction is surely better, so it is left out"),
        Some(penalty) => {
            let with = trials.right(trials.chosen());
            format!("{alone}, {with} with the correction (penalty {penalty})")
        }
    }
}

/// What few images of a class cost.
fn cost(chosen: Option<f64>) -> String {
    match chosen {
        None => "the correction is left out, which leaves affine".to_owned(),
        Some(penalty) => {
            format!(
                "the correction, held back by a penalty of {penalty}, rests on the other classes"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scores::tests::two_parts;
    use super::*;
    use crate::model::progress::Silent;
    use crate::model::random::uniform;

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

    fn correcting(form: CorrectionForm) -> Correcting<'static> {
        Correcting { form, owners: &OWNERS, hold: 0.0 }
    }

    #[test]
    fn a_correction_is_never_chosen_against_the_images_held_out() {
        for seed in 0..8 {
            let noise = uniform([40, 2], -1.0, 1.0, seed);
            let scores = scores(|row, k| noise.data()[2 * row + k]);
            let some = scores.of(&(0..20).collect::<Vec<_>>());
            for form in [CorrectionForm::Background, CorrectionForm::Linear] {
                let trials = correcting(form).trials(&some, 3, &Silent).unwrap();
                let lost = |way: usize| trials.losses[way].iter().sum::<f64>();
                assert_eq!(trials.losses[0].len(), 20);
                assert!(lost(trials.chosen()) <= lost(0), "{seed} {form:?}");
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
        let correcting = correcting(CorrectionForm::Background);
        let trials = correcting.trials(&scores, 3, &Silent).unwrap();
        assert!(trials.right(0).share() < 0.6);
        assert_eq!(trials.right(trials.chosen()).share(), 1.0);
        let penalty = trials.chosen().checked_sub(1).map(|k| PENALTIES[k]);
        let map = correcting.fitted(&scores, [&[1.0; 4], &[0.0; 4]], penalty).unwrap();
        let (weights, _) = correcting.spread(&scores, &map);
        // A part's logits read its own features alone, and all the same.
        for (feature, &owner) in OWNERS.iter().enumerate() {
            let row = &weights.data()[4 * feature..4 * feature + 4];
            assert!(row[2 * owner] == row[2 * owner + 1], "{row:?}");
            assert_eq!(row[2 * (1 - owner)..2 * (1 - owner) + 2], [0.0; 2]);
        }
        assert!(weights.data()[0] > 0.0);
    }
}
