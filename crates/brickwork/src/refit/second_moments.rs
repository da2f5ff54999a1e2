//! What least squares need of rows, in memory that does not grow with them.

use std::ops::Range;

use brickwork_tensor::Tensor;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat};
use rayon::prelude::*;

use super::ridge::{ALONE, Factor};
use super::ridge_choice::MULTIPLES;

/// Columns of a product that a thread makes at a time.
const COLUMNS: usize = 256;

/// Second moments of rows of inputs `x` `[f]` and what is wanted of them, `y` `[o]`: sums of products in `f64`.
///
/// Sums of parts of the rows add up to those of all of them but for the rounding of `f64`, whatever the parts and
/// their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecondMoments {
    /// Sums of `[x, 1] [x, y, 1]'`: `[f + 1, f + o + 1]`.
    pub(super) products: Mat<f64>,
    /// Sums of the squares of `y`.
    pub(super) squares: Vec<f64>,
}

/// Weights `[o, f]` and biases `[o]` that were solved for.
pub(crate) struct Solution {
    pub(crate) weights: Mat<f64>,
    pub(crate) biases: Vec<f64>,
}

impl SecondMoments {
    /// Of no rows.
    pub(crate) fn none(features: usize, outputs: usize) -> Self {
        let products = Mat::zeros(features + 1, features + outputs + 1);
        Self { products, squares: vec![0.0; outputs] }
    }

    fn features(&self) -> usize {
        self.products.nrows() - 1
    }

    fn outputs(&self) -> usize {
        self.squares.len()
    }

    /// How many rows.
    pub(crate) fn rows(&self) -> f64 {
        self.products[(self.features(), self.products.ncols() - 1)]
    }

    /// Adds rows: inputs `[rows, f]`, wanted `[o, rows]`.
    pub(crate) fn add_rows(&mut self, inputs: &Tensor, wanted: &Tensor) {
        let (rows, features) = (inputs.shape()[0], self.features());
        let ends = features + self.outputs();
        let at = |row: usize, column: usize| match column {
            column if column < features => f64::from(inputs.data()[row * features + column]),
            column if column < ends => f64::from(wanted.data()[(column - features) * rows + row]),
            _ => 1.0,
        };
        let left =
            Mat::from_fn(features + 1, rows, |k, row| at(row, if k < features { k } else { ends }));
        let right = Mat::from_fn(rows, ends + 1, at);
        let starts: Vec<usize> = (0..=ends).step_by(COLUMNS).collect();
        let product = |&start: &usize| {
            let count = COLUMNS.min(ends + 1 - start);
            let mut part = Mat::zeros(features + 1, count);
            let columns = right.subcols(start, count);
            matmul(part.as_mut(), Accum::Replace, left.as_ref(), columns, 1.0, ALONE);
            part
        };
        let parts: Vec<Mat<f64>> = starts.par_iter().map(product).collect();
        for (start, part) in starts.into_iter().zip(parts) {
            let mut own = self.products.subcols_mut(start, part.ncols());
            own += part;
        }
        for (square, y) in self.squares.iter_mut().zip(wanted.data().chunks(rows.max(1))) {
            *square += y.iter().map(|&y| f64::from(y) * f64::from(y)).sum::<f64>();
        }
    }

    /// Adds those of other rows.
    ///
    /// # Errors
    /// In words, if they are of other inputs or outputs.
    pub(crate) fn join(&mut self, other: &Self) -> Result<(), String> {
        let extents = |one: &Self| (one.features(), one.outputs());
        if extents(self) != extents(other) {
            return Err(format!("moments of {:?} and {:?}", extents(self), extents(other)));
        }
        self.products += &other.products;
        self.squares.iter_mut().zip(&other.squares).for_each(|(own, other)| *own += other);
        Ok(())
    }

    /// Mean inputs `[f]` and outputs `[o]`; zeros if not `centred`.
    fn means(&self, centred: bool) -> [Vec<f64>; 2] {
        let count = self.rows().max(1.0);
        let of = |range: Range<usize>| {
            range.map(|k| if centred { self.products[(self.features(), k)] / count } else { 0.0 })
        };
        let (features, ends) = (self.features(), self.features() + self.outputs());
        [of(0..features).collect(), of(features..ends).collect()]
    }

