//! A temperature per part and a bias per class.

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, Par, Side};
use rayon::prelude::*;

use super::scores::Scores;
use super::trials::{Trials, Turn, joined, judge, turns};

/// Weight of the penalties that keep temperatures near 1 and biases near 0, per image.
const PENALTY: f64 = 1e-4;

/// The least temperature: a negative one would turn a part's ranking around.
const LEAST: f64 = 1e-3;

/// Further penalties that are tried, falling: on biases, and on what keeps temperatures apart. The
/// first leaves little but one temperature for all.
const HOLDS: [f64; 8] = [10.0, 1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 0.0];

/// With so many images a class, nothing is held back.
const ENOUGH: usize = 100;

/// How far biases and temperatures are to be held back, as images held out in turns say.
pub(super) fn hold(scores: &Scores, seed: u64) -> f64 {
    if scores.truth.len() >= ENOUGH * scores.part.len() {
        return 0.0;
    }
    let turns = turns(scores, seed);
    let mut trials = Trials::new(&turns);
    for hold in HOLDS {
        let judged = |Turn { rest, held }: &Turn| {
            let (scale, shift, _) = affine(rest, hold);
            judge(held, &joined(held, |k, z| scale[k] * z + shift[k]))
        };
        trials.add(turns.par_iter().map(judged).collect());
        if trials.are_past_the_best() {
            break;
        }
    }
    HOLDS[trials.chosen()]
}

/// Minimises the mean cross-entropy of `softmax(t[part] * z + b)` by damped Newton steps; the
/// problem is convex in temperatures and biases. Temperatures stop at [`LEAST`].
pub(super) fn affine(scores: &Scores, hold: f64) -> (Vec<f32>, Vec<f32>, Vec<String>) {
    let count = scores.part.len();
    let parts = scores.part.iter().max().map_or(0, |last| last + 1);
    let unknowns = parts + count;
    let mut solution = vec![0.0f64; unknowns];
    solution[..parts].fill(1.0);
    let mut loss = cross_entropy(scores, &solution, parts, hold);
    for _ in 0..50 {
        let (mut gradient, mut hessian) = derivatives(scores, &solution, parts, hold);
        for k in (0..parts).filter(|&k| solution[k] <= LEAST) {
            if gradient[k] > 0.0 {
                fix(k, &mut gradient, &mut hessian);
            }
        }
        let right = Mat::from_fn(unknowns, 1, |r, _| gradient[r]);
        let Ok(factor) = hessian.llt(Side::Lower) else { break };
        let step = factor.solve(&right);
        let mut length = 1.0;
        let next = loop {
            let moved = |k: usize| solution[k] - length * step[(k, 0)];
            let least = |k: usize| if k < parts { LEAST } else { f64::NEG_INFINITY };
            let trial: Vec<f64> = (0..unknowns).map(|k| moved(k).max(least(k))).collect();
            let trial_loss = cross_entropy(scores, &trial, parts, hold);
            if trial_loss < loss || length < 1e-6 {
                break (trial, trial_loss);
            }
            length /= 2.0;
        };
        let gain = loss - next.1;
        if gain > 0.0 {
            (solution, loss) = next;
        }
        if gain < 1e-10 {
            break;
        }
    }
    let mut seen = vec![false; count];
    scores.truth.iter().for_each(|&k| seen[k] = true);
    let notes = (0..count)
        .filter(|&k| !seen[k])
        .map(|k| {
            format!(
                "class `{}`: no calibration image; its bias rests on other classes' images",
                scores.names[k]
            )
        })
        .collect();
    let scale = scores.part.iter().map(|&part| solution[part] as f32).collect();
    (scale, solution[parts..].iter().map(|&b| b as f32).collect(), notes)
}

/// Takes an unknown out of a Newton step.
fn fix(k: usize, gradient: &mut [f64], hessian: &mut Mat<f64>) {
    gradient[k] = 0.0;
    for other in 0..gradient.len() {
        let same = f64::from(u8::from(other == k));
        (hessian[(k, other)], hessian[(other, k)]) = (same, same);
    }
}

/// Logarithms of the calibrated probabilities.
fn calibrated(scores: &Scores, row: &[f32], solution: &[f64], parts: usize) -> Vec<f64> {
    let logit = |k: usize| solution[scores.part[k]] * f64::from(row[k]) + solution[parts + k];
    let logits: Vec<f64> = (0..row.len()).map(logit).collect();
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|z| (z - top).exp()).sum();
    logits.into_iter().map(|z| z - top - total.ln()).collect()
}

fn penalty(solution: &[f64], parts: usize, hold: f64) -> f64 {
    let off = |from: f64| solution[..parts].iter().map(|t| (t - from).powi(2)).sum::<f64>();
    let biases: f64 = solution[parts..].iter().map(|b| b * b).sum();
    (PENALTY * (off(1.0) + biases) + hold * (off(mean(&solution[..parts])) + biases)) / 2.0
}

