//! Cutting a stand-alone component for a task out of a classifier.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_graph::{Channels, Graph, Keep, Label, Patch, cut, families, mask};
use brickwork_tensor::{Nd, Tensor};

use crate::cut::control::Control;
use crate::cut::kept_channels::{KeptMap, additions, kept_map, wanted_labels};
use crate::model::card::{Card, Origin, Rule, SampleNote, Thresholds};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::random::uniform;
use crate::relevance::link::{Relevance, link, reference_masks};
use crate::relevance::profile::Profile;

/// What decides which channels stay.
#[derive(Clone)]
pub enum Choice<'a> {
    /// A profile, a rule and its thresholds.
    Profile(&'a Profile, Rule, Thresholds),
    /// These channels.
    Given(KeptMap),
    /// Every channel; only the head is cut.
    Everything,
    /// Other channels in the numbers that another cut keeps: a control for how much the choice
    /// matters.
    Control(&'a Plan, Control),
}

/// The inputs that each layer reads, by layer name.
pub(crate) type Reads = BTreeMap<String, Vec<usize>>;

/// A cut that has been worked out but not made.
pub struct Plan {
    /// The source's channels.
    pub channels: Channels,
    /// Its layers.
    pub layers: Vec<LayerInfo>,
    /// The task: class indices, rising.
    pub classes: Vec<usize>,
    /// The channels that stay.
    pub keep: Keep,
    /// The same by layer name.
    pub kept: KeptMap,
    /// What had to be added to given channels.
    pub added: KeptMap,
    /// Relevant inputs of every layer, for every class of the profile.
    pub masks: Vec<(String, Vec<Vec<bool>>)>,
    /// The patch that makes the cut.
    pub patch: Patch,
    /// For the reference rule: the inputs that each layer reads.
    reads: Option<Reads>,
}

impl Profile {
    /// Refuses another model than the one that was profiled.
    ///
    /// # Errors
    /// If the fingerprints differ, or the sums cannot be this model's.
    pub fn check_model(&self, classifier: &Classifier) -> Result<(), Error> {
        let same = classifier.has_fingerprint(&self.header.fingerprint);
        if same && self.fits(classifier) {
            return Ok(());
        }
        if same {
            return Err(Error::profile(format!(
                "the profile's arrays do not have the shapes of the layers of `{}`; it was changed after \
                 it was made, profile the model again",
                classifier.name
            )));
        }
        Err(Error::profile(format!(
            "the profile is of `{}` (fingerprint {}), not of `{}` (fingerprint {}); profile this model",
            self.header.model,
            short(&self.header.fingerprint),
            classifier.name,
            short(&classifier.fingerprint())
        )))
    }

    /// The same profile under the fingerprint that is written today, so that profiles of different
    /// versions merge.
    ///
    /// # Errors
    /// As [`Self::check_model`].
    pub fn renewed(mut self, classifier: &Classifier) -> Result<Self, Error> {
        self.check_model(classifier)?;
        self.header.fingerprint = classifier.fingerprint();
        Ok(self)
    }
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..15).unwrap_or(fingerprint)
}

impl Plan {
    /// Works out the cut of `classifier` to `classes`. With `round_to`, every family of channels
    /// keeps a multiple of it.
    ///
    /// # Errors
    /// If the profile is of another model or lacks a class, the given channels do not fit, or the
    /// head cannot be cut.
    pub fn new(
        classifier: &Classifier,
        classes: &[usize],
        choice: &Choice<'_>,
        round_to: usize,
    ) -> Result<Self, Error> {
        let graph = classifier.graph();
        let channels = Channels::of(graph);
        let layers = layers(graph);
        let mut classes = classes.to_vec();
        classes.sort_unstable();
        let found = match choice {
            Choice::Profile(profile, rule, thresholds) => {
                profile.check_model(classifier)?;
                from_profile(graph, &channels, &layers, &classes, profile, *rule, thresholds)?
            }
            Choice::Given(map) => {
                NeededChannels::of(wanted_labels(graph, &channels, &layers, map)?)
            }
            Choice::Everything => NeededChannels::of(vec![true; channels.len()]),
            Choice::Control(plan, control) => {
                let score = control.scores(graph, &channels);
                NeededChannels {
                    score: score.clone(),
                    ..NeededChannels::of(same_widths(graph, &channels, plan, &score))
                }
            }
        };
        let keep = found.closed(&classifier.name, graph, &channels, &classes, round_to)?;
        let kept = kept_map(&channels, &layers, &keep);
        let added = match choice {
            Choice::Given(map) => additions(map, &kept),
            _ => KeptMap::new(),
        };
        let patch = cut(graph, &channels, &keep)?;
        let masks = found.masks;
        Ok(Self { channels, layers, classes, keep, kept, added, masks, patch, reads: found.reads })
    }

