//! Random weights for a graph, from a seed.

use std::sync::Arc;

use brickwork_graph::{Graph, Node, Operands, Patch, Weighted};
use brickwork_tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The patch that gives every constant of `graph` with at least one axis random data.
///
/// Weights of layers are uniform with variance 2 / fan-in (He et al. 2015, eq. 10), so that
/// activations keep their size through ReLU layers; all other constants (biases, normalisation
/// parameters and statistics) are uniform in 0.5..1.5.
pub fn random_weights(graph: &Graph, seed: u64) -> Patch {
    redraw(graph, "random weights", seed, |rng, _, layer, slot, old| {
        let (low, high) = match layer {
            Some(layer) if slot == 1 => {
                let fan_in = layer.inputs / layer.groups * layer.taps();
                let bound = (6.0 / fan_in as f32).sqrt();
                (-bound, bound)
            }
            Some(_) => (-0.1, 0.1),
            None => (0.5, 1.5),
        };
        let data = (0..old.data().len()).map(|_| rng.random_range(low..high)).collect();
        Some(Arc::new(Tensor::new(old.shape(), data)))
    })
}

/// The patch that replaces constants with at least one axis, each where it is read first: `draw` is
/// told the node, the layer it is, the slot and the data so far, and may leave it.
pub(crate) fn redraw(
    graph: &Graph,
    label: &str,
    seed: u64,
    mut draw: impl FnMut(
        &mut ChaCha8Rng,
        &Node,
        Option<&Weighted>,
        usize,
        &Tensor,
    ) -> Option<Arc<Tensor>>,
) -> Patch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut patch = Patch::new(label);
    for node in graph.nodes() {
        let shapes: Vec<_> = node.inputs.iter().map(|i| i.map(|v| &graph.value(v).shape)).collect();
        let constants =
            node.inputs.iter().map(|i| i.and_then(|v| graph.value(v).constant.as_ref())).collect();
        let layer = node.op.weighted(&Operands { shapes, constants });
        for (slot, input) in node.inputs.iter().enumerate() {
            let Some(value) = input.filter(|&value| patch.new_constant(value).is_none()) else {
                continue;
            };
            let old = graph.value(value).constant.as_ref().filter(|data| data.rank() > 0);
            let new = old.and_then(|old| draw(&mut rng, node, layer.as_ref(), slot, old));
            if let Some(new) = new {
                patch.constant(value, new);
            }
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
