//! Cutting the part for some classes out of a network that classifies nodes.

use std::sync::Arc;

use brickwork_formats::fingerprint;
use brickwork_graph::{Channels, Graph, Patch, cut, mask};
use brickwork_tensor::Tensor;

use super::model::values;
use super::{Gcn, Nodes};
use crate::cut::kept_channels::{KeptMap, kept_map};
use crate::cut::plan::{same_function, union};
use crate::images::select::{margin, top_class};
use crate::model::card::{Card, Origin, RefitNote, Rule, SampleNote, Thresholds};
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::random::uniform;
use crate::refit::{RefitOptions, Ridge};
use crate::relevance::link::{Relevance, link};

/// How to cut.
#[derive(Clone, Debug)]
pub struct GcnCutOptions {
    /// The task: classes of the model.
    pub classes: Vec<usize>,
    /// At most this many nodes of every class decide: the most confident correctly classified ones among
    /// those to learn from and to choose by.
    pub samples: usize,
    /// Where contributions start to count.
    pub thresholds: Thresholds,
    /// Refits the kept weights, with a ridge of this size relative to the mean diagonal of the second
    /// moments, towards what the source computes at the nodes to learn from and to choose by.
    pub refit: Option<f64>,
    /// Seed of the features on which the cut is checked.
    pub seed: u64,
}

impl Default for GcnCutOptions {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            samples: 50,
            thresholds: Thresholds::default(),
            refit: Some(RefitOptions::default().lambda),
            seed: 0,
        }
    }
}

/// A part for some classes.
#[derive(Clone, Debug)]
pub struct GcnCut {
    /// The part. It takes all features of the source, and reads those it keeps.
    pub part: Gcn,
    /// The features it reads.
    pub features: Vec<usize>,
    /// What it keeps of every layer: inputs and outputs.
    pub kept: KeptMap,
    /// How far the bare cut is from the masked source, relative to the largest score.
    pub checked: f32,
}

/// Cuts the part for a task out of `model`. Contributions of a layer are `w x` at a node, with `x` as the
/// layer reads it, so of neighbours; relevance is linked backwards from the class to the hidden channels
/// and on to the features.
///
/// # Errors
/// If data and network do not fit, or a class has no correctly classified node.
pub fn disassemble_gcn(
    model: &Gcn,
    nodes: &Nodes,
    options: &GcnCutOptions,
) -> Result<GcnCut, Error> {
    model.check_data(nodes)?;
    let graph = model.graph();
    let (features, layers) = (nodes.matrix(), layers(graph));
    let mut classes = options.classes.clone();
    classes.sort_unstable();
    let samples = choose(&model.scores(&features)?, nodes, &classes, options.samples)?;
    let inputs: Vec<_> = layers.iter().map(|layer| layer.input).collect();
    let inputs = values(graph, &inputs, &features)?;
    let channels = Channels::with_features(graph);
    let relevant = samples.iter().map(|note| {
        let contributions = |k: usize| contributions(graph, &layers[k], &inputs[k], &note.indices);
        link(graph, &channels, &layers, note.class, &options.thresholds, contributions)
    });
    let relevant: Vec<Relevance> = relevant.collect();
    let found = union(&channels, &layers, &relevant);
    let keep = found.closed(&model.name, graph, &channels, &classes, 1)?;
    let kept = kept_map(&channels, &layers, &keep);
    let bare = cut(graph, &channels, &keep)?.apply(graph)?;
    let masked = mask(graph, &channels, &keep).apply(graph)?;
    let checked = check(model, &bare, &masked, &classes, options.seed)?;
    let refit = |lambda| refit(graph, &bare, &kept, &features, &nodes.known(), lambda);
    let small = options.refit.map(refit).transpose()?.unwrap_or(bare);
    let read = channels.axis(graph.inputs()[0]);
    let read = read.map_or_else(Vec::new, |(_, labels)| keep.indices(&channels, labels));
    let names = model.class_names();
    let card = Card {
        classes: classes.iter().map(|&class| names[class].clone()).collect(),
        origin: Some(Origin {
            source: model.name.clone(),
            fingerprint: fingerprint(graph),
            of: names.len(),
            rule: Some(Rule::Graph),
            thresholds: Some(options.thresholds),
            criterion: None,
            kept: kept.clone(),
            reads: Default::default(),
            checked,
            refit: options.refit.map(|lambda| note(nodes, lambda)),
            samples,
            classes,
            trained: false,
            other: Default::default(),
        }),
        ..Card::default()
    };
    let part = Gcn::described("part", small, card)?;
    Ok(GcnCut { part, features: read, kept, checked })
}

