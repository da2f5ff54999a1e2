//! The refit of a cut, from single layers to the network as a whole, and who judges it.

use std::fmt;
use std::sync::Arc;

use brickwork_graph::Graph;

use super::cut::{Cut, changed};
use super::judge::{Goal, Judge, mean, surely_less};
use super::layer_by_layer::{How, layer_by_layer};
use super::options::RefitOptions;
use super::readout::with_readout;
use super::split::RefitImages;
use super::together::{LARGEST, align, constants};
use super::whole_model::Nearer;
use crate::images::image_set::ImageSet;
use crate::model::card::{RefitNote, SourceAgreement};
use crate::model::error::Error;
use crate::model::percent::Percent;
use crate::model::progress::Progress;

/// Images on which means and deviations are measured again, at most.
const MEASURED_AGAIN: usize = 256;

/// So much more agreement on fitted images than on others tells of a refit that cannot be trusted.
const PART: f64 = 0.05;

/// What became of the layers of a cut.
#[derive(Clone, Copy)]
enum Layers {
    /// They were solved anew.
    Refitted,
    /// Their results were brought to the means and deviations that they have in the source.
    MeasuredAgain,
    /// They are as they were.
    Bare,
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refitted => "refitted",
            Self::MeasuredAgain => "measured again",
            Self::Bare => "as they were",
        })
    }
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
        let graph = self.layers(How::Fit, &self.images.fitted, self.options)?;
        if self.options.passes == 0 || self.images.few() || graph.parameters() > LARGEST {
            return Ok((graph, note));
        }
        let once = RefitOptions { passes: 1, readout: false, ..*self.options };
        let Some(judge) = self.judge()? else { return Ok((graph, note)) };
        let (graph, nearer) = self.aligned(graph, &judge, &once)?;
        nearer.add_to(&mut note);
        Ok((graph, note))
    }

    /// The rest of a refit whose layers are `refitted`: takes what does best on images that took no part, moves all
    /// layers together, adds a readout if the options ask for it, and notes how far the result can be trusted. Where
    /// there are [few](RefitImages::few) images, a refit without those that judge is judged in place of the one with all.
    ///
    /// # Errors
    /// If a network cannot run, or an image cannot be read.
    pub(crate) fn finish(
        &self,
        refitted: Arc<Graph>,
        note: &mut RefitNote,
    ) -> Result<Graph, Error> {
        let judge = self.judge()?;
        let Some(judge) = &judge else {
            return Ok(Arc::unwrap_or_clone(refitted));
        };
        let graph = match self.images.few() {
            true => self.tried(refitted, judge, note)?,
            false => self.judged(refitted, judge, note)?,
        };
        Ok(Arc::unwrap_or_clone(graph))
    }

    /// What does best of layers that were `refitted` without the judge's images, moved towards the source's scores.
    fn judged(
        &self,
        refitted: Arc<Graph>,
        judge: &Judge,
        note: &mut RefitNote,
    ) -> Result<Arc<Graph>, Error> {
        let (_, best) = self.nearest(refitted, judge)?;
        let (graph, nearer) = self.aligned(best, judge, self.options)?;
        nearer.add_to(note);
        note.agreement = self.agreement(&graph, judge)?;
        Ok(graph)
    }

    /// What does best of layers that were `refitted` on all images, as it is found without the judge's.
    fn tried(
        &self,
        refitted: Arc<Graph>,
        judge: &Judge,
        note: &mut RefitNote,
    ) -> Result<Arc<Graph>, Error> {
        let trial = self.layers(How::Fit, &self.images.apart, self.options)?;
        let (layers, best) = self.nearest(trial, judge)?;
        note.agreement = self.agreement(&best, judge)?;
        let graph = match layers {
            Layers::Refitted => refitted,
            Layers::MeasuredAgain => self.measured_again(&self.images.fitted)?,
            Layers::Bare => best,
        };
        let (graph, nearer) = self.aligned(graph, judge, self.options)?;
        nearer.add_to(note);
        Ok(graph)
    }

    /// The judge, if any images are left to it.
    fn judge(&self) -> Result<Option<Judge>, Error> {
        let images = Some(&self.images.judging).filter(|images| !images.is_empty());
        images.map(|images| Judge::new(&self.goal, images.clone())).transpose()
    }

    pub(super) fn layers(
        &self,
        how: How,
        images: &ImageSet,
        options: &RefitOptions,
    ) -> Result<Arc<Graph>, Error> {
        layer_by_layer(self.cut, images, self.goal.batch, options, how, self.progress)
    }

    /// The bare cut, its layers' results brought to the means and deviations that they have in the source.
    fn measured_again(&self, images: &ImageSet) -> Result<Arc<Graph>, Error> {
        let count = self.options.images.min(MEASURED_AGAIN);
        self.layers(How::Rescale, images, &RefitOptions { images: count, ..*self.options })
    }

    /// What is nearest to the source's scores, as the judge finds: the cut with its layers `refitted`, or, where that is
    /// [surely](surely_less) nearer, with their results brought to the means and deviations that they have in
    /// the source, or as it is.
    fn nearest(&self, refitted: Arc<Graph>, judge: &Judge) -> Result<(Layers, Arc<Graph>), Error> {
        let rescaled = self.measured_again(&self.images.apart)?;
        let bare = Arc::new(self.cut.graph.clone());
        let mut nearest = (judge.losses(&refitted)?, Layers::Refitted, refitted);
        for (layers, other) in [(Layers::MeasuredAgain, rescaled), (Layers::Bare, bare)] {
            let losses = judge.losses(&other)?;
            if surely_less(&losses, &nearest.0) {
                self.progress.note(&format!(
                    "layers {layers} are nearer to the source's scores on images that took no part than layers {} \
                     ({:.3} against {:.3} nats): they are taken instead; more images (`refit_samples=`) would help",
                    nearest.1,
                    mean(&losses),
                    mean(&nearest.0)
                ));
                nearest = (losses, layers, other);
            }
        }
        Ok((nearest.1, nearest.2))
    }

    /// Moves all refitted layers of `graph` together towards the source's scores, and adds a readout, as far as the
    /// options ask for it and it brings them closer.
    fn aligned(
        &self,
        mut graph: Arc<Graph>,
        judge: &Judge,
        options: &RefitOptions,
    ) -> Result<(Arc<Graph>, Nearer), Error> {
        let (goal, images, progress) = (&self.goal, self.images, self.progress);
        let mut nearer = Nearer::default();
        if options.passes > 0 && !images.few() {
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
    /// they part. Nothing of a single class.
    fn agreement(
        &self,
        graph: &Arc<Graph>,
        judge: &Judge,
    ) -> Result<Option<SourceAgreement>, Error> {
        if self.goal.classes.len() == 1 {
            return Ok(None);
        }
        let fitted = Judge::new(&self.goal, self.images.apart.evenly(MEASURED_AGAIN))?;
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
        Ok(Some(found))
    }
}
