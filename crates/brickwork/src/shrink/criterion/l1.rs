//! Mean absolute weights (Li et al. 2017, "Pruning filters for efficient ConvNets").

use brickwork_tensor::Tensor;

/// For filters `[outputs, inputs, taps]`, the mean of `|w|` of each.
pub(super) fn scores(weights: &Tensor) -> Vec<f64> {
    let each = weights.data().len() / weights.shape()[0].max(1);
    let mean =
        |filter: &[f32]| filter.iter().map(|w| f64::from(w.abs())).sum::<f64>() / each as f64;
    weights.data().chunks(each.max(1)).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_do_not_count() {
        let weights = Tensor::new([3, 1, 2], vec![1.0, -3.0, 0.0, 0.5, 0.0, 0.0]);
        assert_eq!(scores(&weights), [2.0, 0.25, 0.0]);
    }
}
