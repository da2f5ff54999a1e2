//! Criteria: how much every channel group is worth to a network that keeps all its classes.
//!
//! The first-order criterion says what losing a group costs, which is compared to what it saves. By the
//! others a layer scores its channels; the scores of a layer are brought to mean 1, so that layers can
//! be compared; a group is worth the mean of what the layers at which it lives say of it.

mod bn_scale;
mod contribution;
mod energy;
mod fpgm;
mod l1;
mod net_contribution;
mod reconstruction;
mod taylor;

use std::collections::BTreeMap;

use brickwork_graph::{Channels, Graph, Label};
use brickwork_tensor::Tensor;

use crate::cut::control::Control;
use crate::cut::plan::class_labels;
use crate::model::card::Criterion;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::{Progress, Silent};
use crate::relevance::profile::Profile;

impl Criterion {
    /// The worth of every label; labels of one group are worth the same.
    ///
    /// # Errors
    /// If the criterion needs what the model or the caller does not give: a profile of the model
    /// for contributions, normalisation behind every layer for its scales, images and a backward
    /// pass of every operator for changes of the scores.
    pub fn scores(self, ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
        match self {
            Self::Taylor => taylor::scores(ground),
            Self::Contribution => contribution::scores(ground),
            Self::NetContribution => net_contribution::scores(ground),
            Self::Energy => energy::scores(ground),
            Self::Reconstruction => reconstruction::scores(ground),
            Self::L1 => Ok(by_filter(ground, l1::scores)),
            Self::Fpgm => Ok(by_filter(ground, fpgm::scores)),
            Self::BnScale => bn_scale::scores(ground),
            Self::Random => {
                let control = Control::Random(ground.seed);
                let scores = control.scores(ground.graph, &ground.channels);
                Ok(scores.into_iter().map(f64::from).collect())
            }
        }
    }
}

/// Images that criteria look at together.
const BATCH: usize = 16;

/// What criteria judge by.
pub struct Ground<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) channels: Channels,
    layers: Vec<LayerInfo>,
    pub(crate) classes: Vec<Label>,
    profile: Option<&'a Profile>,
    images: Option<&'a Tensor>,
    seed: u64,
    progress: &'a dyn Progress,
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
            progress: &Silent,
        })
    }

    /// Shows how far scores are.
    pub fn watched(self, progress: &'a dyn Progress) -> Self {
        Self { progress, ..self }
    }

    /// The images that `criterion` needs.
    fn images(&self, criterion: &str) -> Result<&Tensor, Error> {
        self.images.ok_or_else(|| {
            Error::options(format!("the criterion {criterion} needs images; give it data"))
        })
    }

    /// The images a batch of `size` at a time, as a count and their elements; tells the progress.
    fn batches<'i>(
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

    /// The model's channels, to whose labels scores belong.
    pub fn channels(&self) -> &Channels {
        &self.channels
    }
}

/// Scores from the filters of the layers that make a channel. `judge` gets the weights of a layer,
/// `[outputs, inputs of a group, taps]`, and gives a score for every output.
fn by_filter(ground: &Ground<'_>, judge: impl Fn(&Tensor) -> Vec<f64>) -> Vec<f64> {
    let mut opinions = Opinions::new(&ground.channels);
    for layer in &ground.layers {
        if let Some(ends) = ground.channels.layer(layer.node) {
            opinions.add(&ends.outputs, &judge(&layer.weights(ground.graph)));
        }
    }
    opinions.means()
}

/// What layers say of groups.
struct Opinions<'a> {
    channels: &'a Channels,
    sum: Vec<f64>,
    count: Vec<u32>,
}

impl<'a> Opinions<'a> {
    fn new(channels: &'a Channels) -> Self {
        Self { channels, sum: vec![0.0; channels.len()], count: vec![0; channels.len()] }
    }

    /// One layer's scores of its channels, in whatever unit.
    fn add(&mut self, labels: &[Label], scores: &[f64]) {
        let mut groups: BTreeMap<Label, (f64, f64)> = BTreeMap::new();
        for (&label, score) in labels.iter().zip(scores) {
            let (sum, count) = groups.entry(self.channels.group(label)).or_default();
            *sum += score;
            *count += 1.0;
        }
        let mean =
            groups.values().map(|(sum, count)| sum / count).sum::<f64>() / groups.len() as f64;
        for (group, (sum, count)) in groups {
            // A layer that tells its channels nothing apart finds them all average.
            self.sum[group as usize] += if mean > 0.0 { sum / count / mean } else { 1.0 };
            self.count[group as usize] += 1;
        }
    }

    /// Whether any layer said something of the label's group.
    fn heard(&self, label: Label) -> bool {
        self.count[self.channels.group(label) as usize] > 0
    }

    /// Every label's group's mean; 1 where nobody said anything.
    fn means(&self) -> Vec<f64> {
        let mean = |label: Label| match self.channels.group(label) as usize {
            group if self.count[group] > 0 => self.sum[group] / f64::from(self.count[group]),
            _ => 1.0,
        };
        (0..self.channels.len() as Label).map(mean).collect()
    }
}
