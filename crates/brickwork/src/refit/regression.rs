//! Multinomial logistic regression.

use brickwork_tensor::Tensor;
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, Par, Side};
use rayon::prelude::*;

/// Penalty of the squared weights, per image, where none is chosen.
const PENALTY: f64 = 1e-3;

/// Steps, at most.
const STEPS: usize = 300;

/// A step this short is the last.
pub(crate) const EXACT: f64 = 1e-6;

/// Rows whose gradient is worked out at a time. Sums of so many are added in order, whoever works them out.
const ROWS: usize = 1024;

/// A linear map from features to class scores.
#[derive(Clone)]
pub(crate) struct Regression {
    /// `[features + 1, classes]`, of standardised features; the last row is the bias.
    weights: Mat<f64>,
    means: Vec<f64>,
    scales: Vec<f64>,
}

/// What a regression is to find.
pub(crate) struct Problem<'a> {
    /// `[n, f]`.
    pub(crate) features: &'a Tensor,
    /// `[n, classes]`: how probable every class should be.
    pub(crate) target: Mat<f64>,
    /// `[n, classes]`: scores that the map is added to.
    pub(crate) offset: Mat<f64>,
    /// For every feature, the only class whose score may depend on it; without, every score may
    /// depend on every feature.
    pub(crate) owners: Option<&'a [usize]>,
}

/// A problem made ready for fits with several penalties.
pub(crate) struct Fits<'a> {
    problem: &'a Problem<'a>,
    /// Standardised features and a one.
    x: Mat<f64>,
    /// Bounds the curvature of the mean loss from above, for every class: `X'X / 2n` (Böhning 1992).
    bound: Mat<f64>,
    zero: Regression,
}

impl<'a> Fits<'a> {
    pub(crate) fn new(problem: &'a Problem<'a>) -> Self {
        let (means, scales) = moments(problem.features);
        let f = means.len();
        let zero = Regression { weights: Mat::zeros(f + 1, problem.target.ncols()), means, scales };
        let x = zero.design(problem.features);
        let mut bound = x.transpose() * &x * faer::Scale(0.5 / x.nrows() as f64);
        if let Some(owners) = problem.owners {
            // Features are centred, so the bias meets none of them; of two owners, none meet.
            let owner = |k: usize| owners.get(k);
            let apart = |r: usize, c: usize| if owner(r) == owner(c) { bound[(r, c)] } else { 0.0 };
            bound = Mat::from_fn(f + 1, f + 1, apart);
        }
        Self { problem, x, bound, zero }
    }

    /// The map without effect.
    pub(crate) fn zero(&self) -> Regression {
        self.zero.clone()
    }

    /// A map of other features in the standards of these.
    pub(crate) fn like(&self, other: &Regression) -> Regression {
        let (plain, biases) = other.plain();
        let Regression { means, scales, .. } = self.zero();
        let f = means.len();
        let weight = |k: usize, class: usize| plain[(k, class)] * scales[k];
        let moved = |class: usize| (0..f).map(|k| plain[(k, class)] * means[k]).sum::<f64>();
        let weights = Mat::from_fn(f + 1, biases.len(), |k, class| {
            if k == f { biases[class] + moved(class) } else { weight(k, class) }
        });
        Regression { weights, means, scales }
    }

    /// Minimises the mean cross-entropy plus half of `penalty` times the squared weights, starting at
    /// `from`, by steps `W - (bound + penalty)^-1 * gradient`, of which none overshoots, with momentum
    /// (Nesterov 1983) that is given up where it leads uphill (O'Donoghue and Candès 2015), `until` a step changes no weight by more.
    pub(crate) fn fit(&self, penalty: f64, from: Regression, until: f64) -> Regression {
        let mut found = from;
        let mut bound = self.bound.clone();
        (0..bound.nrows()).for_each(|k| bound[(k, k)] += penalty);
        // A positive penalty makes the matrix definite.
        let Ok(factor) = bound.llt(Side::Lower) else { return found };
        let (mut moved, mut run) = (Mat::zeros(bound.nrows(), found.weights.ncols()), 0.0);
        for _ in 0..STEPS {
            let before = found.weights.clone();
            found.weights += &moved * faer::Scale(run / (run + 3.0));
            let gradient = self.gradient(&found, penalty);
            let step = factor.solve(&gradient);
            found.weights -= &step;
            moved = &found.weights - before;
            run = if product(&gradient, &moved) > 0.0 { 0.0 } else { run + 1.0 };
            if step.norm_max() < until {
                break;
            }
        }
        found
    }

