//! Closed-form repair of a cut: every layer is refitted to what the source needs there, on what the
//! cut network really delivers to it.
//!
//! For a layer with cut inputs `x` (rows of receptive fields) and an [`Aim`](aim) `y` at the kept
//! outputs, `W = W0 + (X'X + mu I)^-1 X'(Y - X W0)` on centred data, `mu` = lambda times the mean
//! diagonal of `X'X`, and `b = mean(y) - W' mean(x)`: ridge regression towards the weights it has.
//! Layers are refitted front to back, then all of them [at once](scores) towards the source's scores.
//! No labels.

mod aim;
mod readout;
pub(crate) mod rebuild;
pub(crate) mod regression;
mod ridge;
mod ridge_choice;
mod rows;
mod scores;
pub(crate) mod staged_run;
mod whole_model;

use std::borrow::Cow;
use std::sync::Arc;

use brickwork_exec::chains;
use brickwork_graph::{Graph, Patch};
use brickwork_tensor::Tensor;
use serde::Serialize;

use crate::cut::kept_channels::KeptMap;
use crate::model::card::{KeptLayer, Origin, RefitNote};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;
use crate::refit::staged_run::{Held, Stages, largest_stage, place_of};
use aim::{Aim, Followed};
pub use readout::Readout;
use readout::with_readout;
pub(crate) use readout::{readout_size, without_readout};
pub(crate) use ridge::Ridge;
pub(crate) use rows::Rows;
use rows::{features, picked};
use scores::Goal;
pub use whole_model::{Nearer, Towards};

/// How to refit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefitOptions {
    /// Images that single layers are solved on, at most.
    pub images: usize,
    /// Rows (image, position) of a layer's least-squares problem, at most.
    pub rows: usize,
    /// Ridge relative to the mean diagonal of the second moments, at least: of fewer than 256 images a third
    /// chooses it, or ten or a hundred times as much.
    pub lambda: f64,
    /// Whether a layer also puts right what earlier ones got wrong in the value it is added to.
    pub corrects: bool,
    /// How often a layer is solved again with what its activation flattens left free.
    pub rounds: usize,
    /// How often all refitted layers together are moved towards the source's scores, at most.
    pub passes: usize,
    /// Whether a linear map from what all layers read is added to the scores in the end, which adds nodes to
    /// the network.
    pub readout: bool,
    /// Seed of the choice of rows.
    pub seed: u64,
}

impl Default for RefitOptions {
    fn default() -> Self {
        Self {
            images: 1024,
            rows: 16_384,
            lambda: 1e-2,
            corrects: true,
            rounds: 2,
            passes: 8,
            readout: false,
            seed: 0,
        }
    }
}

impl RefitOptions {
    /// Every layer towards the source's own results, and no further.
    pub fn plain(self) -> Self {
        Self { corrects: false, rounds: 0, ..self.layers() }
    }

    /// Layer by layer only.
    pub fn layers(self) -> Self {
        Self { passes: 0, ..self }
    }

    /// What a card says of a refit on so many images that ended so.
    fn note(&self, images: usize, nearer: &Nearer) -> RefitNote {
        let Self { rows, lambda, corrects, rounds, seed, .. } = *self;
        let (passes, readout) = (0, 0);
        let mut note = RefitNote { images, rows, lambda, corrects, rounds, passes, readout, seed };
        nearer.add_to(&mut note);
        note
    }
}

/// A cut that is to be refitted.
#[derive(Clone, Copy)]
pub struct Cut<'a> {
    /// The source.
    pub source: &'a Arc<Graph>,
    /// What was cut out of it.
    pub graph: &'a Graph,
    /// The channels it keeps.
    pub kept: &'a KeptMap,
    /// The source's scores that are the cut's.
    pub classes: &'a [usize],
}

/// Bytes of activations a refit may hold, and of images.
const MEMORY: usize = 4 << 30;

/// How many images of `source` a refit can take.
pub fn image_limit(source: &Graph) -> usize {
    let image = source.value(source.inputs()[0]).shape.sample_volume();
    (MEMORY / (size_of::<f32>() * image.max(1))).max(1)
}

/// How many images of `source` can be on their way through it and a cut of it at once.
pub(crate) fn stage_limit(source: &Graph) -> usize {
    (MEMORY / (2 * size_of::<f32>() * largest_stage(source).max(1))).max(1)
}

