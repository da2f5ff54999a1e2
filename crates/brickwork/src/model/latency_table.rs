//! How long the layers of a model take at several widths, in the runtime where it is to run.
//!
//! Runtimes take channels by blocks, and a layer of half the multiply-accumulates rarely takes half the time. A table
//! holds for every layer the times of some widths; others lie between them, by the product of their channels, once
//! these are rounded up to whole blocks. The model's own time beyond that of its layers is shared out in proportion.

use std::collections::BTreeMap;
use std::path::Path;

use brickwork_graph::Graph;
use serde::{Deserialize, Serialize};

use crate::model::error::Error;
use crate::model::layers::layers;

/// Picoseconds of a millisecond.
pub(crate) const PICOSECONDS: f64 = 1e9;

/// The share of a layer whose time tells what a channel of it costs.
const PART: f64 = 0.25;

/// How long the layers of a model take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyTable {
    /// The runtime, with its version.
    pub runtime: String,
    /// Threads that it had.
    pub threads: usize,
    /// Images that ran at once.
    pub batch: usize,
    /// It takes channels by blocks of so many.
    pub block: usize,
    /// Milliseconds of the whole model.
    pub model_ms: f64,
    /// By the names of the weighted layers, some of their widths.
    pub layers: BTreeMap<String, Vec<WidthTime>>,
}

/// The time of a layer at a width.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WidthTime {
    /// Channels that it reads.
    pub inputs: usize,
    /// Channels that it makes.
    pub outputs: usize,
    /// Milliseconds.
    pub ms: f64,
}

impl WidthTime {
    /// Pairs of an input and an output.
    fn pairs(&self) -> f64 {
        self.inputs as f64 * self.outputs as f64
    }
}

impl LatencyTable {
    /// Reads a table of `model`'s layers from a JSON file.
    ///
    /// # Errors
    /// If the file cannot be read, is no such table, or lacks layers of the model: all that is wrong at once.
    pub fn load(path: &Path, model: &Graph) -> Result<Self, Error> {
        let refused = |what: String| Error::options(format!("{}: {what}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let table: Self = serde_json::from_slice(&bytes)
            .map_err(|error| refused(format!("is no latency table: {error}")))?;
        let problems = table.problems(model);
        if problems.is_empty() { Ok(table) } else { Err(refused(problems.join("; "))) }
    }

    /// What keeps it from telling of `model`.
    fn problems(&self, model: &Graph) -> Vec<String> {
        let mut problems = Vec::new();
        let time = |ms: f64| ms.is_finite() && ms > 0.0;
        if self.block == 0 || !time(self.model_ms) {
            problems.push("`block` and `model_ms` must be above 0".to_owned());
        }
        let odd = |times: &[WidthTime]| {
            times.is_empty() || times.iter().any(|t| t.pairs() == 0.0 || !time(t.ms))
        };
        let odd = self.layers.iter().filter(|(_, times)| odd(times));
        problems.extend(odd.map(|(name, _)| {
            format!("layer `{name}` must have times, with channels and milliseconds above 0")
        }));
        let names = layers(model).into_iter().map(|layer| layer.name);
        let missing: Vec<String> = names
            .filter(|name| !self.layers.contains_key(name))
            .map(|n| format!("`{n}`"))
            .collect();
        if !missing.is_empty() {
            problems.push(format!(
                "has no times of {}: it is of another model, or of another export of this one",
                missing.join(", ")
            ));
        }
        problems
    }

    /// Picoseconds of a run of a graph whose layers are some of the model's, or cuts of them.
    pub(crate) fn of(&self, graph: &Graph) -> u64 {
        let layers = layers(graph);
        self.sum(layers.iter().map(|layer| {
            let counts = [layer.weighted.inputs, layer.weighted.outputs];
            (&layer.name[..], counts.map(|count| count as u64))
        }))
    }

    /// Picoseconds of a run of layers with these names and numbers of inputs and outputs.
    pub(crate) fn sum<'a>(&self, layers: impl Iterator<Item = (&'a str, [u64; 2])>) -> u64 {
        let times = layers.map(|(name, counts)| {
            let [inputs, outputs] = counts.map(|n| n.next_multiple_of(self.block as u64) as f64);
            self.ms(name, inputs * outputs)
        });
        (times.sum::<f64>() * self.factor() * PICOSECONDS) as u64
    }

