//! What is left of every node, for Model Explorer, which colours a drawn network by such data.

use std::path::{Path, PathBuf};

use brickwork_formats::write_atomically;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::measure::diff::LayerDifference;
use crate::measure::inspect::{LayerRow, inspect};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::percent::Percent;

/// Numbers of nodes, by their names: `GraphNodeData` of the Python package `ai-edge-model-explorer`.
#[derive(Serialize)]
struct NodeData {
    name: &'static str,
    results: Map<String, Value>,
    gradient: Vec<Value>,
}

/// Writes the share of output channels that is kept of every layer, in percent, to `path`; learned parameters and
/// multiply-accumulates of every node of `cut` to files beside it, since a file holds one number of a node.
///
/// # Errors
/// If a file cannot be written; it is then as it was.
pub(crate) fn write(
    path: &Path,
    layers: &[LayerDifference],
    cut: &Classifier,
) -> Result<(), Error> {
    let found = inspect(cut);
    let rows = |of: fn(&LayerRow) -> u64| {
        let costly = found.layers.iter().filter(move |layer| of(layer) > 0);
        costly.map(move |layer| (layer.name.clone(), json!({ "value": of(layer) }))).collect()
    };
    let data = [
        ("kept output channels, %", path.to_owned(), shares(layers)),
        ("parameters", beside(path, "params"), rows(|layer| layer.params as u64)),
        ("multiply-accumulates", beside(path, "macs"), rows(|layer| layer.macs)),
    ];
    for (name, path, results) in data {
        let whole = NodeData { name, results, gradient: gradient() };
        let text = serde_json::to_string_pretty(&whole)
            .map_err(|error| Error::file(format!("node data cannot be written: {error}")))?;
        write_atomically(&path, (text + "\n").as_bytes())?;
    }
    Ok(())
}

/// The files that are written beside `path`.
pub(crate) fn files(path: &Path) -> [PathBuf; 3] {
    [path.to_owned(), beside(path, "params"), beside(path, "macs")]
}

fn beside(path: &Path, what: &str) -> PathBuf {
    path.with_extension(format!("{what}.json"))
}

fn shares(layers: &[LayerDifference]) -> Map<String, Value> {
    let share = |layer: &LayerDifference| {
        let before = layer.outputs[0]? as u64;
        let after = layer.outputs[1].unwrap_or(0) as u64;
        Some((layer.name.clone(), json!({ "value": Percent::ratio(after, before).number() })))
    };
    layers.iter().filter_map(share).collect()
}

/// From little to much, in the colours of heat.
fn gradient() -> Vec<Value> {
    let stop = |(at, step): (f64, usize)| {
        let [ground, ink] = super::colours::heat_colours(step);
        json!({ "stop": at, "bgColor": ground, "textColor": ink })
    };
    [(0.0, 0), (0.5, 4), (1.0, 9)].into_iter().map(stop).collect()
}