/// Refits every layer of `cut` from the first that lost anything, on calibration images
/// `[n, c, h, w]` that are already preprocessed.
///
/// # Errors
/// If a network cannot run.
pub fn refit(
    cut: &Cut<'_>,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<(Graph, RefitNote), Error> {
    let most = options.images.min(stage_limit(cut.source));
    let some = some_of(images, most);
    let lambda = ridge_choice::lambda(cut, &some, batch, options, progress)?;
    let options = &RefitOptions { lambda, ..*options };
    let graph = layer_by_layer(cut, &some, batch, options, ("refitting layers", progress))?;
    let (graph, nearer) = align(&Cut { graph: &graph, ..*cut }, images, batch, options, progress)?;
    let note = options.note(images.shape()[0], &nearer);
    Ok((graph, note))
}

/// `component` refitted towards `source`, which it was cut from, on preprocessed images `[n, c, h, w]`. Its
/// card says so.
///
/// # Errors
/// If it does not say what it was cut from, or a network cannot run.
pub fn refitted(
    source: &Classifier,
    component: &Classifier,
    images: &Tensor,
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

/// At most so many of `images` `[n, c, h, w]`, evenly.
pub(crate) fn some_of(images: &Tensor, most: usize) -> Cow<'_, Tensor> {
    match images.shape()[0] {
        count if count > most => {
            Cow::Owned(images.take(0, &evenly(count, most).collect::<Vec<_>>()))
        }
        _ => Cow::Borrowed(images),
    }
}

/// At most so many of `count` places, evenly.
pub(crate) fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let some = count.min(most);
    (0..some).map(move |k| k * count / some)
}

/// Moves all layers of `cut` that a [`refit`] has refitted together towards the source's scores, on
/// preprocessed images `[n, c, h, w]`, and adds a readout, as far as the options ask for it and it brings them
/// closer.
///
/// # Errors
/// If a network cannot run.
pub fn align(
    cut: &Cut<'_>,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<(Graph, Nearer), Error> {
    let mut graph = Arc::new(cut.graph.clone());
    let goal = Goal { source: cut.source, classes: cut.classes };
    let (images, mut nearer) = ((images, batch), Nearer::default());
    if options.passes > 0 {
        let names = constants(&graph, &changed(cut));
        let aligned = scores::align(graph.clone(), &names, &goal, images, options, progress)?;
        if let Some((better, found)) = aligned {
            (graph, nearer.passes) = (better, Some(found));
        }
    }
    if options.readout
        && let Some((better, found)) = with_readout(&graph, &goal, images, progress)?
    {
        (graph, nearer.readout) = (better, Some(found));
    }
    Ok((Arc::unwrap_or_clone(graph), nearer))
}

/// How far passes over all layers brought a network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Alignment {
    /// The passes that brought its scores closer to the source's.
    pub passes: usize,
    /// Mean divergence (Kullback-Leibler, in nats, at a temperature that leaves scores two apart) from the
    /// source's scores on images that took no part, before.
    pub before: f64,
    /// After.
    pub after: f64,
}

/// The layers of a cut from the first that lost anything.
fn changed(cut: &Cut<'_>) -> Vec<String> {
    let whole = |target: &LayerInfo| {
        cut.kept.get(&target.name).is_none_or(|kept| {
            kept.input.len() == target.weighted.inputs
                && kept.output.len() == target.weighted.outputs
        })
    };
    let left = layers(cut.source).into_iter().skip_while(whole);
    left.map(|layer| layer.name).filter(|name| cut.kept.contains_key(name)).collect()
}

/// The names of the weights and biases of some layers.
fn constants(graph: &Graph, names: &[String]) -> Vec<String> {
    let found = layers(graph).into_iter().filter(|layer| names.contains(&layer.name));
    let of = |layer: LayerInfo| {
        let bias = layer.weighted.bias_slot.and_then(|slot| graph.node(layer.node).input(slot));
        [Some(layer.weight), bias].into_iter().flatten()
    };
    found.flat_map(of).map(|value| graph.value(value).name.clone()).collect()
}