    fn gradient(&self, at: &Regression, penalty: f64) -> Mat<f64> {
        let rows = self.x.nrows();
        let starts: Vec<usize> = (0..rows).step_by(ROWS).collect();
        let parts =
            starts.into_par_iter().map(|start| self.slope(at, start, ROWS.min(rows - start)));
        let mut gradient = Mat::zeros(at.weights.nrows(), at.weights.ncols());
        parts.collect::<Vec<_>>().iter().for_each(|part| gradient += part);
        for (k, &owner) in self.problem.owners.unwrap_or_default().iter().enumerate() {
            let others = (0..gradient.ncols()).filter(|&class| class != owner);
            others.for_each(|class| gradient[(k, class)] = 0.0);
        }
        gradient + &at.weights * faer::Scale(penalty)
    }
}

impl Fits<'_> {
    /// What some rows add to the gradient of the mean cross-entropy.
    fn slope(&self, at: &Regression, start: usize, count: usize) -> Mat<f64> {
        let (weights, alone) = (&at.weights, Par::Seq);
        let x = self.x.subrows(start, count);
        let mut scores = self.problem.offset.subrows(start, count).to_owned();
        matmul(scores.as_mut(), Accum::Add, x, weights.as_ref(), 1.0, alone);
        let error = softmax(scores) - self.problem.target.subrows(start, count);
        let mut slope = Mat::zeros(weights.nrows(), weights.ncols());
        let each = 1.0 / self.x.nrows() as f64;
        matmul(slope.as_mut(), Accum::Replace, x.transpose(), error.as_ref(), each, alone);
        slope
    }
}

impl Regression {
    /// Fitted to `features` `[n, f]` and the class of every row.
    ///
    /// # Panics
    /// If there is not one class below `classes` for every row.
    pub(crate) fn fit(features: &Tensor, truth: &[usize], classes: usize) -> Self {
        assert_eq!(features.shape()[0], truth.len(), "a class for every row");
        let target =
            Mat::from_fn(truth.len(), classes, |row, k| f64::from(u8::from(truth[row] == k)));
        let offset = Mat::zeros(truth.len(), classes);
        let problem = Problem { features, target, offset, owners: None };
        let fits = Fits::new(&problem);
        fits.fit(PENALTY, fits.zero(), EXACT)
    }

    /// The most probable class of every row of `features` `[n, f]`.
    pub(crate) fn classes(&self, features: &Tensor) -> Vec<usize> {
        let scores = self.scores(features);
        let better = |row: usize, best: usize, k: usize| {
            if scores[(row, k)] > scores[(row, best)] { k } else { best }
        };
        (0..scores.nrows())
            .map(|row| (1..scores.ncols()).fold(0, |best, k| better(row, best, k)))
            .collect()
    }

    /// The scores `[n, classes]` of `features` `[n, f]`.
    pub(crate) fn scores(&self, features: &Tensor) -> Mat<f64> {
        self.design(features) * &self.weights
    }

    /// Weights `[f, classes]` and biases of the features as they are.
    pub(crate) fn plain(&self) -> (Mat<f64>, Vec<f64>) {
        let (f, classes) = (self.means.len(), self.weights.ncols());
        let weights =
            Mat::from_fn(f, classes, |k, class| self.weights[(k, class)] / self.scales[k]);
        let bias = |class: usize| {
            let moved = (0..f).map(|k| weights[(k, class)] * self.means[k]).sum::<f64>();
            self.weights[(f, class)] - moved
        };
        let biases = (0..classes).map(bias).collect();
        (weights, biases)
    }

    /// Standardised features and a one: `[n, f + 1]`.
    fn design(&self, features: &Tensor) -> Mat<f64> {
        let f = self.means.len();
        let at = |row: usize, k: usize| {
            let value = || f64::from(features.data()[row * f + k]);
            if k == f { 1.0 } else { (value() - self.means[k]) / self.scales[k] }
        };
        Mat::from_fn(features.shape()[0], f + 1, at)
    }
}

/// Mean and standard deviation of every feature; 1 for those that never vary.
fn moments(features: &Tensor) -> (Vec<f64>, Vec<f64>) {
    let (n, f) = (features.shape()[0], features.shape()[1]);
    let column = |k: usize| (0..n).map(move |row| f64::from(features.data()[row * f + k]));
    let means: Vec<f64> = (0..f).map(|k| column(k).sum::<f64>() / n as f64).collect();
    let scale = |k: usize| {
        let variance = column(k).map(|x| (x - means[k]).powi(2)).sum::<f64>() / n as f64;
        if variance > 1e-12 { variance.sqrt() } else { 1.0 }
    };
    let scales = (0..f).map(scale).collect();
    (means, scales)
}

/// The sum of the products of the elements.
fn product(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let columns = a.col_iter().zip(b.col_iter());
    columns.map(|(a, b)| a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f64>()).sum()
}

