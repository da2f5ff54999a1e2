//! Refitting front to back: every layer to what its counterpart in the source gives, on what the layers before
//! it, refitted already, deliver.

use std::ops::Range;
use std::sync::Arc;

use brickwork_exec::chains;
use brickwork_graph::{Graph, Patch};
use brickwork_tensor::Tensor;
use rayon::prelude::*;

use super::aim::{Aim, Followed, Wanted, follower};
use super::cut::{Cut, changed};
use super::options::RefitOptions;
use super::ridge::Ridge;
use super::ridge_choice;
use super::rows::{Rows, features, picked};
use super::staged_run::{StagedValue, Stages, largest_stages, place_of};
use crate::images::image_set::ImageSet;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;

/// How many bytes the values of all images may take.
const MEMORY: usize = 2 << 30;

/// Refits front to back on the first of `images`, as many as memory holds of what is alive at a layer: more, the
/// further behind it comes.
pub(super) fn layer_by_layer(
    cut: &Cut<'_>,
    images: &ImageSet,
    batch: usize,
    options: &RefitOptions,
    how: How,
    progress: &dyn Progress,
) -> Result<Arc<Graph>, Error> {
    let source = cut.source;
    let (source_layers, source_chains) = (layers(source), chains(source));
    let room = Room::new(source);
    let mut current = Arc::new(cut.graph.clone());
    let changed = changed(cut);
    let mut theirs = Stages::new(source, images.clone(), batch);
    let mut ours = Stages::new(&current, images.clone(), batch);
    progress.begin(how.title(), source_layers.len() as u64);
    for (place, target) in source_layers.iter().enumerate() {
        let layer = layers(&current).into_iter().find(|layer| layer.name == target.name);
        progress.advance(1)?;
        let (Some(layer), Some(kept)) = (layer, cut.kept.get(&target.name)) else { continue };
        if changed.contains(&target.name) {
            let own_chains = chains(&current);
            let followed = Followed {
                ours: follower(&own_chains, &layer),
                theirs: follower(&source_chains, target),
            };
            let (added, there) = followed.residuals().unzip();
            let needs =
                |last, added: Option<_>| [last].into_iter().chain(added).collect::<Vec<_>>();
            ours.advance(&current, place_of(layer.node), &needs(layer.input, added))?;
            theirs.advance(source, place_of(target.node) + 1, &needs(target.output, there))?;
            let count = room.images(place_of(target.node)).min(options.images);
            ours.grow(&current, count)?;
            theirs.grow(source, count)?;
            let (Some(x), Some(y)) =
                (ours.get(&current, layer.input), theirs.get(source, target.output))
            else {
                continue;
            };
            let rows = Rows::choose(&layer, y, options, place as u64);
            let added = followed
                .residuals()
                .and_then(|(own, other)| ours.get(&current, own).zip(theirs.get(source, other)));
            let aim = followed.aim(added, kept, options);
            let sides = Sides { x, y, aim: &aim };
            let patch = refit_layer(&current, &layer, &sides, &rows, how, options.lambda);
            current = Arc::new(patch.apply(&current)?);
        }
    }
    Ok(current)
}

/// How a layer is refitted.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// By ridge regression.
    Fit,
    /// Every output is brought to the mean and deviation that it has in the source, as a normalisation whose
    /// statistics are measured again does.
    Rescale,
}

impl How {
    fn title(self) -> &'static str {
        match self {
            Self::Fit => "refitting layers",
            Self::Rescale => "measuring layers again",
        }
    }
}

/// How many images can be on their way through a source and a cut of it at once.
pub(crate) struct Room {
    /// Elements of an image that are alive from every place on, at most.
    stages: Vec<usize>,
}

impl Room {
    pub(crate) fn new(source: &Graph) -> Self {
        Self { stages: largest_stages(source) }
    }

    /// From a place on: one that comes far has room for more than one that has just begun.
    pub(crate) fn images(&self, place: usize) -> usize {
        (MEMORY / (2 * size_of::<f32>() * self.stages[place].max(1))).max(1)
    }
}

/// What a layer is refitted from.
struct Sides<'a> {
    /// What it reads in the cut network.
    x: &'a StagedValue,
    /// What the source's layer gives.
    y: &'a StagedValue,
    aim: &'a Aim<'a>,
}