    /// The weights nearest to `weights` `[o, f]`, with a ridge of `lambda` times the mean diagonal of the moments of
    /// the inputs, and the biases that go with them: `W0 + (Y X' - W0 X X') (X X' + ridge)^-1`, all of it `centred`
    /// where there is a bias. Without a `lambda`, the weights as they are.
    pub(crate) fn solved(
        &self,
        weights: &Mat<f64>,
        lambda: Option<f64>,
        centred: bool,
    ) -> Solution {
        let (features, outputs, count) = (self.features(), self.outputs(), self.rows());
        let [x, y] = self.means(centred);
        let moment = |a: usize, b: usize| self.products[(a, b)] - count * x[a] * x[b];
        let mut weights = weights.clone();
        let energy = (0..features).map(|k| moment(k, k)).sum::<f64>() / features.max(1) as f64;
        // Inputs that never vary say nothing.
        if let Some(ridge) = lambda.map(|lambda| lambda * energy).filter(|ridge| *ridge > 0.0) {
            let gram = Mat::from_fn(features, features, moment);
            let mut right = Mat::from_fn(features, outputs, |k, o| {
                self.products[(k, features + o)] - count * x[k] * y[o]
            });
            matmul(right.as_mut(), Accum::Add, gram.as_ref(), weights.transpose(), -1.0, ALONE);
            let step = Factor::of(features, ridge, |a, b| gram[(a, b)]).solution(right);
            weights += step.transpose();
        }
        let given = |o: usize| (0..features).map(|k| weights[(o, k)] * x[k]).sum::<f64>();
        let biases = (0..outputs).map(|o| y[o] - given(o)).collect();
        Solution { weights, biases }
    }

    /// The mean square by which a solution misses what is wanted of these rows.
    pub(crate) fn loss(&self, solution: &Solution) -> f64 {
        let (features, outputs, count) = (self.features(), self.outputs(), self.rows());
        let Solution { weights, biases } = solution;
        let gram = self.products.submatrix(0, 0, features, features);
        let mut explained = Mat::zeros(outputs, features);
        matmul(explained.as_mut(), Accum::Replace, weights.as_ref(), gram, 1.0, ALONE);
        let of = |o: usize| {
            let (ones, own) = (self.products.ncols() - 1, features + o);
            let (mut both, mut sum) = (0.0, 0.0);
            for k in 0..features {
                let weight = weights[(o, k)];
                both += weight * (explained[(o, k)] - 2.0 * self.products[(k, own)]);
                sum += weight * self.products[(k, ones)];
            }
            let (bias, wanted) = (biases[o], self.products[(features, own)]);
            self.squares[o] + both + bias * (2.0 * (sum - wanted) + bias * count)
        };
        (0..outputs).map(of).sum::<f64>() / (count * outputs as f64).max(1.0)
    }