fn mean(temperatures: &[f64]) -> f64 {
    temperatures.iter().sum::<f64>() / temperatures.len() as f64
}

fn cross_entropy(scores: &Scores, solution: &[f64], parts: usize, hold: f64) -> f64 {
    let count = scores.part.len();
    let rows = scores.logits.data().chunks(count).zip(&scores.truth);
    let sum: f64 = rows.map(|(row, &truth)| -calibrated(scores, row, solution, parts)[truth]).sum();
    sum / scores.truth.len() as f64 + penalty(solution, parts, hold)
}

/// Rows whose probabilities are held at a time.
const ROWS: usize = 1024;

/// Gradient and Hessian of the penalised mean cross-entropy.
fn derivatives(scores: &Scores, solution: &[f64], parts: usize, hold: f64) -> (Vec<f64>, Mat<f64>) {
    let count = scores.part.len();
    let unknowns = solution.len();
    let (mut gradient, mut hessian) = (vec![0.0; unknowns], Mat::<f64>::zeros(unknowns, unknowns));
    let weight = 1.0 / scores.truth.len() as f64;
    for (rows, truths) in scores.logits.data().chunks(ROWS * count).zip(scores.truth.chunks(ROWS)) {
        // The mean of every logit's derivative by the unknowns: that of logit k by the temperature of its part is z_k, by
        // its bias 1.
        let mut means = Mat::<f64>::zeros(truths.len(), unknowns);
        for (at, (row, &truth)) in rows.chunks(count).zip(truths).enumerate() {
            for (k, p) in calibrated(scores, row, solution, parts).into_iter().enumerate() {
                let (p, z) = (p.exp(), f64::from(row[k]));
                let error = p - f64::from(u8::from(k == truth));
                let (t, b) = (scores.part[k], parts + k);
                gradient[t] += weight * error * z;
                gradient[b] += weight * error;
                means[(at, t)] += p * z;
                means[(at, b)] += p;
                hessian[(t, t)] += weight * p * z * z;
                hessian[(t, b)] += weight * p * z;
                hessian[(b, t)] += weight * p * z;
                hessian[(b, b)] += weight * p;
            }
        }
        let turned = means.transpose();
        matmul(hessian.as_mut(), Accum::Add, turned, means.as_ref(), -weight, Par::Seq);
    }
    for k in 0..unknowns {
        gradient[k] += PENALTY * (solution[k] - f64::from(u8::from(k < parts)));
        hessian[(k, k)] += PENALTY + hold;
        let from = if k < parts { mean(&solution[..parts]) } else { 0.0 };
        gradient[k] += hold * (solution[k] - from);
    }
    for at in (0..parts).flat_map(|r| (0..parts).map(move |c| (r, c))) {
        hessian[at] -= hold / parts as f64;
    }
    (gradient, hessian)
}

#[cfg(test)]
mod tests {
    use super::super::scores::tests::two_parts;
    use super::*;

    #[test]
    fn derivatives_agree_with_differences() {
        let scores = two_parts(2.0, 1.0);
        let at = [1.1, 0.8, 0.1, -0.2, 0.3, 0.0];
        let (gradient, hessian) = derivatives(&scores, &at, 2, 0.3);
        let moved = |k: usize, by: f64| {
            let mut x = at;
            x[k] += by;
            x
        };
        for k in 0..6 {
            let (up, down) = (moved(k, 1e-5), moved(k, -1e-5));
            let slope = (cross_entropy(&scores, &up, 2, 0.3)
                - cross_entropy(&scores, &down, 2, 0.3))
                / 2e-5;
            assert!((slope - gradient[k]).abs() < 1e-7, "{k}: {slope} {}", gradient[k]);
            let (up, down) =
                (derivatives(&scores, &up, 2, 0.3).0, derivatives(&scores, &down, 2, 0.3).0);
            for c in 0..6 {
                assert!(((up[c] - down[c]) / 2e-5 - hessian[(k, c)]).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn held_back_far_enough_all_parts_share_a_temperature() {
        let scores = two_parts(3.0, 1.0);
        let (scale, shift, _) = affine(&scores, 1e6);
        assert!((scale[0] - scale[3]).abs() < 1e-3 && shift.iter().all(|b| b.abs() < 1e-3));
        let (scale, _, _) = affine(&scores, 0.0);
        assert!((scale[0] - scale[3]).abs() > 0.1, "{scale:?}");
        // What so unequal parts gain is surely more than chance.
        assert!(hold(&scores, 1) < 0.1, "{}", hold(&scores, 1));
    }
}
