//! The refit of a whole classifier, however it came to be, towards another one's scores.

use std::sync::Arc;

use brickwork_tensor::Tensor;

use super::scores::{self, Goal};
use super::{Alignment, RefitOptions, constants};
use crate::batching::batch_size;
use crate::classifier::Classifier;
use crate::error::Error;
use crate::layers::layers;
use crate::progress::Progress;

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
            return Err(Error::Options(format!(
                "`{}` takes {h}x{w} images with {c} channels, source `{}` {sh}x{sw} with {sc}; both must agree",
                model.name, source.name
            )));
        }
        let prepared = [model, source].map(|one| one.card.preprocess.as_ref());
        if let [Some(own), Some(its)] = prepared
            && own != its
        {
            return Err(Error::Options(format!(
                "`{}` and source `{}` prepare images differently; both must agree",
                model.name, source.name
            )));
        }
        Ok(Self { model, source, classes })
    }

    /// Moves all layers of the model together until its scores on `images` `[n, c, h, w]`, preprocessed for
    /// both, come no closer to the source's. No labels. A threshold and moments of the scores before are
    /// left out.
    ///
    /// # Errors
    /// If the model has too many weights or cannot be passed back through, if there are too few images, or
    /// a network cannot run.
    pub fn refit(
        &self,
        images: &Tensor,
        options: &RefitOptions,
        progress: &dyn Progress,
    ) -> Result<(Classifier, Alignment), Error> {
        let Self { model, source, classes } = self;
        let names: Vec<String> = layers(&model.graph).into_iter().map(|layer| layer.name).collect();
        let names = constants(&model.graph, &names);
        let goal = Goal { source: &source.graph, classes };
        let images = (images, batch_size(source));
        let aligned = scores::align(model.graph.clone(), &names, &goal, images, options, progress)?;
        let (graph, found) = aligned.ok_or_else(|| {
            Error::Options(format!(
                "`{}` cannot be refitted as a whole on {} images: it takes {} or more, and \
                 networks of up to {} weights whose operators all have a backward pass",
                model.name,
                images.0.shape()[0],
                scores::LEAST_IMAGES,
                scores::LARGEST,
            ))
        })?;
        let aligned = Classifier::new(&model.name, Arc::unwrap_or_clone(graph))?;
        let mut card = model.card.clone();
        // Both tell of scores that were.
        (card.reject, card.moments) = (None, None);
        if let Some(origin) = &mut card.origin {
            match &mut origin.refit {
                Some(note) => note.passes += found.passes,
                None => {
                    let passes_alone =
                        RefitOptions { rows: 0, rounds: 0, corrects: false, ..*options };
                    origin.refit = Some(passes_alone.note(images.0.shape()[0], found.passes));
                }
            }
        }
        Ok((aligned.with_card(card)?, found))
    }
}