    /// Makes the cut and checks, on random images, that the result computes what the source computes
    /// with the removed channels masked.
    ///
    /// # Errors
    /// If the cut changed the function, which would be a bug.
    pub fn cut(&self, classifier: &Classifier, seed: u64) -> Result<(Graph, f32), Error> {
        let graph = classifier.graph();
        let mut small = self.patch.apply(graph)?;
        let mut masked = mask(graph, &self.channels, &self.keep).apply(graph)?;
        if let Some(reads) = &self.reads {
            small = silence(&small, reads, Some(&self.kept))?;
            masked = silence(&masked, reads, None)?;
        }
        let [c, h, w] = classifier.input();
        let images = uniform([2, c, h, w], -1.0, 1.0, seed);
        let whole = scores(masked, &images)?.take(1, &self.classes);
        let part = scores(small.clone(), &images)?;
        Ok((small, same_function(&part, &whole)?))
    }

    /// Makes the cut as a component of `classifier`, whose card tells where it comes from. See
    /// [`cut`](Self::cut).
    ///
    /// # Errors
    /// If the cut changed the function, which would be a bug.
    pub fn component(
        &self,
        classifier: &Classifier,
        choice: &Choice<'_>,
        seed: u64,
    ) -> Result<Classifier, Error> {
        let (graph, checked) = self.cut(classifier, seed)?;
        Classifier::described("component", graph, self.card(classifier, choice, checked))
    }

    /// The card of the component.
    pub fn card(&self, classifier: &Classifier, choice: &Choice<'_>, checked: f32) -> Card {
        let names = classifier.class_names();
        let (rule, thresholds, preprocess, samples) = match choice {
            Choice::Profile(profile, rule, thresholds) => {
                let notes =
                    profile.header.samples.iter().filter(|s| self.classes.contains(&s.class));
                let notes = notes.map(|entry| SampleNote {
                    class: entry.class,
                    count: if entry.taken.is_empty() { entry.seen } else { entry.taken.len() },
                    indices: entry.taken.iter().map(|sample| sample.index).collect(),
                    margins: entry.taken.iter().map(|sample| sample.margin).collect(),
                });
                let preprocess = Some(profile.header.preprocess.clone());
                (Some(*rule), Some(*thresholds), preprocess, notes.collect())
            }
            _ => (None, None, classifier.card().preprocess.clone(), Vec::new()),
        };
        let names = match choice {
            Choice::Profile(profile, ..) => profile.header.classes.clone(),
            _ => names,
        };
        Card {
            classes: self.classes.iter().map(|&class| names[class].clone()).collect(),
            preprocess,
            layout: classifier.card().layout,
            head: classifier
                .card()
                .head
                .as_ref()
                .and_then(|head| head.of_classes(self.classes.len())),
            origin: Some(Origin {
                source: classifier.name.clone(),
                fingerprint: classifier.fingerprint(),
                classes: self.classes.clone(),
                of: names.len(),
                rule,
                thresholds,
                criterion: None,
                kept: self.kept.clone(),
                reads: self.reads.clone().unwrap_or_default(),
                checked,
                refit: None,
                samples,
                trained: false,
                other: BTreeMap::new(),
            }),
            ..Card::default()
        }
    }
}

/// Cuts, relative to the largest score, may differ by this much from the masked source.
pub const TOLERANCE: f32 = 1e-4;

/// How far the scores of a cut are from those of the masked source.
///
/// # Errors
/// If they are further apart than rounding explains, which would be a bug.
pub(crate) fn same_function(part: &Tensor, whole: &Tensor) -> Result<f32, Error> {
    let difference = relative_difference(part, whole);
    if difference.is_nan() || difference > TOLERANCE {
        return Err(Error::model(format!(
            "the cut changed the function: scores differ by {difference:.1e} of the largest from the \
             masked source; please report this model"
        )));
    }
    Ok(difference)
}