/// The least-squares problem of one group of a layer that reads `x`.
pub(crate) fn problem(layer: &LayerInfo, group: usize, x: &StagedValue, rows: &Rows) -> Ridge {
    let inputs = layer.weighted.inputs / layer.weighted.groups;
    let x = features(layer, x, rows, group * inputs, inputs);
    Ridge::new(x, layer.weighted.bias_slot.is_some())
}

/// Inputs of groups that are gathered together, at most, unless one has more.
const GATHERED: usize = 16;

/// The patch that gives a layer its refitted weights and bias.
fn refit_layer(
    graph: &Graph,
    layer: &LayerInfo,
    sides: &Sides<'_>,
    rows: &Rows,
    how: How,
    lambda: f64,
) -> Patch {
    let weighted = &layer.weighted;
    let (inputs, outputs) = (weighted.inputs / weighted.groups, weighted.outputs / weighted.groups);
    let width = inputs * weighted.taps();
    let mut weights = layer.weights(graph);
    let mut bias = vec![0.0f32; weighted.outputs];
    // Stored as [o, i, k]; the features of a row are in the same order.
    let together = (GATHERED / inputs).max(1);
    let blocks = weights.data_mut().par_chunks_mut(together * outputs * width);
    let blocks = blocks.zip(bias.par_chunks_mut(together * outputs)).enumerate();
    blocks.for_each(|(block, (weights, bias))| {
        let groups = bias.len() / outputs;
        let first = block * together;
        let x = features(layer, sides.x, rows, first * inputs, groups * inputs);
        let own = first * outputs..(first + groups) * outputs;
        let given = picked(layer, sides.y, rows, &sides.aim.kept[own.clone()]);
        let wanted = sides.aim.wanted(layer, rows, own, given);
        let own = weights.chunks_mut(outputs * width).zip(bias.chunks_mut(outputs));
        for (group, (weights, bias)) in own.enumerate() {
            let x = columns(&x, group * width..(group + 1) * width);
            let wanted = wanted.of(group * outputs..(group + 1) * outputs);
            let centred = weighted.bias_slot.is_some();
            let found = match how {
                How::Fit => solved(x, &wanted, rows.fitting, lambda, weights, centred),
                How::Rescale => wanted.rescale(&x, weights, centred),
            };
            bias.copy_from_slice(&found);
        }
    });
    patch(graph, layer, &weights, bias)
}

/// The patch that gives a layer these weights `[outputs, inputs of a group, taps]` and biases `[outputs]`, which it
/// may not have.
pub(super) fn patch(graph: &Graph, layer: &LayerInfo, weights: &Tensor, bias: Vec<f32>) -> Patch {
    let weighted = &layer.weighted;
    let mut patch = Patch::new(format!("refitting `{}`", layer.name));
    if let Some(stored) = &graph.value(layer.weight).constant {
        let data = Arc::new(weighted.store(weights, stored));
        // A constant of its own: shared weights are refitted for each reader.
        patch.operand(layer.node, 1, &graph.value(layer.weight).name, data);
    }
    if let Some(slot) = weighted.bias_slot {
        let name = match graph.node(layer.node).input(slot) {
            Some(value) => graph.value(value).name.clone(),
            None => format!("{}.bias", layer.name),
        };
        patch.operand(layer.node, slot, name, Arc::new(Tensor::vector(bias)));
    }
    patch
}

/// Some columns of a matrix.
fn columns(matrix: &Tensor, range: Range<usize>) -> Tensor {
    let (rows, all) = (matrix.shape()[0], matrix.shape()[1]);
    if range.len() == all {
        return matrix.clone();
    }
    let data = matrix.data().chunks(all).flat_map(|row| &row[range.clone()]).copied().collect();
    Tensor::new([rows, range.len()], data)
}

/// Moves `weights` `[outputs, features]` to where inputs `[rows, features]` give what is wanted; returns the biases.
fn solved(
    inputs: Tensor,
    wanted: &Wanted<'_>,
    fitting: usize,
    least: f64,
    weights: &mut [f32],
    centred: bool,
) -> Vec<f32> {
    let lambda = ridge_choice::chosen(&inputs, wanted, fitting, least, weights, centred);
    let problem = Ridge::new(inputs, centred);
    match lambda {
        Some(lambda) => wanted.fit(&problem, &problem.solver(lambda), weights),
        None => {
            let missing = wanted.missing(&problem, &problem.explained(weights));
            problem.biases(weights, &missing)
        }
    }
}