/// Refits front to back. `title` is what progress is called.
fn layer_by_layer(
    cut: &Cut<'_>,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
    (title, progress): (&str, &dyn Progress),
) -> Result<Arc<Graph>, Error> {
    let source = cut.source;
    let (source_layers, source_chains) = (layers(source), chains(source));
    let mut current = Arc::new(cut.graph.clone());
    let changed = changed(cut);
    let mut theirs = Stages::new(source, images, batch);
    let mut ours = Stages::new(&current, images, batch);
    progress.begin(title, source_layers.len() as u64);
    for (place, target) in source_layers.iter().enumerate() {
        let layer = layers(&current).into_iter().find(|layer| layer.name == target.name);
        let (Some(layer), Some(kept)) = (layer, cut.kept.get(&target.name)) else { continue };
        if changed.contains(&target.name) {
            let own_chains = chains(&current);
            let followed = Followed::new((&own_chains, &layer), (&source_chains, target));
            let (added, there) = followed.residuals().unzip();
            let needs =
                |last, added: Option<_>| [last].into_iter().chain(added).collect::<Vec<_>>();
            ours.advance(&current, place_of(layer.node), &needs(layer.input, added))?;
            theirs.advance(source, place_of(target.node) + 1, &needs(target.output, there))?;
            let (Some(x), Some(y)) =
                (ours.get(&current, layer.input), theirs.get(source, target.output))
            else {
                continue;
            };
            let rows = Rows::choose(&layer, y, options, place as u64);
            let aim = followed.aim((&current, &ours), (source, &theirs), kept, options);
            let sides = Sides { x, y, kept, aim: &aim };
            let patch = refit_layer(&current, &layer, &sides, &rows, options.lambda);
            current = Arc::new(patch.apply(&current)?);
        }
        progress.advance(1)?;
    }
    Ok(current)
}

/// What a layer is refitted from.
struct Sides<'a> {
    /// What it reads in the cut network.
    x: &'a Held,
    /// What the source's layer gives.
    y: &'a Held,
    kept: &'a KeptLayer,
    aim: &'a Aim<'a>,
}

/// The least-squares problem of one group of a layer that reads `x`.
pub(crate) fn problem(
    layer: &LayerInfo,
    group: usize,
    x: &Held,
    rows: &Rows,
    lambda: f64,
) -> Ridge {
    let inputs = layer.weighted.inputs / layer.weighted.groups;
    let x = features(layer, x, rows, group * inputs, inputs);
    Ridge::new(x, lambda, layer.weighted.bias_slot.is_some())
}

/// The patch that gives a layer its refitted weights and bias.
fn refit_layer(
    graph: &Graph,
    layer: &LayerInfo,
    sides: &Sides<'_>,
    rows: &Rows,
    lambda: f64,
) -> Patch {
    let weighted = &layer.weighted;
    let (taps, groups) = (weighted.taps(), weighted.groups);
    let (inputs, outputs) = (weighted.inputs / groups, weighted.outputs / groups);
    let mut weights = layer.weights(graph);
    let mut bias = vec![0.0f32; weighted.outputs];
    for group in 0..groups {
        let first = group * outputs;
        let own = &sides.kept.output[first..first + outputs];
        let problem = problem(layer, group, sides.x, rows, lambda);
        // Stored as [o, i, k]; the features of a row are in the same order.
        let at = first * inputs * taps;
        let block = &mut weights.data_mut()[at..at + outputs * inputs * taps];
        let given = picked(layer, sides.y, rows, own);
        let shift = sides.aim.fit(&problem, (layer, rows), (first, own), given, block);
        bias[first..first + outputs].copy_from_slice(&shift);
    }
    let mut patch = Patch::new(format!("refitting `{}`", layer.name));
    if let Some(stored) = &graph.value(layer.weight).constant {
        let data = Arc::new(weighted.store(&weights, stored));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architectures::{Architecture, ArchitectureOptions};
    use crate::model::random::random_weights;

    /// A narrow ResNet-20 of random weights.
    pub(super) fn network(classes: usize, seed: u64) -> Arc<Graph> {
        let architecture = Architecture::find("resnet20").unwrap();
        let options = ArchitectureOptions { width: 0.25, ..architecture.usual(classes) };
        let graph = architecture.build(&options).unwrap();
        Arc::new(random_weights(&graph, seed).apply(&graph).unwrap())
    }

    #[test]
    fn some_images_are_spread_over_all() {
        let images = Tensor::new([7, 1, 1, 1], (0..7).map(|k| k as f32).collect());
        assert_eq!(some_of(&images, 3).data(), [0.0, 2.0, 4.0]);
        assert_eq!(*some_of(&images, 9), images);
        assert_eq!(evenly(5, 5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(evenly(0, 5).count(), 0);
    }
}
