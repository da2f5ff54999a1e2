//! Random weights for a graph, from a seed.

use std::sync::Arc;

use brickwork_graph::{Graph, Operands, Patch};
use brickwork_tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The patch that gives every constant of `graph` with at least one axis random data.
///
/// Weights of layers are uniform with variance 2 / fan-in (He et al. 2015, eq. 10), so that
/// activations keep their size through ReLU layers; all other constants (biases, normalisation
/// parameters and statistics) are uniform in 0.5..1.5.
pub fn random_weights(graph: &Graph, seed: u64) -> Patch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut patch = Patch::new("random weights");
    for node in graph.nodes() {
        let shapes: Vec<_> = node.inputs.iter().map(|i| i.map(|v| &graph.value(v).shape)).collect();
        let constants =
            node.inputs.iter().map(|i| i.and_then(|v| graph.value(v).constant.as_ref())).collect();
        let layer = node.op.weighted(&Operands { shapes, constants });
        for (slot, input) in node.inputs.iter().enumerate() {
            let Some(value) = *input else { continue };
            let Some(old) = graph.value(value).constant.as_ref().filter(|c| c.rank() > 0) else {
                continue;
            };
            if patch.new_constant(value).is_some() {
                continue;
            }
            let (low, high) = match &layer {
                Some(layer) if slot == 1 => {
                    let fan_in = layer.inputs / layer.groups * layer.taps();
                    let bound = (6.0 / fan_in as f32).sqrt();
                    (-bound, bound)
                }
                Some(_) => (-0.1, 0.1),
                None => (0.5, 1.5),
            };
            let data = (0..old.data().len()).map(|_| rng.random_range(low..high)).collect();
            patch.constant(value, Arc::new(Tensor::new(old.shape(), data)));
        }
    }
    patch
}

/// An array of numbers uniform in `low..high`.
pub fn uniform(shape: impl Into<Vec<usize>>, low: f32, high: f32, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = shape.iter().product();
    let data = (0..count).map(|_| rng.random_range(low..high)).collect();
    Tensor::new(shape, data)
}