    /// The ridge, from `least` on, with which weights that are fitted to these rows do best on those of `telling`.
    /// `None` where `weights` `[o, f]` do best as they are, but for their biases.
    pub(crate) fn chosen(
        &self,
        telling: &Self,
        weights: &Mat<f64>,
        least: f64,
        centred: bool,
    ) -> Option<f64> {
        if telling.rows() == 0.0 {
            return Some(least);
        }
        let loss = |lambda| telling.loss(&self.solved(weights, lambda, centred));
        let tried = MULTIPLES.into_par_iter().map(|multiple| multiple * least);
        let tried: Vec<(f64, f64)> = tried.map(|lambda| (loss(Some(lambda)), lambda)).collect();
        let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        let bare = loss(None);
        best.filter(|(loss, _)| *loss < bare).map(|(_, lambda)| lambda)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ridge::Ridge;
    use super::*;
    use crate::model::random::uniform;

    const ROWS: usize = 90;

    /// Inputs `[rows, 7]` that are far from zero, and outputs `[3, rows]` that hang together with them.
    fn rows() -> (Tensor, Tensor) {
        let x = uniform([ROWS, 7], 1.0, 3.0, 1);
        let mut y = uniform([3, ROWS], -0.1, 0.1, 2);
        for row in 0..ROWS {
            for o in 0..3 {
                y.data_mut()[o * ROWS + row] += x.data()[row * 7 + o] - 0.5 * x.data()[row * 7 + 6];
            }
        }
        (x, y)
    }

    fn moments(x: &Tensor, y: &Tensor, range: Range<usize>) -> SecondMoments {
        let mut found = SecondMoments::none(7, 3);
        let (from, count) = (range.start, range.len());
        found.add_rows(&x.slice(0, from, 1, count), &y.slice(1, from, 1, count));
        found
    }

    fn start() -> (Tensor, Mat<f64>) {
        let weights = uniform([3, 7], -1.0, 1.0, 3);
        let exact = Mat::from_fn(3, 7, |o, k| f64::from(weights.data()[o * 7 + k]));
        (weights, exact)
    }

    #[test]
    fn they_solve_as_the_rows_themselves_do() {
        let (x, y) = rows();
        let found = moments(&x, &y, 0..ROWS);
        for centred in [true, false] {
            for lambda in [1e-3, 0.1] {
                let (weights, exact) = start();
                let mut expected = weights.into_data();
                let problem = Ridge::new(x.clone(), centred);
                let missing = problem.missing(y.clone(), &problem.explained(&expected));
                let biases = problem.solver(lambda).fit(&missing, &mut expected);
                let own = found.solved(&exact, Some(lambda), centred);
                for o in 0..3 {
                    for k in 0..7 {
                        let off = own.weights[(o, k)] - f64::from(expected[o * 7 + k]);
                        assert!(off.abs() < 1e-4, "{off}");
                    }
                    assert!((own.biases[o] - f64::from(biases[o])).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn parts_in_any_order_add_up_to_the_whole() {
        let (x, y) = rows();
        let (_, weights) = start();
        let whole = moments(&x, &y, 0..ROWS);
        let solved = whole.solved(&weights, Some(1e-3), true);
        for cuts in [vec![0, 1, 2, ROWS], vec![0, 40, 40, 77, ROWS], (0..=ROWS).collect()] {
            let mut parts: Vec<SecondMoments> =
                cuts.windows(2).map(|cut| moments(&x, &y, cut[0]..cut[1])).collect();
            parts.reverse();
            let mut sum = SecondMoments::none(7, 3);
            parts.iter().for_each(|part| sum.join(part).unwrap());
            assert_eq!(sum.rows(), ROWS as f64);
            let own = sum.solved(&weights, Some(1e-3), true);
            let off = (&own.weights - &solved.weights).norm_max();
            assert!(off < 1e-9, "{off}");
        }
        assert!(SecondMoments::none(7, 2).join(&whole).is_err());
    }

    #[test]
    fn a_loss_is_the_mean_square_of_what_is_missing() {
        let (x, y) = rows();
        let (_, weights) = start();
        let solution = moments(&x, &y, 0..50).solved(&weights, Some(0.01), true);
        let telling = moments(&x, &y, 50..ROWS);
        let mut sum = 0.0;
        for row in 50..ROWS {
            for o in 0..3 {
                let given = |k: usize| solution.weights[(o, k)] * f64::from(x.data()[row * 7 + k]);
                let given = (0..7).map(given).sum::<f64>() + solution.biases[o];
                sum += (f64::from(y.data()[o * ROWS + row]) - given).powi(2);
            }
        }
        let expected = sum / (40.0 * 3.0);
        assert!((telling.loss(&solution) - expected).abs() < 1e-9 * (1.0 + expected));
    }

    #[test]
    fn a_ridge_is_chosen_on_other_rows_and_none_where_nothing_helps() {
        let (x, y) = rows();
        let (_, weights) = start();
        let (fitting, telling) = (moments(&x, &y, 0..60), moments(&x, &y, 60..ROWS));
        assert_eq!(fitting.chosen(&telling, &weights, 1e-6, true), Some(1e-6));
        let right = fitting.solved(&weights, Some(1e-9), true).weights;
        let mut noise = SecondMoments::none(7, 3);
        noise.add_rows(&uniform([12, 7], -1.0, 1.0, 8), &uniform([3, 12], -9.0, 9.0, 9));
        assert_eq!(noise.chosen(&telling, &right, 1e-6, true), None);
        let none = SecondMoments::none(7, 3);
        assert_eq!(fitting.chosen(&none, &weights, 0.5, true), Some(0.5));
    }
}
