//! The ridge of a layer's problem, chosen on images that take no part in the fit.
//!
//! How far a layer can be trusted to follow its rows depends on how wide it is and on how many images they
//! are of: positions of one image say much the same. So the rows of some images are left out, fits with one ridge
//! after the other are made without them, and that is taken which does best on them: none at all, if the weights
//! do better as they are.

use std::ops::Range;

use brickwork_tensor::Tensor;
use rayon::prelude::*;

use super::aim::Wanted;
use super::ridge::{Ridge, linear};

/// Multiples of the least ridge that are tried.
pub(super) const MULTIPLES: [f64; 5] = [1.0, 10.0, 100.0, 1e3, 1e4];

/// The ridge, relative to the mean diagonal of the second moments, for inputs `[rows, features]` of which the first
/// `fitting` rows may be fitted. `None` where `weights` `[outputs, features]` do best as they are, but for their
/// biases.
pub(super) fn chosen(
    inputs: &Tensor,
    wanted: &Wanted<'_>,
    fitting: usize,
    least: f64,
    weights: &[f32],
    centred: bool,
) -> Option<f64> {
    let rows = inputs.shape()[0];
    if fitting == rows {
        return Some(least);
    }
    let part = |rows: Range<usize>| inputs.slice(0, rows.start, 1, rows.len());
    let problem = Ridge::new(part(0..fitting), centred);
    let missing = wanted.at(0..fitting).missing(&problem, &problem.explained(weights));
    let (inputs, wanted) = (part(fitting..rows), wanted.at(fitting..rows));
    let loss = |weights: &[f32], biases: &[f32]| wanted.loss(&linear(weights, biases, &inputs));
    let bare = loss(weights, &problem.biases(weights, &missing));
    let tried = MULTIPLES.into_par_iter().map(|multiple| {
        let (lambda, mut weights) = (multiple * least, weights.to_vec());
        let biases = problem.solver(lambda).fit(&missing, &mut weights);
        (loss(&weights, &biases), lambda)
    });
    let tried: Vec<(f64, f64)> = tried.collect();
    let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(loss, _)| *loss < bare).map(|(_, lambda)| lambda)
}