    /// Picoseconds that a layer with so many inputs and outputs, in `groups`, saves for every pair of them that is gone.
    pub(crate) fn each(&self, name: &str, [inputs, outputs]: [u64; 2], groups: u64) -> u64 {
        let product = (inputs * outputs) as f64;
        // The groups of a layer lose inputs and outputs at once.
        let sides = if groups > 1 { 2 } else { 1 };
        let less = product * (1.0 - PART).powi(sides);
        let saved = self.ms(name, product) - self.ms(name, less);
        let pairs = PART * product / groups as f64;
        (saved * self.factor() * PICOSECONDS / pairs.max(1.0)) as u64
    }

    /// What the model takes, relative to all its layers.
    fn factor(&self) -> f64 {
        let largest = |times: &Vec<WidthTime>| times.iter().map(|t| t.ms).fold(0.0, f64::max);
        self.model_ms / self.layers.values().map(largest).sum::<f64>()
    }

    /// Milliseconds of a layer whose inputs times outputs are `product`, by the nearest that are known. No time where it
    /// has none left, or is not known: an added layer.
    fn ms(&self, name: &str, product: f64) -> f64 {
        let mut known: Vec<(f64, f64)> = self
            .layers
            .get(name)
            .map_or(vec![], |times| times.iter().map(|t| (t.pairs(), t.ms)).collect());
        known.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut below, mut longest) = ((0.0, 0.0), 0.0f64);
        for (at, ms) in known {
            // A wider layer is never quicker: what says so is noise.
            longest = longest.max(ms);
            if product <= at {
                let part = (product - below.0) / (at - below.0).max(1.0);
                return below.1 + part * (longest - below.1);
            }
            below = (at, longest);
        }
        below.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> LatencyTable {
        let times = |list: &[(usize, usize, f64)]| {
            list.iter().map(|&(inputs, outputs, ms)| WidthTime { inputs, outputs, ms }).collect()
        };
        LatencyTable {
            runtime: "a runtime".to_owned(),
            threads: 1,
            batch: 1,
            block: 8,
            model_ms: 6.0,
            layers: BTreeMap::from([
                ("a".to_owned(), times(&[(16, 16, 1.0), (16, 8, 0.7), (8, 8, 0.2)])),
                ("b".to_owned(), times(&[(32, 32, 2.0), (16, 16, 0.6)])),
            ]),
        }
    }

    #[test]
    fn the_whole_takes_its_time_and_widths_fill_blocks() {
        let table = table();
        let sum = |a, b| table.sum([("a", a), ("b", b)].into_iter()) as f64 / PICOSECONDS;
        assert!((sum([16, 16], [32, 32]) - 6.0).abs() < 1e-6);
        assert!((sum([16, 8], [16, 16]) - 2.0 * (0.7 + 0.6)).abs() < 1e-6);
        assert!((sum([9, 3], [9, 10]) - sum([16, 8], [16, 16])).abs() < 1e-6);
    }

    #[test]
    fn a_channel_costs_what_the_time_falls_by() {
        let table = table();
        let fall = table.ms("a", 256.0) - table.ms("a", 192.0);
        let each = table.each("a", [16, 16], 1) as f64 / PICOSECONDS;
        assert!((each - 2.0 * fall / 64.0).abs() < 1e-6, "{each}");
        assert!(table.each("a", [16, 16], 16) > table.each("a", [16, 16], 1));
    }

    #[test]
    fn noise_makes_no_wider_layer_quicker() {
        let mut table = table();
        table.layers.get_mut("a").unwrap()[1].ms = 1.5;
        assert_eq!(table.ms("a", 256.0), 1.5);
    }
}