/// The best-scored groups of every family, as many as `plan` keeps.
fn same_widths(graph: &Graph, channels: &Channels, plan: &Plan, score: &[f32]) -> Vec<bool> {
    let mut wanted = vec![false; channels.len()];
    for mut family in families(graph, channels) {
        let count = family.iter().filter(|&&group| plan.keep.has(channels, group)).count();
        family.sort_by(|&a, &b| score[b as usize].total_cmp(&score[a as usize]));
        family.iter().take(count).for_each(|&group| wanted[group as usize] = true);
    }
    wanted
}

/// The channels that a task was found to need, by label.
pub(crate) struct NeededChannels {
    wanted: Vec<bool>,
    score: Vec<f32>,
    masks: Vec<(String, Vec<Vec<bool>>)>,
    reads: Option<Reads>,
}

impl NeededChannels {
    fn of(wanted: Vec<bool>) -> Self {
        Self { wanted, score: Vec::new(), masks: Vec::new(), reads: None }
    }

    /// What stays for the task `classes` of the network called `name`: all that was found, closed over
    /// what ties channels together, and of the scores those of the task.
    ///
    /// # Errors
    /// If the head cannot be cut to the task.
    pub(crate) fn closed(
        &self,
        name: &str,
        graph: &Graph,
        channels: &Channels,
        classes: &[usize],
        round_to: usize,
    ) -> Result<Keep, Error> {
        let class_labels = class_labels(graph, channels)?;
        let mut wanted = self.wanted.clone();
        // Whatever makes a class's score, be it a sum of several layers, goes and stays with the class.
        let numbered = class_labels.iter().enumerate();
        let stays: BTreeMap<Label, bool> = numbered
            .map(|(class, &label)| (channels.group(label), classes.contains(&class)))
            .collect();
        for (label, wanted) in wanted.iter_mut().enumerate() {
            *wanted = *stays.get(&channels.group(label as Label)).unwrap_or(wanted);
        }
        let score =
            |label: Label| f64::from(self.score.get(label as usize).copied().unwrap_or(0.0));
        let mut keep = Keep::closed(graph, channels, |label| wanted[label as usize], score);
        if round_to > 1 {
            // Class scores are what was asked for.
            let of_classes = |root: &Label| stays.contains_key(&channels.group(*root));
            let width = |family: &[Label], kept: usize| match family.iter().any(of_classes) {
                true => kept,
                false => kept.next_multiple_of(round_to),
            };
            keep.round_up(graph, channels, width, score);
        }
        let left = keep.indices(channels, &class_labels);
        if left == classes {
            return Ok(keep);
        }
        Err(Error::model(format!(
            "the head of `{name}` cannot be cut to {} of {} classes: its scores are tied together ({} stay)",
            classes.len(),
            class_labels.len(),
            left.len()
        )))
    }
}

/// The label of every class score.
///
/// # Errors
/// If the scores do not lie along one axis.
pub fn class_labels(graph: &Graph, channels: &Channels) -> Result<Vec<Label>, Error> {
    let logits = graph.logits();
    match channels.axis(logits) {
        Some((_, labels)) => Ok(labels.to_vec()),
        // A single score is its own axis.
        None if channels.labels(logits).len() == 1 && channels.labels(logits)[0] != 0 => {
            Ok(channels.labels(logits).to_vec())
        }
        None => Err(Error::model(format!(
            "the scores `{}` are not made by a layer whose outputs can be cut",
            graph.value(logits).name
        ))),
    }
}

fn from_profile(
    graph: &Graph,
    channels: &Channels,
    layers: &[LayerInfo],
    classes: &[usize],
    profile: &Profile,
    rule: Rule,
    thresholds: &Thresholds,
) -> Result<NeededChannels, Error> {
    let places =
        classes.iter().map(|&class| profile.place(class)).collect::<Result<Vec<_>, _>>()?;
    let contributions = profile.contributions_to(graph, layers);
    match rule {
        Rule::Graph => {
            let linked: Vec<Relevance> = classes
                .iter()
                .zip(&places)
                .map(|(&class, &place)| {
                    link(graph, channels, layers, class, thresholds, |k| contributions(place, k))
                })
                .collect();
            Ok(union(channels, layers, &linked))
        }
        Rule::Reference => {
            let rows: Vec<Vec<Vec<bool>>> = classes
                .iter()
                .zip(&places)
                .map(|(&class, &place)| {
                    let count = profile.count(place) as f32;
                    reference_masks(layers, class, thresholds, |k| {
                        contributions(place, k).map(|v| v * count)
                    })
                })
                .collect();
            Ok(union_reference(channels, layers, &rows))
        }
    }
}

