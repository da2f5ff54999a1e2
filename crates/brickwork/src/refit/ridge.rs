//! Ridge regression towards given weights, solved by the smaller of its two systems.

use brickwork_tensor::kernels::gemm::{Finish, Gather, Packed};
use brickwork_tensor::{Level, Tensor};
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::solve::solve_in_place;
use faer::linalg::solvers::{PartialPivLu, Solve};
use faer::{Mat, Par};

/// The least-squares problems of one set of inputs: `min |Y - W X - b|^2 + ridge |W - W0|^2`, for any
/// `Y`, `W0` and ridge.
pub(crate) struct Ridge {
    /// Inputs `[features, rows]`, centred if there is a bias.
    x: Tensor,
    /// The same `[rows, features]`.
    by_row: Tensor,
    /// What was subtracted; zeros without a bias.
    means: Vec<f64>,
    centred: bool,
    /// The products of inputs, or of rows, whichever are fewer.
    gram: Tensor,
    /// Whether they are those of inputs.
    primal: bool,
    /// The mean diagonal of `X X'`.
    energy: f64,
}

/// A [`Ridge`] regression whose system is factored.
pub(crate) struct Solver<'a> {
    problem: &'a Ridge,
    ridge: f64,
    factor: Option<Factor>,
}

/// What weights leave to be explained of some `Y`.
pub(crate) struct Missing {
    /// `Y X'` or `Y`, transposed, of what is missing: the right side of the system.
    right: Vec<f32>,
    /// The means of `Y`; zeros without a bias.
    means: Vec<f64>,
}

/// Work is shared out around factorisations: threads within one wait for each other, which may never end where
/// each of them waits in another.
pub(super) const ALONE: Par = Par::Seq;

/// Rows of a Gram matrix that are made together.
const BAND: usize = 512;

/// Terms of its sums that are added up together.
const DEPTH: usize = 1024;

pub(super) enum Factor {
    /// The lower triangle `L` of `L L'`.
    Cholesky(Mat<f64>),
    /// Rounding made a nearly singular matrix indefinite: pivot instead.
    Pivoted(PartialPivLu<f64>),
}

impl Ridge {
    /// For inputs `[rows, features]`. With `centred` there is a bias.
    pub(crate) fn new(by_row: Tensor, centred: bool) -> Self {
        let primal = by_row.shape()[1] <= by_row.shape()[0];
        Self::from_side(by_row, centred, primal)
    }

    fn from_side(by_row: Tensor, centred: bool, primal: bool) -> Self {
        let features = by_row.shape()[1];
        let mut x = transposed(&by_row);
        let means = if centred { centre(&mut x) } else { vec![0.0; features] };
        let by_row = if centred { transposed(&x) } else { by_row };
        let energy: f64 = x.data().iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        let gram = gram(if primal { &x } else { &by_row });
        Self { x, by_row, means, centred, gram, primal, energy: energy / features as f64 }
    }

    fn features(&self) -> usize {
        self.x.shape()[0]
    }

    fn rows(&self) -> usize {
        self.x.shape()[1]
    }

    /// Solves with a ridge of `lambda` times the mean diagonal of `X X'`.
    pub(crate) fn solver(&self, lambda: f64) -> Solver<'_> {
        let ridge = lambda * self.energy;
        // Inputs that never vary say nothing.
        let factor = (ridge > 0.0).then(|| Factor::new(&self.gram, ridge));
        Solver { problem: self, ridge, factor }
    }

    /// `W X` of the centred inputs: `[outputs, rows]`.
    pub(crate) fn explained(&self, weights: &[f32]) -> Vec<f32> {
        product(weights, weights.len() / self.features(), &self.by_row, self.rows())
    }

    /// What is missing of `y` `[outputs, rows]` where so much is `explained`.
    pub(crate) fn missing(&self, mut y: Tensor, explained: &[f32]) -> Missing {
        let outputs = y.shape()[0];
        let means = if self.centred { centre(&mut y) } else { vec![0.0; outputs] };
        y.data_mut().iter_mut().zip(explained).for_each(|(y, e)| *y -= e);
        let right = match self.primal {
            true => product(self.x.data(), self.features(), &y, outputs),
            false => transposed(&y).into_data(),
        };
        Missing { right, means }
    }

    /// The biases with which weights meet the means of what was wanted.
    pub(crate) fn biases(&self, weights: &[f32], wanted: &Missing) -> Vec<f32> {
        let own = self.at_means(weights);
        own.zip(&wanted.means).map(|(own, y)| (y - own) as f32).collect()
    }

    /// What every output's weights give for the means of the inputs.
    fn at_means(&self, weights: &[f32]) -> impl Iterator<Item = f64> {
        let of = |row: &[f32]| row.iter().zip(&self.means).map(|(&w, m)| f64::from(w) * m).sum();
        weights.chunks(self.features()).map(of)
    }

    /// What `weights` and `biases` give: `[outputs, rows]`.
    pub(crate) fn predict(&self, weights: &[f32], biases: &[f32]) -> Vec<f32> {
        let mut given = self.explained(weights);
        let offsets = self.at_means(weights).zip(biases);
        for (given, (mean, bias)) in given.chunks_mut(self.rows()).zip(offsets) {
            given.iter_mut().for_each(|v| *v += (f64::from(*bias) + mean) as f32);
        }
        given
    }
}

