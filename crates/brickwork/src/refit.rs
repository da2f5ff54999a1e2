//! Closed-form repair of a cut: every layer is refitted to what the source needs there, on what the
//! cut network really delivers to it.
//!
//! For a layer with cut inputs `x` (rows of receptive fields) and an [`Aim`](aim) `y` at the kept
//! outputs, `W = W0 + (X'X + mu I)^-1 X'(Y - X W0)` on centred data, `mu` = lambda times the mean
//! diagonal of `X'X`, and `b = mean(y) - W' mean(x)`: ridge regression towards the weights it has.
//! Layers are refitted front to back, then all of them [at once](together) towards the source's scores.
//! No labels.

mod aim;
mod by_moments;
mod cut;
mod cut_refit;
mod descent;
#[cfg(test)]
mod fixture;
mod gauss_newton;
mod judge;
mod layer_by_layer;
mod options;
mod readout;
pub(crate) mod regression;
mod ridge;
mod ridge_choice;
mod rows;
mod second_moments;
mod split;
pub(crate) mod staged_run;
mod together;
mod whole_model;

use brickwork_graph::Graph;

use crate::images::image_set::ImageSet;
use crate::model::card::{Origin, RefitNote};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::progress::Progress;
pub(crate) use by_moments::{CutLayer, LayerMoments, Positions, refitted_layers};
pub use cut::Cut;
pub(crate) use cut_refit::CutRefit;
pub use judge::Alignment;
use layer_by_layer::How;
pub(crate) use layer_by_layer::{Room, problem};
pub use options::RefitOptions;
pub use readout::Readout;
pub(crate) use readout::{readout_size, without_readout};
pub(crate) use ridge::Ridge;
pub(crate) use rows::Rows;
pub(crate) use split::RefitImages;
pub use whole_model::{Nearer, Towards};

/// Refits every layer of `cut` from the first that lost anything, on calibration images
/// `[n, c, h, w]` that are already preprocessed, then all of them together.
///
/// # Errors
/// If a network cannot run, or an image cannot be read.
pub fn refit(
    cut: &Cut<'_>,
    images: &ImageSet,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<(Graph, RefitNote), Error> {
    let images = &RefitImages::new(images, options.seed);
    let refit = CutRefit::new(cut, images, batch, options, progress);
    let mut note = options.note(images.len());
    let graph = refit.finish(refit.layers(How::Fit, &images.fitted, options)?, &mut note)?;
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
    images: &ImageSet,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    let cut = cut_of(source, component)?;
    let (graph, note) = refit(&cut, images, source.batch_size(), options, progress)?;
    noted(component, graph, note)
}

/// The cut that `component` is of `source`.
///
/// # Errors
/// If it does not say what it was cut from.
pub(crate) fn cut_of<'a>(
    source: &'a Classifier,
    component: &'a Classifier,
) -> Result<Cut<'a>, Error> {
    let Some(Origin { kept, classes, .. }) = &component.card().origin else {
        let name = &component.name;
        return Err(Error::model(format!("`{name}` does not say which model it was cut from")));
    };
    let apart = component.head() == HeadKind::Multilabel;
    Ok(Cut { source: source.graph(), graph: component.graph(), kept, classes, apart })
}

/// `component` with its network refitted, of which its card tells.
pub(crate) fn noted(
    component: &Classifier,
    graph: Graph,
    note: RefitNote,
) -> Result<Classifier, Error> {
    let mut card = component.card().clone();
    if let Some(origin) = &mut card.origin {
        origin.refit = Some(note);
    }
    Classifier::described(&component.name, graph, card)
}