/// What any of the classes needs.
pub(crate) fn union(
    channels: &Channels,
    layers: &[LayerInfo],
    linked: &[Relevance],
) -> NeededChannels {
    let mut wanted = vec![false; channels.len()];
    let mut score = vec![0.0f32; channels.len()];
    for relevance in linked {
        for label in 0..channels.len() {
            wanted[label] |= relevance.labels[label];
            score[label] += relevance.score[label];
        }
    }
    // Channels are chosen group by group, so a group's score is that of its best channel.
    for label in 0..channels.len() {
        let group = channels.group(label as Label) as usize;
        score[group] = score[group].max(score[label]);
    }
    for label in 0..channels.len() {
        score[label] = score[channels.group(label as Label) as usize];
    }
    let masks = layers
        .iter()
        .enumerate()
        .map(|(k, layer)| {
            (layer.name.clone(), linked.iter().map(|r| r.inputs[k].clone()).collect())
        })
        .collect();
    NeededChannels { wanted, score, masks, reads: None }
}

/// The published cut: inputs by their masks, except the first layer's, which are all kept.
fn union_reference(
    channels: &Channels,
    layers: &[LayerInfo],
    rows: &[Vec<Vec<bool>>],
) -> NeededChannels {
    let mut wanted = vec![false; channels.len()];
    let mut reads = Reads::new();
    for (k, layer) in layers.iter().enumerate() {
        let Some(ends) = channels.layer(layer.node) else { continue };
        let read: Vec<usize> = (0..ends.inputs.len())
            .filter(|&i| {
                k == 0 || rows.iter().any(|masks| masks[k].get(i).copied().unwrap_or(true))
            })
            .collect();
        read.iter().for_each(|&i| wanted[ends.inputs[i] as usize] = true);
        reads.insert(layer.name.clone(), read);
    }
    let masks = layers
        .iter()
        .enumerate()
        .map(|(k, layer)| (layer.name.clone(), rows.iter().map(|masks| masks[k].clone()).collect()))
        .collect();
    NeededChannels { wanted, score: Vec::new(), masks, reads: Some(reads) }
}

/// Zeroes the weights of every input that a layer does not read. `kept` says which of the source's
/// inputs a cut graph still has.
pub(crate) fn silence(
    graph: &Graph,
    reads: &Reads,
    kept: Option<&KeptMap>,
) -> Result<Graph, Error> {
    let mut patch = Patch::new("silencing inputs");
    for layer in layers(graph).iter().filter(|layer| layer.weighted.groups == 1) {
        let Some(read) = reads.get(&layer.name) else { continue };
        let Some(stored) = &graph.value(layer.weight).constant else { continue };
        let inputs: Vec<usize> = match kept.and_then(|kept| kept.get(&layer.name)) {
            Some(kept) => kept.input.clone(),
            None => (0..layer.weighted.inputs).collect(),
        };
        let mut weights = layer.weights(graph);
        let taps = layer.weighted.taps();
        for (at, w) in weights.data_mut().iter_mut().enumerate() {
            if read.binary_search(&inputs[at / taps % inputs.len()]).is_err() {
                *w = 0.0;
            }
        }
        patch.constant(layer.weight, Arc::new(layer.weighted.store(&weights, stored)));
    }
    Ok(patch.apply(graph)?)
}

/// Scores `[n, k]` of a graph on images.
pub(crate) fn scores(graph: Graph, images: &Tensor) -> Result<Tensor, Error> {
    let batch = images.shape()[0];
    let logits = graph.logits();
    let out = Session::new(Arc::new(graph), &[logits])
        .for_batches_of(batch)
        .outputs(batch, images.data())?
        .remove(0);
    let classes = out.data().len() / batch;
    Ok(out.reshape([batch, classes]))
}

/// The largest difference between two arrays, relative to the largest element of the second.
pub(crate) fn relative_difference(a: &Nd<f32>, b: &Nd<f32>) -> f32 {
    if a.shape() != b.shape() {
        return f32::INFINITY;
    }
    let top = b.data().iter().fold(f32::MIN_POSITIVE, |top, x| top.max(x.abs()));
    let worst = a.data().iter().zip(b.data()).fold(0f32, |worst, (x, y)| {
        let difference = (x - y).abs();
        if worst.is_nan() || difference.is_nan() { f32::NAN } else { worst.max(difference) }
    });
    worst / top
}