/// Probabilities of scores `[n, classes]`.
pub(crate) fn softmax(mut scores: Mat<f64>) -> Mat<f64> {
    for row in 0..scores.nrows() {
        let top = (0..scores.ncols()).map(|k| scores[(row, k)]).fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        for k in 0..scores.ncols() {
            scores[(row, k)] = (scores[(row, k)] - top).exp();
            total += scores[(row, k)];
        }
        (0..scores.ncols()).for_each(|k| scores[(row, k)] /= total);
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_lie_apart_are_told_apart() {
        let noise = crate::model::random::uniform([90, 4], -0.4, 0.4, 7);
        let truth: Vec<usize> = (0..90).map(|row| row % 3).collect();
        let mut data = noise.into_data();
        truth.iter().enumerate().for_each(|(row, &class)| data[row * 4 + class] += 1.0);
        let features = Tensor::new([90, 4], data);
        let fitted = Regression::fit(&features, &truth, 3);
        assert_eq!(fitted.classes(&features), truth);
    }

    #[test]
    fn a_feature_that_never_varies_leaves_the_most_frequent_class() {
        let truth = [0, 1, 1, 1, 0];
        let constant = Tensor::filled([5, 1], 3.0);
        assert_eq!(Regression::fit(&constant, &truth, 2).classes(&constant), [1; 5]);
    }

    #[test]
    fn probabilities_meet_the_shares_of_the_classes() {
        // At the optimum, the bias row of the gradient is its penalty alone.
        let features = crate::model::random::uniform([200, 3], -1.0, 1.0, 3);
        let truth: Vec<usize> = (0..200).map(|row| usize::from(row % 5 == 0)).collect();
        let fitted = Regression::fit(&features, &truth, 2);
        let p = softmax(fitted.design(&features) * &fitted.weights);
        let mean = (0..200).map(|row| p[(row, 1)]).sum::<f64>() / 200.0;
        assert!((mean - 0.2).abs() < 2e-3, "{mean}");
    }
    /// Two classes told apart by their first features, with scores to start from.
    fn with_offset<'a>(features: &'a Tensor, owners: Option<&'static [usize]>) -> Problem<'a> {
        let rows = features.shape()[0];
        let at = |row: usize, k: usize| f64::from(features.data()[row * 4 + k]);
        let truth = |row: usize| usize::from(at(row, 0) + 0.5 * at(row, 3) > at(row, 1));
        let target = Mat::from_fn(rows, 3, |row, k| f64::from(u8::from(k == truth(row))));
        let offset = Mat::from_fn(rows, 3, |row, k| 0.7 * at(row, (k + 2) % 4));
        Problem { features, target, offset, owners }
    }

    fn loss(fits: &Fits<'_>, at: &Regression, penalty: f64) -> f64 {
        let p = softmax(&fits.problem.offset + &fits.x * &at.weights);
        let entropy = |row: usize, k: usize| -fits.problem.target[(row, k)] * p[(row, k)].ln();
        let sum = (0..p.nrows()).flat_map(|row| (0..3).map(move |k| (row, k)));
        sum.map(|(row, k)| entropy(row, k)).sum::<f64>() / p.nrows() as f64
            + penalty * at.weights.squared_norm_l2() / 2.0
    }

    #[test]
    fn a_fit_is_where_the_penalised_loss_is_lowest() {
        let features = crate::model::random::uniform([60, 4], -1.0, 1.0, 9);
        for owners in [None, Some(&[0, 1, 1, 2][..])] {
            let problem = with_offset(&features, owners);
            let fits = Fits::new(&problem);
            let mut sizes = Vec::new();
            for penalty in [1.0, 0.1, 0.01] {
                let found = fits.fit(penalty, fits.zero(), EXACT);
                let least = loss(&fits, &found, penalty);
                assert!(least < loss(&fits, &fits.zero(), penalty));
                for (k, class) in (0..5).flat_map(|k| (0..3).map(move |class| (k, class))) {
                    if owners.is_some_and(|owners| k < 4 && owners[k] != class) {
                        assert_eq!(found.weights[(k, class)], 0.0);
                        continue;
                    }
                    for by in [1e-2, -1e-2] {
                        let mut moved = found.clone();
                        moved.weights[(k, class)] += by;
                        assert!(loss(&fits, &moved, penalty) > least, "{k} {class} {by}");
                    }
                }
                sizes.push(found.weights.norm_l2());
            }
            assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");
        }
    }

    #[test]
    fn plain_weights_score_features_as_they_are() {
        let features = crate::model::random::uniform([60, 4], 2.0, 5.0, 9);
        let problem = with_offset(&features, None);
        let fits = Fits::new(&problem);
        let found = fits.fit(0.1, fits.zero(), EXACT);
        let (weights, bias) = found.plain();
        let scores = found.scores(&features);
        for (row, class) in (0..60).flat_map(|row| (0..3).map(move |class| (row, class))) {
            let read =
                (0..4).map(|k| f64::from(features.data()[row * 4 + k]) * weights[(k, class)]);
            assert!((read.sum::<f64>() + bias[class] - scores[(row, class)]).abs() < 1e-9);
        }
    }
}
