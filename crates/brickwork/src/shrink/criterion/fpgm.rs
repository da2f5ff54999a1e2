//! Distance from the geometric median of the filters (He et al. 2019, "Filter pruning via geometric
//! median", equation 7): a filter close to all others can be replaced by them.

use brickwork_tensor::Tensor;
use rayon::prelude::*;

/// For filters `[outputs, inputs, taps]`, the sum of Euclidean distances of each to all others.
pub(super) fn scores(weights: &Tensor) -> Vec<f64> {
    let each = weights.data().len() / weights.shape()[0].max(1);
    let filters: Vec<&[f32]> = weights.data().chunks(each.max(1)).collect();
    let sum = |a: &&[f32]| filters.iter().map(|b| distance(a, b)).sum();
    filters.par_iter().map(sum).collect()
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2));
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_in_the_middle_is_worth_least() {
        let weights = Tensor::new([3, 2, 1], vec![0.0, 0.0, 3.0, 4.0, 6.0, 8.0]);
        assert_eq!(scores(&weights), [15.0, 10.0, 15.0]);
    }

    #[test]
    fn a_large_filter_among_its_likes_is_worth_less_than_a_small_one_apart() {
        let weights = Tensor::new([4, 1, 1], vec![9.0, 9.5, 10.0, 1.0]);
        assert_eq!(scores(&weights), [9.5, 9.5, 10.5, 26.0 - 0.5]);
    }
}
