//! What a cut would cost, counted without making it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brickwork_graph::{Binding, Channels, Graph, Keep, Label, Layer, Product, ValueId};

use crate::model::latency_table::{LatencyTable, PICOSECONDS};
use crate::model::layers::layers;

/// What a budget counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Unit {
    /// Multiply-accumulates of one sample.
    Macs,
    /// Learned parameters.
    Parameters,
    /// Picoseconds of a run, as a table tells.
    Time(Arc<LatencyTable>),
}

impl Unit {
    /// In words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Macs => "MACs",
            Self::Parameters => "parameters",
            Self::Time(_) => "milliseconds",
        }
    }

    /// A size in words.
    pub fn counted(&self, size: u64) -> String {
        match self {
            Self::Macs | Self::Parameters => format!("{size} {}", self.name()),
            Self::Time(_) => format!("{:.3} ms", size as f64 / PICOSECONDS),
        }
    }

    /// The size of a graph.
    pub fn of(&self, graph: &Graph) -> u64 {
        match self {
            Self::Macs => graph.macs(),
            Self::Parameters => graph.parameters() as u64,
            Self::Time(table) => table.of(graph),
        }
    }
}

/// Sizes of the cuts of one graph.
pub struct Sizes<'a> {
    channels: &'a Channels,
    layers: Vec<Cost<'a>>,
    products: Vec<Shared<'a>>,
    constants: Vec<CutConstant<'a>>,
    /// What no cut changes.
    other_macs: u64,
    other_params: u64,
    refits: bool,
}

/// A weighted layer.
struct Cost<'a> {
    name: String,
    ends: &'a Layer,
    /// Multiply-accumulates of one output reading one input.
    each: u64,
    /// Whether a refit gives it a bias that it does not have.
    gains_bias: bool,
}

/// A product of two computed values.
struct Shared<'a> {
    product: &'a Product,
    /// Multiply-accumulates for each label of its work.
    each: u64,
}

/// A constant that is cut along some axes.
struct CutConstant<'a> {
    /// Elements at one index of all these axes, in one block.
    each: u64,
    blocks: usize,
    axes: Vec<&'a Binding>,
}

