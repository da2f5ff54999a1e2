//! First weights of a network that is to be trained.

use std::sync::Arc;

use brickwork_graph::{Graph, Patch, Weighted};
use brickwork_tensor::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::model::random::redraw;

/// The patch that makes `graph` forget what it has learned, from a seed, node after node:
///
/// - convolution weights are normal with variance 2 / fan-out, biases zero (He et al., "Delving deep
///   into rectifiers", 2015, eq. 14); of a grouped convolution the fan-out is that of a group;
/// - weights and biases of linear layers are uniform within 1 / sqrt(fan-in), as PyTorch's are
///   (LeCun et al., "Efficient backprop", 1998);
/// - normalisations have scale 1, shift 0, mean 0 and variance 1 (Ioffe and Szegedy 2015).
///
/// Other constants stay.
pub fn initialise(graph: &Graph, seed: u64) -> Patch {
    redraw(graph, "first weights", seed, |rng, node, layer, slot, old| {
        let count = old.data().len();
        let data = match (layer, node.op.kind(), slot) {
            (Some(layer), _, 1) if layer.window.is_some() => he_normal(rng, layer, count),
            (Some(layer), _, _) if layer.window.is_some() => vec![0.0; count],
            (Some(layer), ..) => within(rng, 1.0 / (layer.inputs as f32).sqrt(), count),
            (None, "BatchNormalization", 1 | 4) | (None, "LayerNormalization", 1) => {
                vec![1.0; count]
            }
            (None, "BatchNormalization", 2 | 3) | (None, "LayerNormalization", 2) => {
                vec![0.0; count]
            }
            _ => return None,
        };
        Some(Arc::new(Tensor::new(old.shape(), data)))
    })
}

fn within(rng: &mut ChaCha8Rng, bound: f32, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-bound..bound)).collect()
}

fn he_normal(rng: &mut ChaCha8Rng, layer: &Weighted, count: usize) -> Vec<f32> {
    let fan_out = layer.outputs / layer.groups * layer.taps();
    let deviation = (2.0 / fan_out as f64).sqrt();
    let mut data = Vec::with_capacity(count + 1);
    while data.len() < count {
        data.extend(normal_pair(rng).map(|x| (deviation * x) as f32));
    }
    data.truncate(count);
    data
}

/// Two independent standard normal numbers (Marsaglia's polar method).
fn normal_pair(rng: &mut ChaCha8Rng) -> [f64; 2] {
    loop {
        let (x, y) = (rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0));
        let square: f64 = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            let factor = (-2.0 * square.ln() / square).sqrt();
            return [x * factor, y * factor];
        }
    }
}
