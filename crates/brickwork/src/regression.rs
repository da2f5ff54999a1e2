//! Multinomial logistic regression.

use brickwork_tensor::Tensor;
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

/// Penalty of the squared weights, per image.
const PENALTY: f64 = 1e-3;

/// Steps, at most.
const STEPS: usize = 300;

/// A linear map from features to class scores.
pub(crate) struct Regression {
    /// `[features + 1, classes]`; the last row is the bias.
    weights: Mat<f64>,
    means: Vec<f64>,
    scales: Vec<f64>,
}

impl Regression {
    /// Fitted to `features` `[n, f]` and the class of every row, by steps
    /// `W - (X'X / 2n + penalty)^-1 * gradient`, whose matrix bounds the curvature of the loss from
    /// above (Böhning 1992), so that no step overshoots.
    ///
    /// # Panics
    /// If there is not one class below `classes` for every row.
    pub(crate) fn fit(features: &Tensor, truth: &[usize], classes: usize) -> Self {
        let (n, f) = (features.shape()[0], features.shape()[1]);
        assert_eq!(n, truth.len(), "a class for every row");
        let (means, scales) = moments(features);
        let mut this = Self { weights: Mat::zeros(f + 1, classes), means, scales };
        let x = this.design(features);
        let mut bound = x.transpose() * &x * faer::Scale(0.5 / n as f64);
        (0..=f).for_each(|k| bound[(k, k)] += PENALTY);
        // A positive penalty makes the matrix definite.
        let Ok(factor) = bound.llt(Side::Lower) else { return this };
        for _ in 0..STEPS {
            let mut error = softmax(&x * &this.weights);
            truth.iter().enumerate().for_each(|(row, &class)| error[(row, class)] -= 1.0);
            let mut gradient = x.transpose() * &error * faer::Scale(1.0 / n as f64);
            gradient += &this.weights * faer::Scale(PENALTY);
            let step = factor.solve(&gradient);
            this.weights -= &step;
            if step.norm_max() < 1e-6 {
                break;
            }
        }
        this
    }

    /// The most probable class of every row of `features` `[n, f]`.
    pub(crate) fn classes(&self, features: &Tensor) -> Vec<usize> {
        let scores = self.design(features) * &self.weights;
        let better = |row: usize, best: usize, k: usize| {
            if scores[(row, k)] > scores[(row, best)] { k } else { best }
        };
        (0..scores.nrows())
            .map(|row| (1..scores.ncols()).fold(0, |best, k| better(row, best, k)))
            .collect()
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

fn softmax(mut scores: Mat<f64>) -> Mat<f64> {
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
        let noise = crate::random::uniform([90, 4], -0.4, 0.4, 7);
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
        let features = crate::random::uniform([200, 3], -1.0, 1.0, 3);
        let truth: Vec<usize> = (0..200).map(|row| usize::from(row % 5 == 0)).collect();
        let fitted = Regression::fit(&features, &truth, 2);
        let p = softmax(fitted.design(&features) * &fitted.weights);
        let mean = (0..200).map(|row| p[(row, 1)]).sum::<f64>() / 200.0;
        assert!((mean - 0.2).abs() < 2e-3, "{mean}");
    }
}
