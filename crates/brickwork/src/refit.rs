//! Closed-form repair of a cut: every layer is refitted to what the source needs there, on what the
//! cut network really delivers to it.
//!
//! For a layer with cut inputs `x` (rows of receptive fields) and an [`Aim`](aim) `y` at the kept
//! outputs, `W = W0 + (X'X + mu I)^-1 X'(Y - X W0)` on centred data, `mu` = lambda times the mean
//! diagonal of `X'X`, and `b = mean(y) - W' mean(x)`: ridge regression towards the weights it has.
//! Layers are refitted front to back, then all of them [at once](together) towards the source's scores.
//! No labels.

mod aim;
mod cut;
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
mod split;
pub(crate) mod staged_run;
mod together;
mod whole_model;

use std::sync::Arc;

use brickwork_graph::Graph;

use crate::images::image_set::ImageSet;
use crate::model::card::{Origin, RefitNote, SourceAgreement};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::percent::Percent;
use crate::model::progress::Progress;
pub use cut::Cut;
use cut::changed;
pub use judge::Alignment;
use judge::{Goal, Judge};
use layer_by_layer::{How, layer_by_layer};
pub(crate) use layer_by_layer::{Room, problem};
pub use options::RefitOptions;
pub use readout::Readout;
use readout::with_readout;
pub(crate) use readout::{readout_size, without_readout};
pub(crate) use ridge::Ridge;
pub(crate) use rows::Rows;
pub(crate) use split::RefitImages;
use together::{LARGEST, align, constants};
pub use whole_model::{Nearer, Towards};

/// Images on which means and deviations are measured again, at most.
const MEASURED_AGAIN: usize = 256;

/// So much more agreement on fitted images than on others tells of a refit that cannot be trusted.
const PART: f64 = 0.05;

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
    let graph = refit.finish(refit.layers(How::Fit, options)?, &mut note)?;
    Ok((graph, note))
}

/// The refit of a cut.
pub(crate) struct CutRefit<'a> {
    /// The bare cut.
    cut: &'a Cut<'a>,
    goal: Goal<'a>,
    images: &'a RefitImages,
    options: &'a RefitOptions,
    progress: &'a dyn Progress,
}

impl<'a> CutRefit<'a> {
    /// Of a bare `cut`, whose networks run on `batch` images at once.
    pub(crate) fn new(
        cut: &'a Cut<'a>,
        images: &'a RefitImages,
        batch: usize,
        options: &'a RefitOptions,
        progress: &'a dyn Progress,
    ) -> Self {
        let Cut { source, classes, apart, .. } = *cut;
        let goal = Goal { source, classes, batch, apart };
        Self { cut, goal, images, options, progress }
    }

    /// Refits single layers, and once all of them if the network is small: as much as there is time for while there is
    /// more to cut.
    ///
    /// # Errors
    /// If a network cannot run, or an image cannot be read.
    pub(crate) fn on_the_way(&self) -> Result<(Arc<Graph>, RefitNote), Error> {
        let mut note = self.options.note(self.images.len());
        let graph = self.layers(How::Fit, self.options)?;
        if self.options.passes == 0 || graph.parameters() > LARGEST {
            return Ok((graph, note));
        }
        let once = RefitOptions { passes: 1, readout: false, ..*self.options };
        let (graph, nearer) = self.aligned(graph, self.judge()?.as_ref(), &once)?;
        nearer.add_to(&mut note);
        Ok((graph, note))
    }

    /// The rest of a refit whose layers are `refitted`: takes what does best on images that took no part, moves all
    /// layers together, adds a readout if the options ask for it, and notes how far the result can be trusted.
    ///
    /// # Errors
    /// If a network cannot run, or an image cannot be read.
    pub(crate) fn finish(
        &self,
        refitted: Arc<Graph>,
        note: &mut RefitNote,
    ) -> Result<Graph, Error> {
        let judge = self.judge()?;
        let best = match &judge {
            Some(judge) => self.nearest(refitted, judge)?,
            None => refitted,
        };
        let (graph, nearer) = self.aligned(best, judge.as_ref(), self.options)?;
        nearer.add_to(note);
        if let Some(judge) = judge.filter(|_| self.goal.classes.len() > 1) {
            note.agreement = Some(self.agreement(&graph, &judge)?);
        }
        Ok(Arc::unwrap_or_clone(graph))
    }

