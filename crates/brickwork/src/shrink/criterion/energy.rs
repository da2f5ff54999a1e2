//! Mean square of a channel's values, over images and places, times the sum of squares of the weights
//! that read it: how much energy it brings to the layers behind it.

use std::sync::Arc;

use brickwork_exec::Session;

use super::ground::{BATCH, Ground};
use super::opinions::Opinions;
use crate::model::error::Error;

/// The scores that reading layers give the channels they read.
pub(super) fn scores(ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
    let images = ground.images("energy")?;
    let graph = Arc::new(ground.graph.clone());
    let inputs: Vec<_> = ground.layers.iter().map(|layer| layer.input).collect();
    let mut session = Session::new(graph, &inputs).for_batches_of(BATCH);
    let mut energies: Vec<Vec<f64>> =
        ground.layers.iter().map(|layer| vec![0.0; layer.weighted.inputs]).collect();
    for (batch, data) in ground.batches(images, BATCH) {
        let values = session.outputs(batch, data)?;
        for ((layer, sums), value) in ground.layers.iter().zip(&mut energies).zip(values) {
            let axis = layer.weighted.channel_axis(value.rank());
            let inner: usize = value.shape()[axis + 1..].iter().product();
            for (at, x) in value.data().iter().enumerate() {
                sums[at / inner % layer.weighted.inputs] += f64::from(*x) * f64::from(*x);
            }
        }
    }
    let mut opinions = Opinions::new(&ground.channels);
    for (layer, energies) in ground.layers.iter().zip(energies) {
        let Some(ends) = ground.channels.layer(layer.node) else { continue };
        let (groups, taps) = (layer.weighted.groups, layer.weighted.taps());
        let (inputs, outputs) = (layer.weighted.inputs / groups, layer.weighted.outputs / groups);
        let mut scores = vec![0.0; energies.len()];
        for (at, w) in layer.weights(ground.graph).data().chunks(taps).enumerate() {
            let input = at / inputs / outputs * inputs + at % inputs;
            let squares: f64 = w.iter().map(|w| f64::from(*w) * f64::from(*w)).sum();
            scores[input] += energies[input] * squares;
        }
        opinions.add(&ends.inputs, &scores);
    }
    Ok(opinions.means())
}