impl<'a> Sizes<'a> {
    /// Of the cuts of `graph`; with `refits`, of what a refit makes of them, which adds biases.
    pub fn new(graph: &Graph, channels: &'a Channels, refits: bool) -> Self {
        let mut costs = Vec::new();
        for layer in layers(graph) {
            let Some(ends) = channels.layer(layer.node) else { continue };
            let (inputs, outputs) = (ends.inputs.len() / ends.groups, ends.outputs.len());
            let each = graph.node_macs(layer.node) / (inputs * outputs).max(1) as u64;
            let slot = layer.weighted.bias_slot;
            let gains_bias = slot.is_some_and(|slot| graph.node(layer.node).input(slot).is_none());
            costs.push(Cost { name: layer.name, ends, each, gains_bias });
        }
        let shared = |product: &'a Product| {
            let shares = product.work.len().max(1) as u64;
            Shared { product, each: graph.node_macs(product.node) / shares }
        };
        let (cut, whole) = parameters(graph).partition::<Vec<_>, _>(|value| {
            channels.bindings().iter().any(|binding| binding.constant == *value)
        });
        let volume = |value: &ValueId| {
            graph.value(*value).constant.as_ref().map_or(0, |data| data.data().len() as u64)
        };
        let mut sizes = Self {
            channels,
            layers: costs,
            products: channels.products().iter().map(shared).collect(),
            constants: cut.iter().map(|&value| CutConstant::new(graph, channels, value)).collect(),
            other_macs: 0,
            other_params: whole.iter().map(volume).sum(),
            refits,
        };
        sizes.other_macs = graph.macs() - sizes.macs(&Keep::all(channels));
        sizes
    }

    /// The size of a cut.
    pub fn of(&self, unit: &Unit, keep: &Keep) -> u64 {
        match unit {
            Unit::Macs => self.macs(keep),
            Unit::Parameters => self.parameters(keep),
            Unit::Time(table) => table.sum(self.layers.iter().map(|layer| {
                let [inputs, outputs] = [&layer.ends.inputs, &layer.ends.outputs];
                (&layer.name[..], [self.kept(keep, inputs), self.kept(keep, outputs)])
            })),
        }
    }

    /// Multiply-accumulates of one sample.
    pub fn macs(&self, keep: &Keep) -> u64 {
        let layers = self.layers.iter().map(|layer| {
            let ends = layer.ends;
            let (inputs, outputs) =
                (ends.inputs.len() / ends.groups, ends.outputs.len() / ends.groups);
            let groups = ends.inputs.chunks(inputs).zip(ends.outputs.chunks(outputs));
            layer.each * groups.map(|(i, o)| self.kept(keep, i) * self.kept(keep, o)).sum::<u64>()
        });
        let products = self.products.iter();
        let products = products.map(|shared| shared.each * self.kept(keep, &shared.product.work));
        self.other_macs + layers.sum::<u64>() + products.sum::<u64>()
    }

    /// Learned parameters.
    pub fn parameters(&self, keep: &Keep) -> u64 {
        let constants = self.constants.iter().map(|held| {
            let blocks = (0..held.blocks).map(|block| {
                held.axes
                    .iter()
                    .map(|axis| self.kept(keep, held.part(axis, block)))
                    .product::<u64>()
            });
            held.each * blocks.sum::<u64>()
        });
        self.other_params + constants.sum::<u64>() + self.new_biases(keep)
    }

    /// What dropping each group alone saves, at the places of all its labels.
    pub fn savings(&self, unit: &Unit) -> Vec<u64> {
        let mut saved = vec![0; self.channels.len()];
        match unit {
            Unit::Macs => {
                for Cost { ends, each, .. } in &self.layers {
                    self.without_layer(ends, *each, &mut saved);
                }
                for Shared { product, each } in &self.products {
                    self.without(*each, &[&product.work], &mut saved);
                }
            }
            Unit::Time(table) => self.layers.iter().for_each(|layer| {
                let counts = [&layer.ends.inputs, &layer.ends.outputs].map(|l| l.len() as u64);
                let each = table.each(&layer.name, counts, layer.ends.groups as u64);
                self.without_layer(layer.ends, each, &mut saved);
            }),
            Unit::Parameters => self.constants.iter().for_each(|held| {
                for block in 0..held.blocks {
                    let axes: Vec<_> =
                        held.axes.iter().map(|axis| held.part(axis, block)).collect();
                    self.without(held.each, &axes, &mut saved);
                }
            }),
        }
        (0..saved.len()).map(|label| saved[self.channels.group(label as Label) as usize]).collect()
    }

    /// Adds what a layer saves where one group is gone and a pair of an input and an output costs so much.
    fn without_layer(&self, ends: &Layer, each: u64, saved: &mut [u64]) {
        let (inputs, outputs) = (ends.inputs.len() / ends.groups, ends.outputs.len() / ends.groups);
        for (i, o) in ends.inputs.chunks(inputs).zip(ends.outputs.chunks(outputs)) {
            self.without(each, &[i, o], saved);
        }
    }

    /// Adds what is missing from a block with these labels along its axes, where one group is gone.
    fn without(&self, each: u64, axes: &[&[Label]], saved: &mut [u64]) {
        let mut counts: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (axis, labels) in axes.iter().enumerate() {
            for &label in *labels {
                let group = self.channels.group(label) as usize;
                counts.entry(group).or_insert_with(|| vec![0; axes.len()])[axis] += 1;
            }
        }
        let whole: u64 = axes.iter().map(|labels| labels.len() as u64).product();
        for (group, counts) in counts {
            let left: u64 = axes.iter().zip(counts).map(|(l, n)| l.len() as u64 - n).product();
            saved[group] += each * (whole - left);
        }
    }

    /// A refit begins at the first layer that is cut.
    fn new_biases(&self, keep: &Keep) -> u64 {
        let whole = |labels: &[Label]| self.kept(keep, labels) == labels.len() as u64;
        let changed = self
            .layers
            .iter()
            .skip_while(|layer| whole(&layer.ends.inputs) && whole(&layer.ends.outputs));
        let gained = changed.filter(|layer| self.refits && layer.gains_bias);
        gained.map(|layer| self.kept(keep, &layer.ends.outputs)).sum()
    }

    fn kept(&self, keep: &Keep, labels: &[Label]) -> u64 {
        labels.iter().filter(|&&label| keep.has(self.channels, label)).count() as u64
    }
}

impl<'a> CutConstant<'a> {
    fn new(graph: &Graph, channels: &'a Channels, value: ValueId) -> Self {
        let mut by_axis: BTreeMap<usize, &Binding> = BTreeMap::new();
        for binding in channels.bindings().iter().filter(|binding| binding.constant == value) {
            by_axis.entry(binding.axis).or_insert(binding);
        }
        let axes: Vec<&Binding> = by_axis.into_values().collect();
        let blocks = axes.iter().map(|binding| binding.blocks).max().unwrap_or(1);
        let mut held = Self { each: 1, blocks, axes };
        let indices: usize = held.axes.iter().map(|axis| held.part(axis, 0).len()).product();
        let elements = graph.value(value).constant.as_ref().map_or(0, |data| data.data().len());
        held.each = (elements / (indices * blocks).max(1)) as u64;
        held
    }

    /// The labels of an axis in one block.
    fn part(&self, axis: &'a Binding, block: usize) -> &'a [Label] {
        let split = axis.blocks > 1 || axis.axis == 0;
        let each = if split { axis.labels.len() / self.blocks } else { axis.labels.len() };
        let first = if split { block * each } else { 0 };
        &axis.labels[first..first + each]
    }
}

/// The constants that [`Graph::parameters`] counts.
fn parameters(graph: &Graph) -> impl Iterator<Item = ValueId> {
    let operands = graph.nodes().iter().flat_map(|node| {
        node.inputs.iter().enumerate().filter(|(slot, _)| !node.op.is_statistic(*slot))
    });
    let learned =
        |value: &ValueId| graph.value(*value).constant.as_ref().is_some_and(|data| data.rank() > 0);
    operands.filter_map(|(_, value)| *value).filter(learned).collect::<BTreeSet<_>>().into_iter()
}
