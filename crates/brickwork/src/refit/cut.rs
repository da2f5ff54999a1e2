//! A cut and what it lost.

use std::sync::Arc;

use brickwork_graph::Graph;

use crate::cut::kept_channels::KeptMap;
use crate::model::layers::{LayerInfo, layers};

/// A cut that is to be refitted.
#[derive(Clone, Copy)]
pub struct Cut<'a> {
    /// The source.
    pub source: &'a Arc<Graph>,
    /// What was cut out of it.
    pub graph: &'a Graph,
    /// The channels it keeps.
    pub kept: &'a KeptMap,
    /// The source's scores that are the cut's.
    pub classes: &'a [usize],
    /// Whether an image may be of several of them at once.
    pub apart: bool,
}

/// The layers of a cut from the first that lost anything.
pub(super) fn changed(cut: &Cut<'_>) -> Vec<String> {
    let whole = |target: &LayerInfo| {
        cut.kept.get(&target.name).is_none_or(|kept| {
            kept.input.len() == target.weighted.inputs
                && kept.output.len() == target.weighted.outputs
        })
    };
    let left = layers(cut.source).into_iter().skip_while(whole);
    left.map(|layer| layer.name).filter(|name| cut.kept.contains_key(name)).collect()
}
