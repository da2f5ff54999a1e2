//! A network for tests of the refit.

use std::sync::Arc;

use brickwork_graph::Graph;

use crate::architectures::{Architecture, ArchitectureOptions};
use crate::model::random::random_weights;

/// A narrow ResNet-20 of random weights.
pub(super) fn network(classes: usize, seed: u64) -> Arc<Graph> {
    let architecture = Architecture::find("resnet20").unwrap();
    let options = ArchitectureOptions { width: 0.25, ..architecture.usual(classes) };
    let graph = architecture.build(&options).unwrap();
    Arc::new(random_weights(&graph, seed).apply(&graph).unwrap())
}