impl Solver<'_> {
    /// Moves `weights` `[outputs, features]` from `W0` to the solution; returns the biases.
    pub(crate) fn fit(&self, missing: &Missing, weights: &mut [f32]) -> Vec<f32> {
        let problem = self.problem;
        let (features, rows, outputs) = (problem.features(), problem.rows(), missing.means.len());
        if let Some(factor) = &self.factor {
            let step = if problem.primal {
                factor.solve(&missing.right, features, outputs)
            } else {
                // X (X' X + ridge)^-1 R'
                let solved = factor.solve(&missing.right, rows, outputs);
                product(&solved, outputs, &problem.x, features)
            };
            weights.iter_mut().zip(step).for_each(|(w, s)| *w += s);
        }
        problem.biases(weights, missing)
    }

    /// For every block of `taps` features the least `|W X - V X|^2 + ridge |W - V|^2` over all `V` that do
    /// without it; `W` are the `weights` `[outputs, features]`.
    pub(crate) fn losses(&self, weights: &[f32], taps: usize) -> Vec<f64> {
        let (features, blocks) = (self.problem.features(), self.problem.features() / taps);
        let Some(factor) = &self.factor else { return vec![0.0; blocks] };
        let inverse = self.inverse(factor);
        let outputs = weights.len() / features;
        let of = |block: usize| {
            let first = block * taps;
            let at = |row, column| f64::from(inverse[(first + row) * features + first + column]);
            let own =
                Mat::from_fn(taps, outputs, |k, o| f64::from(weights[o * features + first + k]));
            let kept = Mat::from_fn(taps, taps, at).partial_piv_lu().solve(&own);
            let pairs = (0..outputs).flat_map(|o| (0..taps).map(move |k| (k, o)));
            pairs.map(|at| own[at] * kept[at]).sum()
        };
        (0..blocks).map(of).collect()
    }

    /// `(X X' + ridge)^-1` `[features, features]`.
    fn inverse(&self, factor: &Factor) -> Vec<f32> {
        let problem = self.problem;
        let (features, rows) = (problem.features(), problem.rows());
        let mut unit = vec![0.0; features * features];
        unit.iter_mut().step_by(features + 1).for_each(|x| *x = 1.0);
        if problem.primal {
            return factor.solve(&unit, features, features);
        }
        // (1 - X (X' X + ridge)^-1 X') / ridge
        let solved =
            Tensor::new([features, rows], factor.solve(problem.by_row.data(), rows, features));
        let explained = product(problem.x.data(), features, &solved, features);
        let left =
            |(unit, explained): (f32, f32)| (f64::from(unit - explained) / self.ridge) as f32;
        unit.into_iter().zip(explained).map(left).collect()
    }
}

/// What weights `[outputs, features]` and biases give for inputs `[rows, features]`: `[outputs, rows]`.
pub(crate) fn linear(weights: &[f32], biases: &[f32], inputs: &Tensor) -> Vec<f32> {
    let rows = inputs.shape()[0];
    let mut given = product(weights, biases.len(), inputs, rows);
    for (given, bias) in given.chunks_mut(rows).zip(biases) {
        given.iter_mut().for_each(|v| *v += bias);
    }
    given
}

/// The products of rows with each other, and what solves for them with any ridge.
pub(crate) struct Kernel {
    /// `A A'` `[n, n]` of the rows `A`.
    gram: Tensor,
}

