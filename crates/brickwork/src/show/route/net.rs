//! A network as the routes see it.

use brickwork_graph::{Channels, Graph, Label};
use brickwork_tensor::Tensor;

use super::overlap::LayerOverlap;
use crate::cut::plan::class_labels;
use crate::model::card::{Rule, Thresholds};
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::relevance::link::{Relevance, link, reference_masks};

/// A network as the routes see it.
pub(super) struct Net<'a> {
    pub(super) graph: &'a Graph,
    pub(super) channels: Channels,
    pub(super) layers: Vec<LayerInfo>,
    classes: Vec<Label>,
    pub(super) thresholds: Thresholds,
}

impl<'a> Net<'a> {
    /// # Errors
    /// If its scores do not lie along an axis.
    pub(super) fn new(graph: &'a Graph, thresholds: Thresholds) -> Result<Self, Error> {
        let channels = Channels::of(graph);
        let classes = class_labels(graph, &channels)?;
        Ok(Self { graph, channels, layers: layers(graph), classes, thresholds })
    }

    /// Labels of the layer's inputs.
    pub(super) fn inputs(&self, layer: usize) -> &[Label] {
        self.channels.layer(self.layers[layer].node).map_or(&[], |ends| &ends.inputs)
    }

    /// Labels of the layer's outputs; none for a depthwise layer, whose outputs are its inputs.
    pub(super) fn outputs(&self, layer: usize) -> &[Label] {
        match self.channels.layer(self.layers[layer].node) {
            Some(ends) if !self.layers[layer].weighted.is_depthwise() => &ends.outputs,
            _ => &[],
        }
    }

    /// The layer's outputs that are relevant.
    pub(super) fn relevant(&self, layer: usize, found: &Relevance) -> Vec<usize> {
        let labels = self.outputs(layer).iter().enumerate();
        labels.filter(|(_, label)| found.labels[**label as usize]).map(|(k, _)| k).collect()
    }

    /// What is relevant to a class of so many samples. `contributions` gives those to a layer.
    pub(super) fn relevance(
        &self,
        class: usize,
        rule: Rule,
        samples: f32,
        contributions: impl Fn(usize) -> Tensor,
    ) -> Relevance {
        let (layers, thresholds) = (&self.layers, &self.thresholds);
        match rule {
            Rule::Graph => {
                link(self.graph, &self.channels, layers, class, thresholds, contributions)
            }
            Rule::Reference => {
                let sums = |layer: usize| contributions(layer).map(|v| v * samples);
                let mut inputs = reference_masks(layers, class, thresholds, sums);
                // Inputs beyond a mask are kept, as in a cut by this rule.
                for (mask, layer) in inputs.iter_mut().zip(layers) {
                    mask.resize(layer.weighted.inputs, true);
                }
                Relevance { labels: self.marked(class, &inputs), inputs, score: Vec::new() }
            }
        }
    }

    /// The labels that masks of inputs stand for.
    fn marked(&self, class: usize, inputs: &[Vec<bool>]) -> Vec<bool> {
        let mut labels = vec![false; self.channels.len()];
        labels[self.classes[class] as usize] = true;
        for (layer, mask) in self.layers.iter().zip(inputs) {
            let Some(ends) = self.channels.layer(layer.node) else { continue };
            for (&label, _) in ends.inputs.iter().zip(mask).filter(|(_, kept)| **kept) {
                labels[label as usize] = true;
            }
        }
        for label in (0..self.channels.len()).rev().filter(|&label| label > 0) {
            if labels[label] {
                let parents = self.channels.depends(label as Label);
                parents.iter().for_each(|&parent| labels[parent as usize] = true);
            }
        }
        labels
    }

    /// What classes have in common at every layer. The head, whose outputs are the classes, says
    /// nothing about that.
    pub(super) fn overlaps(&self, found: &[Relevance]) -> Vec<LayerOverlap> {
        let is_head = |layer: &usize| {
            self.outputs(*layer).first().is_some_and(|label| self.classes.contains(label))
        };
        (0..self.layers.len())
            .filter(|layer| !is_head(layer))
            .filter_map(|layer| {
                let sets: Vec<_> = found.iter().map(|f| self.relevant(layer, f)).collect();
                let count = self.outputs(layer).len();
                sets.iter()
                    .any(|set| !set.is_empty())
                    .then(|| LayerOverlap::of(self.layers[layer].name.clone(), count, &sets))
            })
            .collect()
    }
}