    /// The judge, if any images are left to it.
    fn judge(&self) -> Result<Option<Judge>, Error> {
        let images = Some(&self.images.judging).filter(|images| !images.is_empty());
        images.map(|images| Judge::new(&self.goal, images.clone())).transpose()
    }

    fn layers(&self, how: How, options: &RefitOptions) -> Result<Arc<Graph>, Error> {
        let (images, batch) = (&self.images.fitted, self.goal.batch);
        layer_by_layer(self.cut, images, batch, options, how, self.progress)
    }

    /// What is nearest to the source's scores, as the judge finds: the cut as it is, with its layers `refitted`, or with
    /// their results brought to the means and deviations that they have in the source.
    fn nearest(&self, refitted: Arc<Graph>, judge: &Judge) -> Result<Arc<Graph>, Error> {
        let images = self.options.images.min(MEASURED_AGAIN);
        let rescaled = self.layers(How::Rescale, &RefitOptions { images, ..*self.options })?;
        let mut best = (judge.loss(&refitted)?, refitted);
        let bare = Arc::new(self.cut.graph.clone());
        for (name, other) in [("measured again", rescaled), ("as they were", bare)] {
            let loss = judge.loss(&other)?;
            if loss < best.0 {
                self.progress.note(&format!(
                    "layers {name} are nearer to the source's scores on images that took no part than refitted ones \
                     ({loss:.3} against {:.3} nats): they are taken instead; more images (`refit_samples=`) would help",
                    best.0
                ));
                best = (loss, other);
            }
        }
        Ok(best.1)
    }

    /// Moves all refitted layers of `graph` together towards the source's scores, and adds a readout, as far as the
    /// options ask for it and it brings them closer.
    fn aligned(
        &self,
        mut graph: Arc<Graph>,
        judge: Option<&Judge>,
        options: &RefitOptions,
    ) -> Result<(Arc<Graph>, Nearer), Error> {
        let (goal, images, progress) = (&self.goal, self.images, self.progress);
        let mut nearer = Nearer::default();
        if let Some(judge) = judge.filter(|_| options.passes > 0) {
            let names = constants(&graph, &changed(self.cut));
            let found = align(graph.clone(), &names, goal, images, judge, options, progress)?;
            if let Some((better, found)) = found {
                (graph, nearer.passes) = (better, Some(found));
            }
        }
        if options.readout
            && let Some((better, found)) = with_readout(&graph, goal, &images.all, progress)?
        {
            (graph, nearer.readout) = (better, Some(found));
        }
        Ok((graph, nearer))
    }

    /// How often a refitted network agrees with its source, on images that were fitted and on others. Says so where
    /// they part.
    fn agreement(&self, graph: &Arc<Graph>, judge: &Judge) -> Result<SourceAgreement, Error> {
        let fitted = Judge::new(&self.goal, self.images.fitted.evenly(MEASURED_AGAIN))?;
        let found = SourceAgreement {
            fitted: fitted.agreement(graph)?,
            fitted_images: fitted.count(),
            held_out: judge.agreement(graph)?,
            held_out_images: judge.count(),
        };
        let variance = found.held_out * (1.0 - found.held_out) / found.held_out_images as f64;
        if found.fitted - found.held_out > PART + 2.0 * variance.sqrt() {
            self.progress.note(&format!(
                "warning: it agrees with its source on {:.1} of the images that it was refitted on, but on {:.1} of \
                 {} others; give it more images (`refit_samples=`), or keep more (`macs=`)",
                Percent::of(found.fitted),
                Percent::of(found.held_out),
                found.held_out_images
            ));
        }
        Ok(found)
    }
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
    let apart = component.head() == HeadKind::Multilabel;
    let cut = Cut { source: source.graph(), graph: component.graph(), kept, classes, apart };
    let (graph, note) = refit(&cut, images, source.batch_size(), options, progress)?;
    written.refit = Some(note);
    Classifier::described(&component.name, graph, card)
}
