//! All refitted layers of a network at once towards the source's scores.

use std::sync::Arc;

use brickwork_graph::Graph;

use super::descent::descend;
use super::gauss_newton;
use super::judge::{Alignment, Goal, Judge};
use super::options::RefitOptions;
use super::split::{JUDGES, RefitImages};
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;

/// Refitted numbers of a network, at most, whose every image has as many gradients.
pub(super) const LARGEST: usize = 1_000_000;

/// Images of an alignment, at least: fewer that check tell nothing.
pub(super) const LEAST_IMAGES: usize = 16 * JUDGES;

/// Moves the constants of these names until the scores of `graph` on `images` `[n, c, h, w]` come no
/// closer to those of the goal `[n, k]`, as `judge` finds: by [Gauss-Newton](gauss_newton) passes, networks that learn
/// more than [`LARGEST`] by [gradients](descend). `None` for those that cannot be passed back through.
///
/// # Errors
/// If the network cannot run, or an image cannot be read.
pub(super) fn align(
    graph: Arc<Graph>,
    names: &[String],
    goal: &Goal<'_>,
    images: &RefitImages,
    judge: &Judge,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<Option<(Arc<Graph>, Alignment)>, Error> {
    let fitted = &images.fitted;
    match learned_count(&graph, names) > LARGEST {
        true => descend(graph, names, goal, fitted, judge, options, progress),
        false => gauss_newton::align(graph, names, goal, fitted, judge, options, progress),
    }
}

/// The names of the weights and biases of some layers.
pub(super) fn constants(graph: &Graph, names: &[String]) -> Vec<String> {
    let found = layers(graph).into_iter().filter(|layer| names.contains(&layer.name));
    let of = |layer: LayerInfo| {
        let bias = layer.weighted.bias_slot.and_then(|slot| graph.node(layer.node).input(slot));
        [Some(layer.weight), bias].into_iter().flatten()
    };
    found.flat_map(of).map(|value| graph.value(value).name.clone()).collect()
}

/// How many numbers the constants of these names have.
fn learned_count(graph: &Graph, names: &[String]) -> usize {
    let stored = names.iter().filter_map(|name| graph.find_value(name));
    stored.filter_map(|value| graph.value(value).constant.as_ref()).map(|c| c.data().len()).sum()
}
