//! The ridge of refits on few images.
//!
//! Many images leave little to choose. What a layer can be made to do on few need not hold for others, and
//! [passes over all layers](super::scores) hardly put it right. So layers are refitted on two thirds of the images
//! with one ridge after the other; that is taken which brings the scores on the last third nearest to the source's.

use brickwork_tensor::Tensor;

use super::cut::Cut;
use super::layer_by_layer::layer_by_layer;
use super::options::RefitOptions;
use super::scores::{Goal, Judge};
use crate::model::error::Error;
use crate::model::progress::Progress;

/// From so many images on the ridge matters little.
const MANY: usize = 256;

/// One image in so many chooses.
const CHOOSES: usize = 3;

/// Multiples of the ridge that are tried.
const MULTIPLES: [f64; 3] = [1.0, 10.0, 100.0];

/// The ridge for a refit of `cut` on these images `[n, c, h, w]`: that of the options unless there are few.
///
/// # Errors
/// If a network cannot run.
pub(super) fn lambda(
    cut: &Cut<'_>,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<f64, Error> {
    if !(CHOOSES..MANY).contains(&images.shape()[0]) {
        return Ok(options.lambda);
    }
    let (judges, rest): (Vec<usize>, Vec<usize>) =
        (0..images.shape()[0]).partition(|image| image % CHOOSES == CHOOSES - 1);
    let goal = Goal { source: cut.source, classes: cut.classes, batch };
    let judge = Judge::new(&goal, images.take(0, &judges))?;
    let rest = images.take(0, &rest);
    let mut best = (f64::INFINITY, options.lambda);
    for (place, multiple) in MULTIPLES.into_iter().enumerate() {
        let title = format!("choosing the ridge, {} of {}", place + 1, MULTIPLES.len());
        let options = RefitOptions { lambda: multiple * options.lambda, ..*options };
        let graph = layer_by_layer(cut, &rest, batch, &options, &title, progress)?;
        let loss = judge.loss(&graph)?;
        if loss < best.0 {
            best = (loss, options.lambda);
        }
    }
    Ok(best.1)
}
