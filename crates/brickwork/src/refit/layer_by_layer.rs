//! Refitting front to back: every layer to what its counterpart in the source gives, on what the layers before
//! it, refitted already, deliver.

use std::sync::Arc;

use brickwork_exec::chains;
use brickwork_graph::{Graph, Patch};
use brickwork_tensor::Tensor;

use super::aim::{Aim, Followed, follower};
use super::cut::{Cut, changed};
use super::options::RefitOptions;
use super::ridge::Ridge;
use super::rows::{Rows, features, picked};
use super::staged_run::{StagedValue, Stages, place_of};
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;

/// Refits front to back. `title` is what progress is called.
pub(super) fn layer_by_layer(
    cut: &Cut<'_>,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
    title: &str,
    progress: &dyn Progress,
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
            let followed = Followed {
                ours: follower(&own_chains, &layer),
                theirs: follower(&source_chains, target),
            };
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
            let added = followed
                .residuals()
                .and_then(|(own, other)| ours.get(&current, own).zip(theirs.get(source, other)));
            let aim = followed.aim(added, kept, options);
            let sides = Sides { x, y, aim: &aim };
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
    x: &'a StagedValue,
    /// What the source's layer gives.
    y: &'a StagedValue,
    aim: &'a Aim<'a>,
}

/// The least-squares problem of one group of a layer that reads `x`.
pub(crate) fn problem(
    layer: &LayerInfo,
    group: usize,
    x: &StagedValue,
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
        let own = first..first + outputs;
        let problem = problem(layer, group, sides.x, rows, lambda);
        // Stored as [o, i, k]; the features of a row are in the same order.
        let at = first * inputs * taps;
        let block = &mut weights.data_mut()[at..at + outputs * inputs * taps];
        let given = picked(layer, sides.y, rows, &sides.aim.kept[own.clone()]);
        bias[own.clone()].copy_from_slice(&sides.aim.fit(&problem, layer, rows, own, given, block));
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
