//! The refit of a whole classifier, however it came to be, towards another one's scores.

use serde::Serialize;

use super::judge::{Alignment, Goal, Judge};
use super::options::RefitOptions;
use super::readout::{Readout, with_readout};
use super::split::RefitImages;
use super::together::{LEAST_IMAGES, align, constants};
use crate::images::image_set::ImageSet;
use crate::model::card::{Card, RefitNote};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::layers::layers;
use crate::model::progress::Progress;

/// A classifier that is to come nearer to another one.
pub struct Towards<'a> {
    model: &'a Classifier,
    source: &'a Classifier,
    /// The source's scores that are the model's.
    classes: Vec<usize>,
}

impl<'a> Towards<'a> {
    /// `model` towards the scores that `source` gives the classes of the same names.
    ///
    /// # Errors
    /// If the source lacks a class or takes other images.
    pub fn new(model: &'a Classifier, source: &'a Classifier) -> Result<Self, Error> {
        let classes = source.indices_of(&model.class_names())?;
        if model.input() != source.input() {
            let [[c, h, w], [sc, sh, sw]] = [model.input(), source.input()];
            return Err(Error::options(format!(
                "`{}` takes {h}x{w} images with {c} channels, source `{}` {sh}x{sw} with {sc}; both must agree",
                model.name, source.name
            )));
        }
        if (model.head() == HeadKind::Multilabel) != (source.head() == HeadKind::Multilabel) {
            return Err(Error::options(format!(
                "an image may be of several classes of one of `{}` and source `{}` alone; both must agree (annotate, \
                 `head=`)",
                model.name, source.name
            )));
        }
        let prepared = [model, source].map(|one| one.card().preprocess.as_ref());
        if let [Some(own), Some(its)] = prepared
            && own != its
        {
            return Err(Error::options(format!(
                "`{}` and source `{}` prepare images differently; both must agree",
                model.name, source.name
            )));
        }
        Ok(Self { model, source, classes })
    }

    /// Moves all layers of the model together until its scores on `images` `[n, c, h, w]`, preprocessed for
    /// both, come no closer to the source's, and adds a readout, as the options ask for. No labels. A threshold and
    /// moments of the scores before are left out.
    ///
    /// # Errors
    /// If the model cannot be passed back through, if there are too few images,
    /// or a network cannot run.
    pub fn refit(
        &self,
        images: &ImageSet,
        options: &RefitOptions,
        progress: &dyn Progress,
    ) -> Result<(Classifier, Nearer), Error> {
        let Self { model, source, classes } = self;
        let apart = model.head() == HeadKind::Multilabel;
        let goal = Goal { source: source.graph(), classes, batch: source.batch_size(), apart };
        if images.len() < LEAST_IMAGES {
            return Err(Error::options(format!(
                "`{}` cannot be refitted as a whole on {} images: it takes {} or more",
                model.name,
                images.len(),
                LEAST_IMAGES
            )));
        }
        let (mut graph, mut nearer) = (model.graph().clone(), Nearer::default());
        if options.passes > 0 {
            let names: Vec<String> = layers(&graph).into_iter().map(|layer| layer.name).collect();
            let names = constants(&graph, &names);
            let parted = RefitImages::new(images, options.seed);
            let judge = Judge::new(&goal, parted.judging.clone())?;
            let aligned = align(graph, &names, &goal, &parted, &judge, options, progress)?;
            let (better, found) = aligned.ok_or_else(|| {
                Error::options(format!(
                    "`{}` cannot be refitted as a whole: it takes networks with weights whose operators all have a \
                     backward pass (a readout alone takes any: `readout=` with `passes=0`)",
                    model.name
                ))
            })?;
            (graph, nearer.passes) = (better, Some(found));
        }
        if options.readout
            && let Some((better, found)) = with_readout(&graph, &goal, images, progress)?
        {
            (graph, nearer.readout) = (better, Some(found));
        }
        let card = self.card(images.len(), options, &nearer);
        Ok((Classifier::described(&model.name, graph, card)?, nearer))
    }

    /// The card of a model that came nearer on so many images.
    fn card(&self, images: usize, options: &RefitOptions, nearer: &Nearer) -> Card {
        let mut card = self.model.card().clone();
        // Both tell of scores that were.
        (card.reject, card.moments) = (None, None);
        if let Some(origin) = &mut card.origin {
            let alone = RefitOptions { rows: 0, rounds: 0, corrects: false, ..*options };
            nearer.add_to(origin.refit.get_or_insert_with(|| alone.note(images)));
        }
        card
    }
}

/// What brought a classifier nearer to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Nearer {
    /// Passes over all layers, if there were to be any.
    pub passes: Option<Alignment>,
    /// A readout of all layers, if there was to be one and it helped.
    pub readout: Option<Readout>,
}

impl Nearer {
    /// Whether anything did.
    pub fn moved(&self) -> bool {
        self.passes.is_some_and(|found| found.passes > 0) || self.readout.is_some()
    }

    /// Adds it to what a card says of a refit.
    pub(crate) fn add_to(&self, note: &mut RefitNote) {
        note.passes += self.passes.map_or(0, |found| found.passes);
        note.readout = self.readout.map_or(note.readout, |found| found.features);
    }
}