impl Kernel {
    /// Of rows `[n, width]`.
    pub(crate) fn new(rows: &Tensor) -> Self {
        Self { gram: gram(rows) }
    }

    /// `(A A' + mu)^-1 right` for `n` numbers; `mu` is `damping` times the mean diagonal. Zeros if
    /// all rows are zeros.
    pub(crate) fn solve(&self, right: &[f32], damping: f64) -> Vec<f32> {
        let n = right.len();
        let diagonal: f64 = (0..n).map(|k| f64::from(self.gram.data()[k * n + k])).sum();
        let ridge = damping * diagonal / n as f64;
        if ridge > 0.0 { Factor::new(&self.gram, ridge).solve(right, n, 1) } else { vec![0.0; n] }
    }
}

/// `rows rows'` for `rows` `[n, k]`: `[n, n]`. In bands and to a depth that stay in cache; one side of
/// the diagonal is a copy of the other.
fn gram(rows: &Tensor) -> Tensor {
    let [n, width] = [0, 1].map(|axis| rows.shape()[axis]);
    let mut gram = vec![0.0f32; n * n];
    for start in (0..width).step_by(DEPTH) {
        let depth = DEPTH.min(width - start);
        let cut = |row: &[f32]| row[start..start + depth].to_vec();
        let slice: Vec<f32> = rows.data().chunks(width).flat_map(cut).collect();
        for first in (0..n).step_by(BAND) {
            let last = n.min(first + BAND);
            let band = slice[first * depth..last * depth].to_vec();
            let band = Tensor::new([last - first, depth], band);
            let part = product(&slice[..last * depth], last, &band, last - first);
            for (row, part) in gram.chunks_mut(n).zip(part.chunks(last - first)) {
                row[first..last].iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
            }
        }
    }
    for row in 0..n {
        for column in 0..row {
            gram[row * n + column] = gram[column * n + row];
        }
    }
    Tensor::new([n, n], gram)
}

impl Factor {
    /// Of `gram` `[n, n]` with `ridge` on its diagonal.
    fn new(gram: &Tensor, ridge: f64) -> Self {
        let n = gram.shape()[0];
        Self::of(n, ridge, |row, column| f64::from(gram.data()[row * n + column]))
    }

    /// Of the symmetric matrix `[n, n]` of numbers `at` places, with `ridge` on its diagonal.
    pub(super) fn of(n: usize, ridge: f64, at: impl Fn(usize, usize) -> f64) -> Self {
        let on_diagonal = |row, column| if row == column { ridge } else { 0.0 };
        let at = |row, column| at(row, column) + on_diagonal(row, column);
        let mut lower = Mat::from_fn(n, n, at);
        let mut memory =
            MemBuffer::new(cholesky_in_place_scratch::<f64>(n, ALONE, Default::default()));
        let stack = MemStack::new(&mut memory);
        let found =
            cholesky_in_place(lower.as_mut(), Default::default(), ALONE, stack, Default::default());
        match found {
            Ok(_) => Self::Cholesky(lower),
            Err(_) => Self::Pivoted(Mat::from_fn(n, n, at).partial_piv_lu()),
        }
    }

    /// For `right` `[n, m]` the solution, transposed: `[m, n]`.
    fn solve(&self, right: &[f32], n: usize, m: usize) -> Vec<f32> {
        let solved =
            self.solution(Mat::from_fn(n, m, |row, column| f64::from(right[row * m + column])));
        (0..m * n).map(|k| solved[(k % n, k / n)] as f32).collect()
    }

    /// For `right` `[n, m]` the solution `[n, m]`.
    pub(super) fn solution(&self, mut solved: Mat<f64>) -> Mat<f64> {
        match self {
            Self::Cholesky(lower) => {
                let stack = &mut MemBuffer::new(StackReq::EMPTY);
                solve_in_place(lower.as_ref(), solved.as_mut(), ALONE, MemStack::new(stack));
            }
            Self::Pivoted(factor) => factor.solve_in_place(&mut solved),
        }
        solved
    }
}

/// Subtracts and returns the mean of every row.
fn centre(array: &mut Tensor) -> Vec<f64> {
    let count = array.shape()[1];
    array
        .data_mut()
        .chunks_mut(count)
        .map(|row| {
            let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / count as f64;
            row.iter_mut().for_each(|v| *v -= mean as f32);
            mean
        })
        .collect()
}

