//! What a channel adds to the layers that read it, with what cancels taken off.
//!
//! Model LEGO counts a contribution `s[o, i]` (section 3.1) by its positive part, image by image. Here it is
//! averaged over images first, so that what one image adds and another takes away is nothing, and turned by
//! the normalisation behind the layer: where that has a negative scale `g[o]`, what is negative raises the output.
//!
//! `s[i] = sum over o of max(0, g[o] * mean over images of s[o, i])`.

use std::sync::Arc;

use brickwork_exec::{Chain, Fetched, Session, chains};
use brickwork_tensor::{Order, Tensor};

use super::ground::{BATCH, Ground};
use super::opinions::Opinions;
use crate::model::error::Error;
use crate::model::layers::LayerInfo;

/// The scores that reading layers give the channels they read.
pub(super) fn scores(ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
    // What a depthwise layer reads contributes to itself alone, so it says nothing.
    let judges: Vec<&LayerInfo> =
        ground.layers.iter().filter(|layer| !layer.weighted.is_depthwise()).collect();
    let chains = chains(ground.graph);
    let mut opinions = Opinions::new(&ground.channels);
    for (layer, read) in judges.iter().zip(means(ground, &judges)?) {
        if let Some(ends) = ground.channels.layer(layer.node) {
            opinions.add(&ends.inputs, &raised(ground, layer, &read, &scales(&chains, layer)));
        }
    }
    Ok(opinions.means())
}

/// What each layer reads, averaged over the images: `[1, c, h, w]`. Contributions are linear in it.
fn means(ground: &Ground<'_>, layers: &[&LayerInfo]) -> Result<Vec<Tensor>, Error> {
    let images = ground.images("net-contribution")?;
    let inputs: Vec<_> = layers.iter().map(|layer| layer.input).collect();
    let shapes: Vec<_> =
        inputs.iter().map(|&value| ground.graph.value(value).shape.sample()).collect();
    let mut sums: Vec<Vec<f64>> = shapes.iter().map(|s| vec![0.0; s.iter().product()]).collect();
    let mut session = Session::new(Arc::new(ground.graph.clone()), &inputs).for_batches_of(BATCH);
    for (batch, data) in ground.batches(images, BATCH) {
        for (sums, value) in sums.iter_mut().zip(session.outputs(batch, data)?) {
            for image in value.data().chunks(sums.len()) {
                sums.iter_mut().zip(image).for_each(|(sum, x)| *sum += f64::from(*x));
            }
        }
    }
    let count = images.shape()[0] as f64;
    let mean = |(shape, sums): (Vec<usize>, Vec<f64>)| {
        Tensor::new(shape, sums.into_iter().map(|sum| (sum / count) as f32).collect::<Vec<_>>())
    };
    Ok(shapes.into_iter().zip(sums).map(mean).collect())
}

/// For every input of a layer, how far it raises the layer's outputs, times `scales`, on the mean image `read`.
fn raised(ground: &Ground<'_>, layer: &LayerInfo, read: &Tensor, scales: &[f32]) -> Vec<f64> {
    let order = Order::row_major(read.rank());
    let read = Fetched { extents: read.shape(), order: &order, data: read.data() };
    let sums = layer.channel_sums(layer.grid(ground.graph), &read);
    let (all, groups, taps) = (layer.weighted.inputs, layer.weighted.groups, layer.weighted.taps());
    let (inputs, outputs) = (all / groups, layer.weighted.outputs / groups);
    let mut scores = vec![0.0; all];
    for (at, w) in layer.weights(ground.graph).data().chunks(taps).enumerate() {
        let output = at / inputs;
        let input = output / outputs * inputs + at % inputs;
        let terms =
            w.iter().enumerate().map(|(tap, w)| f64::from(*w) * f64::from(sums[tap * all + input]));
        scores[input] += (terms.sum::<f64>() * f64::from(scales[output])).max(0.0);
    }
    scores
}

/// The factors that a normalisation right behind a layer gives its outputs; 1 without one.
fn scales(chains: &[Chain], layer: &LayerInfo) -> Vec<f32> {
    let chain = chains.iter().find(|chain| chain.host == layer.node);
    let affine = chain.and_then(|chain| chain.epilogue.affine.as_ref());
    affine.map_or_else(|| vec![1.0; layer.weighted.outputs], |(scale, _)| scale.clone())
}