fn note(nodes: &Nodes, lambda: f64) -> RefitNote {
    let rows = nodes.known().len();
    RefitNote {
        images: 1,
        rows,
        lambda,
        corrects: false,
        rounds: 0,
        passes: 0,
        readout: 0,
        agreement: None,
        seed: 0,
    }
}

/// The most confident correctly classified nodes of every class.
fn choose(
    scores: &Tensor,
    nodes: &Nodes,
    classes: &[usize],
    most: usize,
) -> Result<Vec<SampleNote>, Error> {
    let count = scores.shape()[1];
    let row = |node: usize| &scores.data()[node * count..(node + 1) * count];
    let mut lost = Vec::new();
    let mut found = Vec::new();
    for &class in classes {
        let right = |node: &usize| nodes.labels[*node] == class && top_class(row(*node)) == class;
        let known = nodes.known().into_iter().filter(right);
        let mut taken: Vec<(f32, usize)> =
            known.map(|node| (margin(row(node), class), node)).collect();
        taken.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        taken.truncate(most);
        if taken.is_empty() {
            lost.push(class.to_string());
        }
        let (margins, indices): (Vec<f32>, Vec<usize>) = taken.into_iter().unzip();
        found.push(SampleNote { class, count: indices.len(), indices, margins });
    }
    if lost.is_empty() {
        return Ok(found);
    }
    Err(Error::profile(format!(
        "of class {} no node of train and val is classified correctly, so none can decide",
        lost.join(", ")
    )))
}

/// The mean over some nodes of `max(w[o, i] x[i], 0)`: `[outputs, inputs]`.
fn contributions(graph: &Graph, layer: &LayerInfo, input: &Tensor, at: &[usize]) -> Tensor {
    let channels = layer.weighted.inputs;
    let mean = |sign: f32| {
        let mut sums = vec![0.0f64; channels];
        for &node in at {
            let row = &input.data()[node * channels..(node + 1) * channels];
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from((sign * x).max(0.0)));
        }
        sums.into_iter().map(|sum| (sum / at.len() as f64) as f32).collect::<Vec<f32>>()
    };
    let (above, below) = (mean(1.0), mean(-1.0));
    let mut weights = layer.weights(graph).reshape([layer.weighted.outputs, channels]);
    for row in weights.data_mut().chunks_exact_mut(channels) {
        for (w, (above, below)) in row.iter_mut().zip(above.iter().zip(&below)) {
            *w = if *w > 0.0 { *w * above } else { -*w * below };
        }
    }
    weights
}

/// How far the cut is from the masked source on random features.
fn check(
    model: &Gcn,
    small: &Graph,
    masked: &Graph,
    classes: &[usize],
    seed: u64,
) -> Result<f32, Error> {
    let [nodes, features] = model.input();
    let features = uniform([1, nodes, features], -1.0, 1.0, seed);
    let scores = |graph: &Graph| {
        values(&Arc::new(graph.clone()), &[graph.logits()], &features).map(|mut all| all.remove(0))
    };
    same_function(&scores(small)?, &scores(masked)?.take(2, classes))
}

/// Refits every layer of a cut in turn at the nodes `at`, towards what the source's computes there.
fn refit(
    source: &Arc<Graph>,
    bare: &Graph,
    kept: &KeptMap,
    features: &Tensor,
    at: &[usize],
    lambda: f64,
) -> Result<Graph, Error> {
    let targets: Vec<_> = layers(source).iter().map(|layer| layer.output).collect();
    let targets = values(source, &targets, features)?;
    let mut current = Arc::new(bare.clone());
    for (layer, target) in layers(bare).iter().zip(targets) {
        let outputs = kept.get(&layer.name).map_or(&[][..], |kept| &kept.output);
        let x = columns(&values(&current, &[layer.input], features)?[0].take(1, at));
        let y = columns(&target.take(1, at).take(2, outputs));
        let mut weights = layer.weights(&current);
        let problem = Ridge::new(x.transpose(&[1, 0]), false);
        let missing = problem.missing(y, &problem.explained(weights.data()));
        problem.solver(lambda).fit(&missing, weights.data_mut());
        let Some(stored) = &current.value(layer.weight).constant else { continue };
        let mut patch = Patch::new(format!("refitting `{}`", layer.name));
        patch.constant(layer.weight, Arc::new(layer.weighted.store(&weights, stored)));
        current = Arc::new(patch.apply(&current)?);
    }
    Ok(Arc::unwrap_or_clone(current))
}

/// `[1, rows, channels]` as `[channels, rows]`.
fn columns(rows: &Tensor) -> Tensor {
    rows.transpose(&[0, 2, 1]).reshape([rows.shape()[2], rows.shape()[1]])
}