/// `a b'` for `a` `[m, k]` and `b` `[n, k]`: `[m, n]`.
fn product(a: &[f32], m: usize, b: &Tensor, n: usize) -> Vec<f32> {
    let inner = b.shape()[1];
    if inner.min(n) <= NARROW && m <= NARROW {
        let rows = || b.data().chunks(inner);
        return a.chunks(inner).flat_map(|a| rows().map(|b| dot(a, b))).collect();
    }
    let packed = Packed::new(Level::best(), b.data(), None, n, inner, 1, 1);
    let mut out = vec![0.0; m * n];
    packed.run(&Gather::rows(inner), a, m, Finish::PLAIN, &mut out);
    out
}

/// Matrices so narrow are not worth packing.
const NARROW: usize = 32;

fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (parts, rest) = a.as_chunks::<LANES>();
    let (others, other_rest) = b.as_chunks::<LANES>();
    for (a, b) in parts.iter().zip(others) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    let rest: f32 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// `[rows, columns]` as `[columns, rows]`, a block that stays in cache at a time.
fn transposed(matrix: &Tensor) -> Tensor {
    const BLOCK: usize = 32;
    let (rows, columns) = (matrix.shape()[0], matrix.shape()[1]);
    let (data, mut out) = (matrix.data(), vec![0.0f32; rows * columns]);
    for first in (0..rows).step_by(BLOCK) {
        for start in (0..columns).step_by(BLOCK) {
            for column in start..columns.min(start + BLOCK) {
                for row in first..rows.min(first + BLOCK) {
                    out[column * rows + row] = data[row * columns + column];
                }
            }
        }
    }
    Tensor::new([columns, rows], out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y = W x + b exactly; a wrong W0 must be repaired, from either side of the system.
    fn repaired(features: usize, rows: usize) -> (Vec<f32>, Vec<f32>, Vec<f32>, f32) {
        let x = crate::model::random::uniform([features, rows], -1.0, 2.0, 1);
        let truth = crate::model::random::uniform([3, features], -1.0, 1.0, 2).into_data();
        let bias = [0.5f32, -1.0, 2.0];
        let mut y = product(&truth, 3, &x.transpose(&[1, 0]), rows);
        y.iter_mut().enumerate().for_each(|(k, v)| *v += bias[k / rows]);
        let mut weights = vec![0.0; 3 * features];
        let problem = Ridge::new(x.transpose(&[1, 0]), true);
        let missing =
            problem.missing(Tensor::new([3, rows], y.clone()), &problem.explained(&weights));
        let shift = problem.solver(1e-9).fit(&missing, &mut weights);
        let given = problem.predict(&weights, &shift);
        let off = given.iter().zip(&y).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        (weights, truth, shift, off)
    }

    #[test]
    fn exact_maps_are_found() {
        let (weights, truth, shift, off) = repaired(12, 400);
        for (w, t) in weights.iter().zip(&truth) {
            assert!((w - t).abs() < 1e-3, "{w} {t}");
        }
        assert!((shift[0] - 0.5).abs() < 1e-3 && (shift[2] - 2.0).abs() < 1e-3);
        assert!(off < 1e-3, "{off}");
    }

    #[test]
    fn fewer_rows_than_features_are_explained_exactly() {
        assert!(repaired(40, 12).3 < 1e-3);
    }

    #[test]
    fn both_sides_of_the_system_agree() {
        let x = crate::model::random::uniform([20, 15], -1.0, 1.0, 3);
        let y = crate::model::random::uniform([4, 15], -1.0, 1.0, 4);
        let [one, other] = [true, false].map(|primal| {
            let mut weights = vec![0.1; 80];
            let problem = Ridge::from_side(x.transpose(&[1, 0]), true, primal);
            let missing = problem.missing(y.clone(), &problem.explained(&weights));
            problem.solver(0.1).fit(&missing, &mut weights);
            weights
        });
        for (a, b) in one.iter().zip(&other) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn what_is_lost_is_what_a_refit_without_it_cannot_explain() {
        for (features, rows) in [(6, 40), (12, 8)] {
            let x = crate::model::random::uniform([features, rows], -1.0, 1.0, 11);
            let weights = crate::model::random::uniform([2, features], -1.0, 1.0, 12).into_data();
            let ridge = 0.05;
            let problem = Ridge::new(x.transpose(&[1, 0]), false);
            let solver = problem.solver(ridge);
            let losses = solver.losses(&weights, 2);
            assert_eq!(losses.len(), features / 2);
            for (block, lost) in losses.into_iter().enumerate() {
                let gone = |k: usize| k / 2 == block;
                let left: Vec<usize> = (0..features).filter(|&k| !gone(k)).collect();
                // |W X - V X_left|^2 + ridge (|w_gone|^2 + |W_left - V|^2), by the normal equations.
                let explained = least(&x, &weights, &left, solver.ridge);
                assert!((lost - explained).abs() < 1e-3 * (1.0 + explained), "{lost} {explained}");
            }
        }
    }

    /// The least squares that are left of `weights` over `x` when only the features `left` may be read.
    fn least(x: &Tensor, weights: &[f32], left: &[usize], ridge: f64) -> f64 {
        let (features, rows) = (x.shape()[0], x.shape()[1]);
        let at = |k: usize, row: usize| f64::from(x.data()[k * rows + row]);
        let outputs = weights.len() / features;
        let weight = |o: usize, k: usize| f64::from(weights[o * features + k]);
        let matrix = Mat::from_fn(left.len(), left.len(), |a, b| {
            let own = if a == b { ridge } else { 0.0 };
            own + (0..rows).map(|row| at(left[a], row) * at(left[b], row)).sum::<f64>()
        });
        let given =
            |o: usize, row: usize| (0..features).map(|k| weight(o, k) * at(k, row)).sum::<f64>();
        let right = Mat::from_fn(left.len(), outputs, |a, o| {
            ridge * weight(o, left[a])
                + (0..rows).map(|row| at(left[a], row) * given(o, row)).sum::<f64>()
        });
        let found = matrix.partial_piv_lu().solve(&right);
        let mut sum = 0.0;
        for o in 0..outputs {
            for row in 0..rows {
                let fit: f64 =
                    left.iter().enumerate().map(|(a, &k)| found[(a, o)] * at(k, row)).sum();
                sum += (given(o, row) - fit).powi(2);
            }
            let moved =
                left.iter().enumerate().map(|(a, &k)| (found[(a, o)] - weight(o, k)).powi(2));
            let gone = (0..features).filter(|k| !left.contains(k)).map(|k| weight(o, k).powi(2));
            sum += ridge * (moved.sum::<f64>() + gone.sum::<f64>());
        }
        sum
    }

    #[test]
    fn a_kernel_solves_for_its_rows() {
        let rows = crate::model::random::uniform([6, 9], -1.0, 1.0, 8);
        let right: Vec<f32> = (0..6).map(|k| k as f32 - 2.0).collect();
        let solved = Kernel::new(&rows).solve(&right, 1e-6);
        let back = product(&gram(&rows).into_data(), 6, &Tensor::new([1, 6], solved), 1);
        for (back, right) in back.iter().zip(&right) {
            assert!((back - right).abs() < 1e-3, "{back} {right}");
        }
        assert_eq!(Kernel::new(&Tensor::filled([2, 3], 0.0)).solve(&[1.0, 2.0], 0.1), [0.0; 2]);
    }

    #[test]
    fn bands_and_depths_make_one_gram_matrix() {
        let (n, width) = (BAND + 3, DEPTH + 5);
        let rows = crate::model::random::uniform([n, width], -1.0, 1.0, 7);
        let found = gram(&rows);
        let row = |k: usize| &rows.data()[k * width..(k + 1) * width];
        for (a, b) in [(0, 0), (2, BAND + 1), (BAND + 1, 2), (BAND, BAND + 2), (n - 1, n - 1)] {
            let sides = row(a).iter().zip(row(b));
            let expected: f64 = sides.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert!((f64::from(found.data()[a * n + b]) - expected).abs() < 1e-3, "{a} {b}");
        }
    }

    #[test]
    fn a_strong_ridge_keeps_the_weights() {
        let x = crate::model::random::uniform([5, 50], -1.0, 1.0, 5);
        let y = crate::model::random::uniform([2, 50], -1.0, 1.0, 6);
        let mut weights = vec![0.25; 10];
        let problem = Ridge::new(x.transpose(&[1, 0]), true);
        let missing = problem.missing(y, &problem.explained(&weights));
        problem.solver(1e9).fit(&missing, &mut weights);
        assert!(weights.iter().all(|w| (w - 0.25).abs() < 1e-4));
    }
}
