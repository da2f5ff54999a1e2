//! Closed-form repair of a cut: every layer is refitted to what the source needs there, on what the
//! cut network really delivers to it.
//!
//! For a layer with cut inputs `x` (rows of receptive fields) and an [`Aim`](aim) `y` at the kept
//! outputs, `W = W0 + (X'X + mu I)^-1 X'(Y - X W0)` on centred data, `mu` = lambda times the mean
//! diagonal of `X'X`, and `b = mean(y) - W' mean(x)`: ridge regression towards the weights it has.
//! Layers are refitted front to back, then all of them [at once](scores) towards the source's scores.
//! No labels.

mod aim;
mod cut;
#[cfg(test)]
mod fixture;
mod layer_by_layer;
mod options;
mod readout;
pub(crate) mod regression;
mod ridge;
mod ridge_choice;
mod rows;
mod scores;
mod spread;
pub(crate) mod staged_run;
mod whole_model;

use std::sync::Arc;

use brickwork_graph::Graph;
use brickwork_tensor::Tensor;

use crate::model::card::{Origin, RefitNote};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;
pub use cut::Cut;
use cut::changed;
use layer_by_layer::layer_by_layer;
pub(crate) use layer_by_layer::problem;
pub use options::RefitOptions;
pub use readout::Readout;
use readout::with_readout;
pub(crate) use readout::{readout_size, without_readout};
pub(crate) use ridge::Ridge;
pub(crate) use rows::Rows;
pub use scores::Alignment;
use scores::{Goal, constants};
pub(crate) use spread::{evenly, some_of};
use staged_run::largest_stage;
pub use whole_model::{Nearer, Towards};

/// Bytes of activations a refit may hold, and of images.
const MEMORY: usize = 4 << 30;

/// How many images of `source` a refit can take.
pub fn image_limit(source: &Graph) -> usize {
    let image = source.value(source.inputs()[0]).shape.sample_volume();
    (MEMORY / (size_of::<f32>() * image.max(1))).max(1)
}

/// How many images of `source` can be on their way through it and a cut of it at once.
pub(crate) fn stage_limit(source: &Graph) -> usize {
    (MEMORY / (2 * size_of::<f32>() * largest_stage(source).max(1))).max(1)
}

/// Refits every layer of `cut` from the first that lost anything, on calibration images
/// `[n, c, h, w]` that are already preprocessed.
///
/// # Errors
/// If a network cannot run.
pub fn refit(
    cut: &Cut<'_>,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<(Graph, RefitNote), Error> {
    let most = options.images.min(stage_limit(cut.source));
    let some = some_of(images, most);
    let lambda = ridge_choice::lambda(cut, &some, batch, options, progress)?;
    let options = &RefitOptions { lambda, ..*options };
    let graph = layer_by_layer(cut, &some, batch, options, "refitting layers", progress)?;
    let (graph, nearer) = align(&Cut { graph: &graph, ..*cut }, images, batch, options, progress)?;
    let mut note = options.note(images.shape()[0]);
    nearer.add_to(&mut note);
    Ok((graph, note))
}

/// `component` refitted towards `source`, which it was cut from, on preprocessed images `[n, c, h, w]`. Its
/// card says so.
///
/// # Errors
/// If it does not say what it was cut from, or a network cannot run.
pub fn refitted(
    source: &Classifier,
    component: &Classifier,
    images: &Tensor,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    let mut card = component.card().clone();
    let Some((Origin { kept, classes, .. }, written)) =
        component.card().origin.as_ref().zip(card.origin.as_mut())
    else {
        let name = &component.name;
        return Err(Error::model(format!("`{name}` does not say which model it was cut from")));
    };
    let cut = Cut { source: source.graph(), graph: component.graph(), kept, classes };
    let (graph, note) = refit(&cut, images, source.batch_size(), options, progress)?;
    written.refit = Some(note);
    Classifier::described(&component.name, graph, card)
}

/// Moves all layers of `cut` that a [`refit`] has refitted together towards the source's scores, on
/// preprocessed images `[n, c, h, w]`, and adds a readout, as far as the options ask for it and it brings them
/// closer.
///
/// # Errors
/// If a network cannot run.
pub fn align(
    cut: &Cut<'_>,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<(Graph, Nearer), Error> {
    let mut graph = Arc::new(cut.graph.clone());
    let goal = Goal { source: cut.source, classes: cut.classes, batch };
    let mut nearer = Nearer::default();
    if options.passes > 0 {
        let names = constants(&graph, &changed(cut));
        let aligned = scores::align(graph.clone(), &names, &goal, images, options, progress)?;
        if let Some((better, found)) = aligned {
            (graph, nearer.passes) = (better, Some(found));
        }
    }
    if options.readout
        && let Some((better, found)) = with_readout(&graph, &goal, images, progress)?
    {
        (graph, nearer.readout) = (better, Some(found));
    }
    Ok((Arc::unwrap_or_clone(graph), nearer))
}
