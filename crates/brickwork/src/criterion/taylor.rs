//! How much the scores change, to first order, when a channel is silenced (Molchanov et al. 2019;
//! Theis et al. 2018 call the mean of its square Fisher information).
//!
//! A channel is silenced where layers read it, so for a gate `m = 1` on all these reads
//!
//! `dz / dm = sum over reading layers of sum over o, k of w[o, i, k] * dz / dw[o, i, k]`,
//!
//! and the worth of a group is the mean over images of `sum over classes of (dz / dm)^2`, the scores
//! `z` centred over classes where there are several: it estimates how far scores move, without labels.
//! The gradient of `sum of e * z` with random signs `e` has that sum as its expected square
//! (Hutchinson), so a backward pass over a batch is one draw.

use brickwork_exec::{Target, Training};
use brickwork_graph::Channels;
use brickwork_tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Ground;
use crate::error::Error;
use crate::layers::LayerInfo;

/// For every label the worth of its group.
pub(super) fn scores(ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
    let images = ground.images("taylor")?;
    let weights: Vec<&str> =
        ground.layers.iter().map(|layer| ground.graph.value(layer.weight).name.as_str()).collect();
    let learns = |name: &str| weights.contains(&name);
    let logits = [ground.graph.logits()];
    let graph = std::sync::Arc::new(ground.graph.clone());
    let mut training = Training::new(graph, &logits, learns).settled();
    let mut rng = ChaCha8Rng::seed_from_u64(ground.seed);
    let mut sums = vec![0.0f64; ground.channels.len()];
    let count = images.shape()[0];
    for (batch, data) in ground.batches(images) {
        let names: Vec<String> = training.parameters().iter().map(|p| p.name.clone()).collect();
        let mut gates = vec![0.0f64; ground.channels.len()];
        let draw = |targets: &mut [Target<'_>]| {
            signs(&mut targets[0], batch, &mut rng);
            true
        };
        training.step(batch, &[data], 0, draw, |learned| {
            for parameter in learned {
                let name = &names[parameter.index];
                let readers = ground
                    .layers
                    .iter()
                    .filter(|layer| ground.graph.value(layer.weight).name == *name);
                readers.for_each(|layer| add_gates(ground, layer, parameter.gradient, &mut gates));
            }
        })?;
        sums.iter_mut().zip(&gates).for_each(|(sum, gate)| *sum += gate * gate / count as f64);
    }
    Ok((0..sums.len()).map(|label| sums[ground.channels.group(label as u32) as usize]).collect())
}

/// Random signs for every image and class, centred over classes.
fn signs(target: &mut Target<'_>, batch: usize, rng: &mut ChaCha8Rng) {
    for row in target.gradient.chunks_mut(target.data.len() / batch) {
        row.iter_mut().for_each(|sign| *sign = if rng.random::<bool>() { 1.0 } else { -1.0 });
        if row.len() > 1 {
            let mean = row.iter().sum::<f32>() / row.len() as f32;
            row.iter_mut().for_each(|sign| *sign -= mean);
        }
    }
}

/// Adds a layer's part of the derivatives by the gates of the groups that it reads.
fn add_gates(ground: &Ground<'_>, layer: &LayerInfo, gradient: &[f32], gates: &mut [f64]) {
    let stored = &ground.graph.value(layer.weight).constant;
    let (Some(ends), Some(stored)) = (ground.channels.layer(layer.node), stored) else { return };
    let gradient = Tensor::new(stored.shape(), gradient.to_vec());
    let (weights, gradient) = (layer.weights(ground.graph), layer.weighted.weights(&gradient));
    let (groups, taps) = (layer.weighted.groups, layer.weighted.taps());
    let inputs = layer.weighted.inputs / groups;
    let outputs = layer.weighted.outputs / groups;
    let root = |channels: &Channels, label| channels.group(label) as usize;
    let rows = weights.data().chunks(taps).zip(gradient.data().chunks(taps));
    for (at, (w, dw)) in rows.enumerate() {
        let (output, input) = (at / inputs, at % inputs);
        let label = ends.inputs[output / outputs * inputs + input];
        let product: f64 = w.iter().zip(dw).map(|(w, d)| f64::from(*w) * f64::from(*d)).sum();
        gates[root(&ground.channels, label)] += product;
    }
}
