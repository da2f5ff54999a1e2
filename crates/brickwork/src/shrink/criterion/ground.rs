//! What criteria judge by.

use brickwork_graph::{Channels, Graph, Label};
use brickwork_tensor::Tensor;

use crate::cut::plan::class_labels;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::{Progress, Silent};
use crate::relevance::profile::Profile;

/// Images that criteria look at together.
pub(super) const BATCH: usize = 16;

/// What criteria judge by.
pub struct Ground<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) channels: Channels,
    pub(super) layers: Vec<LayerInfo>,
    pub(crate) classes: Vec<Label>,
    pub(super) profile: Option<&'a Profile>,
    images: Option<&'a Tensor>,
    pub(super) seed: u64,
    /// Whether an image may be of several classes, so that scores matter each for itself.
    pub(super) apart: bool,
    pub(super) progress: &'a dyn Progress,
}

impl<'a> Ground<'a> {
    /// Of a model; a profile is needed for contributions alone, preprocessed images `[n, c, h, w]` for
    /// what happens to them, a seed for random draws.
    ///
    /// # Errors
    /// If the profile is of another model, or the model's scores do not lie along an axis.
    pub fn new(
        classifier: &'a Classifier,
        profile: Option<&'a Profile>,
        images: Option<&'a Tensor>,
        seed: u64,
    ) -> Result<Self, Error> {
        profile.map_or(Ok(()), |profile| profile.check_model(classifier))?;
        let graph = classifier.graph();
        let channels = Channels::of(graph);
        let classes = class_labels(graph, &channels)?;
        Ok(Self {
            graph,
            channels,
            layers: layers(graph),
            classes,
            profile,
            images,
            seed,
            apart: classifier.head() == HeadKind::Multilabel,
            progress: &Silent,
        })
    }

    /// Shows how far scores are.
    pub fn watched(self, progress: &'a dyn Progress) -> Self {
        Self { progress, ..self }
    }

    /// The images that `criterion` needs.
    pub(super) fn images(&self, criterion: &str) -> Result<&Tensor, Error> {
        self.images.ok_or_else(|| {
            Error::options(format!("the criterion {criterion} needs images; give it data"))
        })
    }

    /// The images a batch of `size` at a time, as a count and their elements; tells the progress.
    pub(super) fn batches<'i>(
        &'i self,
        images: &'i Tensor,
        size: usize,
    ) -> impl Iterator<Item = (usize, &'i [f32])> {
        let count = images.shape()[0];
        let each = images.data().len() / count.max(1);
        self.progress.begin("scoring channels", count as u64);
        images.data().chunks(size * each.max(1)).map(move |data| {
            self.progress.step((data.len() / each) as u64);
            (data.len() / each, data)
        })
    }

    /// Elements of the constant called `name`.
    pub(super) fn elements(&self, name: &str) -> usize {
        let constant = self.graph.find_value(name).map(|value| self.graph.value(value));
        constant.and_then(|value| value.constant.as_ref()).map_or(0, |data| data.data().len())
    }

    /// The model's channels, to whose labels scores belong.
    pub fn channels(&self) -> &Channels {
        &self.channels
    }
}
