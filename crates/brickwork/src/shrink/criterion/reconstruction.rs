//! What a layer that reads a channel cannot get back without it, whatever its other inputs make up for.
//!
//! A layer `Y = W X` over rows (image, place) of inputs `X` that loses the inputs `B` of a channel (its taps)
//! and is refitted with a ridge `mu` still misses `Y`, by a sum of squares, the ridge's penalty included, of
//!
//! `sum over outputs of w_B' ((X X' + mu)^-1_BB)^-1 w_B`
//!
//! (the optimal brain surgeon; Hassibi and Stork 1993).

use std::sync::Arc;

use super::ground::{BATCH, Ground};
use super::opinions::Opinions;
use crate::images::image_set::ImageSet;
use crate::model::error::Error;
use crate::model::layers::LayerInfo;
use crate::refit::staged_run::{StagedValue, Stages, place_of};
use crate::refit::{RefitOptions, Room, Rows, problem};

/// The scores that reading layers give the channels they read.
pub(super) fn scores(ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
    let graph = Arc::new(ground.graph.clone());
    let images = ImageSet::from(ground.images("reconstruction")?.clone());
    let images = images.evenly(Room::new(&graph).images(0));
    let mut stages = Stages::new(&graph, images.clone(), BATCH);
    stages.grow(&graph, images.len())?;
    let mut opinions = Opinions::new(&ground.channels);
    ground.progress.begin("scoring channels", ground.layers.len() as u64);
    for (place, layer) in ground.layers.iter().enumerate() {
        stages.advance(&graph, place_of(layer.node) + 1, &[layer.input, layer.output])?;
        let values = stages.get(&graph, layer.input).zip(stages.get(&graph, layer.output));
        if let Some((ends, (x, y))) = ground.channels.layer(layer.node).zip(values) {
            opinions.add(&ends.inputs, &losses(ground, place, layer, x, y));
        }
        ground.progress.advance(1)?;
    }
    Ok(opinions.means())
}

/// What a layer loses with each of the inputs that it reads: of `x`, to make `y`. Its place among the
/// layers chooses the rows.
fn losses(
    ground: &Ground<'_>,
    place: usize,
    layer: &LayerInfo,
    x: &StagedValue,
    y: &StagedValue,
) -> Vec<f64> {
    let options = RefitOptions { seed: ground.seed, ..RefitOptions::default() };
    let rows = Rows::choose(layer, y, &options, place as u64);
    let (weighted, weights) = (&layer.weighted, layer.weights(ground.graph));
    let blocks = weights.data().chunks((weights.data().len() / weighted.groups).max(1));
    let of = |(group, block): (usize, &[f32])| {
        problem(layer, group, x, &rows).solver(options.lambda).losses(block, weighted.taps())
    };
    blocks.enumerate().flat_map(of).collect()
}
