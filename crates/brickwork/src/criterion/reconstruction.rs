//! What a layer that reads a channel cannot get back without it, whatever its other inputs make up for.
//!
//! Over rows (image, place) of inputs `X`, a layer `Y = W X` that loses the inputs `B` of a channel (its
//! taps) and is refitted by a ridge `mu` changes by
//!
//! `sum over outputs of w_B' ((X X' + mu)^-1_BB)^-1 w_B`
//!
//! squared (the optimal brain surgeon; Hassibi and Stork 1993).

use std::sync::Arc;

use super::{BATCH, Ground, Opinions};
use crate::error::Error;
use crate::layers::LayerInfo;
use crate::refit::{RefitOptions, Ridge, Rows, features, for_stages};
use crate::stages::{Held, Stages, place_of};

/// The scores that reading layers give the channels they read.
pub(super) fn scores(ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
    let graph = Arc::new(ground.graph.clone());
    let images = for_stages(&graph, ground.images("reconstruction")?);
    let mut stages = Stages::new(&graph, &images, BATCH);
    let mut opinions = Opinions::new(&ground.channels);
    ground.progress.begin("scoring channels", ground.layers.len() as u64);
    for (place, layer) in ground.layers.iter().enumerate() {
        stages.advance(&graph, place_of(layer.node) + 1, &[layer.input, layer.output])?;
        let values = stages.get(&graph, layer.input).zip(stages.get(&graph, layer.output));
        if let Some((ends, (x, y))) = ground.channels.layer(layer.node).zip(values) {
            opinions.add(&ends.inputs, &losses(ground, (place, layer), x, y));
        }
        ground.progress.step(1);
    }
    Ok(opinions.means())
}

/// What a layer loses with each of the inputs that it reads: of `x`, to make `y`. Its place among the
/// layers chooses the rows.
fn losses(
    ground: &Ground<'_>,
    (place, layer): (usize, &LayerInfo),
    x: &Held,
    y: &Held,
) -> Vec<f64> {
    let options = RefitOptions { seed: ground.seed, ..RefitOptions::default() };
    let rows = Rows::choose(layer, y, &options, place as u64);
    let (weighted, weights) = (&layer.weighted, layer.weights(ground.graph));
    let (groups, taps) = (weighted.groups, weighted.taps());
    let (inputs, outputs) = (weighted.inputs / groups, weighted.outputs / groups);
    let blocks = weights.data().chunks((outputs * inputs * taps).max(1));
    let of = |(group, block): (usize, &[f32])| {
        let x = features(layer, x, &rows, group * inputs, inputs);
        Ridge::new(x, options.lambda, weighted.bias_slot.is_some()).losses(block, taps)
    };
    blocks.enumerate().flat_map(of).collect()
}
