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
mod descent;
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
mod split;
pub(crate) mod staged_run;
mod whole_model;

use std::sync::Arc;

use brickwork_graph::Graph;

use crate::images::image_set::ImageSet;
use crate::model::card::{Origin, RefitNote, SourceAgreement};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;
pub use cut::Cut;
use cut::changed;
use layer_by_layer::{How, layer_by_layer};
pub(crate) use layer_by_layer::{Room, problem};
pub use options::RefitOptions;
pub use readout::Readout;
use readout::with_readout;
pub(crate) use readout::{readout_size, without_readout};
pub(crate) use ridge::Ridge;
pub(crate) use rows::Rows;
pub use scores::Alignment;
use scores::{Goal, Judge, constants};
pub use split::RefitImages;
pub use whole_model::{Nearer, Towards};

/// Images on which means and deviations are measured again, at most.
const MEASURED_AGAIN: usize = 256;

/// So much more agreement on fitted images than on others tells of a refit that cannot be trusted.
const PART: f64 = 0.05;

/// Refits every layer of `cut` from the first that lost anything, on calibration images
/// `[n, c, h, w]` that are already preprocessed.
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
    let layers = layer_by_layer(cut, &images.fitted, batch, options, How::Fit, progress)?;
    let mut note = options.note(images.len());
    let graph = finish(cut, layers, images, batch, options, &mut note, progress)?;
    Ok((graph, note))
}

/// Refits single layers, and once all of them if the network is small: as much as there is time for while there is
/// more to cut.
pub(crate) fn refit_on_the_way(
    cut: &Cut<'_>,
    images: &RefitImages,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<(Arc<Graph>, RefitNote), Error> {
    let graph = layer_by_layer(cut, &images.fitted, batch, options, How::Fit, progress)?;
    let mut note = options.note(images.len());
    let passes = if graph.parameters() > scores::LARGEST { 0 } else { options.passes.min(1) };
    let options = RefitOptions { passes, readout: false, ..*options };
    let (graph, nearer) = align(&Cut { graph: &graph, ..*cut }, images, batch, &options, progress)?;
    nearer.add_to(&mut note);
    Ok((graph, note))
}

/// The rest of a refit of `cut`, the bare cut, whose layers are `refitted`: takes what does best on images that took no
/// part, [aligns](align) it, and notes how far it can be trusted.
pub(crate) fn finish(
    cut: &Cut<'_>,
    refitted: Arc<Graph>,
    images: &RefitImages,
    batch: usize,
    options: &RefitOptions,
    note: &mut RefitNote,
    progress: &dyn Progress,
) -> Result<Graph, Error> {
    let best = nearest(cut, refitted, images, batch, options, progress)?;
    let (graph, nearer) = align(&Cut { graph: &best, ..*cut }, images, batch, options, progress)?;
    nearer.add_to(note);
    let goal = Goal { source: cut.source, classes: cut.classes, batch };
    note.agreement = agreement(&graph, &goal, images, progress)?;
    Ok(Arc::unwrap_or_clone(graph))
}

/// What is nearest to the source's scores on images that took no part: `cut` as it is, with its layers `refitted`, or
/// with their results brought to the means and deviations that they have in the source.
fn nearest(
    cut: &Cut<'_>,
    refitted: Arc<Graph>,
    images: &RefitImages,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<Arc<Graph>, Error> {
    if images.judging.is_empty() {
        return Ok(refitted);
    }
    let goal = Goal { source: cut.source, classes: cut.classes, batch };
    let judge = Judge::new(&goal, images.judging.clone())?;
    let few = RefitOptions { images: options.images.min(MEASURED_AGAIN), ..*options };
    let rescaled = layer_by_layer(cut, &images.fitted, batch, &few, How::Rescale, progress)?;
    let mut best = (judge.loss(&refitted)?, refitted);
    for (name, other) in
        [("measured again", rescaled), ("as they were", Arc::new(cut.graph.clone()))]
    {
        let loss = judge.loss(&other)?;
        if loss < best.0 {
            progress.note(&format!(
                "layers {name} are nearer to the source's scores on images that took no part than refitted ones ({loss:.3} \
                 against {:.3} nats): they are taken instead; more images (`refit_samples=`) would help",
                best.0
            ));
            best = (loss, other);
        }
    }
    Ok(best.1)
}

/// How often a refitted network agrees with its source, on images that were fitted and on others. Says so where they
/// part.
fn agreement(
    graph: &Arc<Graph>,
    goal: &Goal<'_>,
    images: &RefitImages,
    progress: &dyn Progress,
) -> Result<Option<SourceAgreement>, Error> {
    if images.judging.is_empty() || goal.classes.len() < 2 {
        return Ok(None);
    }
    let of = |images: ImageSet| Judge::new(goal, images)?.agrees(graph);
    let (fitted, held) = (of(images.fitted.evenly(MEASURED_AGAIN))?, of(images.judging.clone())?);
    let found = SourceAgreement {
        fitted: fitted.share(),
        fitted_images: fitted.all,
        held_out: held.share(),
        held_out_images: held.all,
    };
    let doubt = (found.held_out * (1.0 - found.held_out) / held.all as f64).sqrt();
    if found.fitted - found.held_out > PART + 2.0 * doubt {
        progress.note(&format!(
            "warning: it agrees with its source on {:.1} % of the images that it was refitted on, but on {:.1} % of {} \
             others; give it more images (`refit_samples=`), or keep more (`macs=`)",
            100.0 * found.fitted,
            100.0 * found.held_out,
            held.all
        ));
    }
    Ok(Some(found))
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
    images: &RefitImages,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<(Arc<Graph>, Nearer), Error> {
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
        && let Some((better, found)) = with_readout(&graph, &goal, &images.all, progress)?
    {
        (graph, nearer.readout) = (better, Some(found));
    }
    Ok((graph, nearer))
}
