//! Controls: ways to choose channels that know nothing of the task.

use brickwork_graph::{Channels, Graph};
use brickwork_tensor::volume;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A way to choose channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// At random, from a seed.
    Random(u64),
    /// The largest sums of squared weights, over everything that makes or reads the channel.
    Magnitude,
}

impl Control {
    /// A score for every label; labels of one group score the same.
    pub fn scores(self, graph: &Graph, channels: &Channels) -> Vec<f32> {
        let by_group = match self {
            Self::Random(seed) => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                (0..channels.len()).map(|_| rng.random_range(0.0f32..1.0)).collect()
            }
            Self::Magnitude => magnitudes(graph, channels),
        };
        (0..channels.len()).map(|label| by_group[channels.group(label as u32) as usize]).collect()
    }
}

/// Sums of squared weights, at the place of every group's own label.
fn magnitudes(graph: &Graph, channels: &Channels) -> Vec<f32> {
    let mut sums = vec![0.0f32; channels.len()];
    for binding in channels.bindings() {
        let Some(data) = &graph.value(binding.constant).constant else { continue };
        // Biases and normalisation parameters are not weights.
        if data.rank() < 2 {
            continue;
        }
        let shape = data.shape();
        let (inner, extent) = (volume(&shape[binding.axis + 1..]), shape[binding.axis]);
        let per_block = data.data().len() / binding.blocks;
        for (at, w) in data.data().iter().enumerate() {
            let block = if binding.axis == 0 { 0 } else { at / per_block };
            let label = binding.labels[block * extent + at / inner % extent];
            sums[channels.group(label) as usize] += w * w;
        }
    }
    sums
}
