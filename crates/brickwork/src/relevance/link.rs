//! From contributions to relevant channels, class by class, along the graph.
//!
//! Two rules share the thresholds. `graph` follows DESIGN: relevance travels backwards through
//! the real connections, so residual sums, concatenations, splits and shuffles hand it to exactly
//! the channels it belongs to. `reference` repeats the published code layer by layer, quirks
//! included, for parity tests.

use brickwork_graph::{Channels, Graph, Label};
use brickwork_tensor::Tensor;

use crate::model::card::Thresholds;
use crate::model::layers::LayerInfo;
use crate::relevance::profile::Profile;

/// What one class needs: relevant channels by label, and relevant inputs of every layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Relevance {
    /// For every label, whether it is relevant.
    pub labels: Vec<bool>,
    /// For every layer (in running order), whether each input is relevant.
    pub inputs: Vec<Vec<bool>>,
    /// For every label, the largest share of a reader's relevant outputs that count it.
    pub score: Vec<f32>,
}

impl Thresholds {
    /// Alpha and beta for a layer.
    pub(crate) fn of(&self, layer: &LayerInfo) -> (f32, f32) {
        if layer.weighted.window.is_some() {
            (self.alpha_conv, self.beta_conv)
        } else {
            (self.alpha_linear, self.beta_linear)
        }
    }
}

/// The epsilon of the published code, in both min-max steps.
const EPSILON: f32 = 1e-5;

/// The relevant channels of `class` by the graph rule, and those that are never cut. `contributions` gives, for a layer by its
/// place in `layers`, the class's mean positive contributions `[outputs, inputs of a group]`.
pub fn link(
    graph: &Graph,
    channels: &Channels,
    layers: &[LayerInfo],
    class: usize,
    thresholds: &Thresholds,
    contributions: impl Fn(usize) -> Tensor,
) -> Relevance {
    let mut found = Relevance {
        // What is never cut is read whatever is chosen, so what it is made of matters.
        labels: channels.frozen(),
        inputs: layers.iter().map(|layer| vec![false; layer.weighted.inputs]).collect(),
        score: vec![0.0; channels.len()],
    };
    if let Some((_, classes)) = channels.axis(graph.logits()) {
        found.labels[classes[class] as usize] = true;
    }
    // A layer is due once everything made after its outputs has been looked at.
    let mut due: Vec<(Label, usize)> = layers
        .iter()
        .enumerate()
        .filter(|(_, layer)| !layer.weighted.is_depthwise())
        .filter_map(|(k, layer)| {
            channels.layer(layer.node).and_then(|l| l.outputs.first().map(|&first| (first, k)))
        })
        .collect();
    due.sort_unstable();
    for label in (0..channels.len() as Label).rev() {
        if found.labels[label as usize] {
            for &parent in channels.depends(label) {
                found.labels[parent as usize] = true;
            }
        }
        while let Some(&(first, k)) = due.last().filter(|(first, _)| *first == label) {
            debug_assert_eq!(first, label);
            due.pop();
            link_layer(channels, &layers[k], k, thresholds, &contributions(k), &mut found);
        }
    }
    found
}

fn link_layer(
    channels: &Channels,
    layer: &LayerInfo,
    place: usize,
    thresholds: &Thresholds,
    contributions: &Tensor,
    found: &mut Relevance,
) {
    let Some(ends) = channels.layer(layer.node) else { return };
    let groups = layer.weighted.groups;
    let (outputs, inputs) = (ends.outputs.len() / groups, ends.inputs.len() / groups);
    for group in 0..groups {
        let relevant: Vec<usize> = (group * outputs..(group + 1) * outputs)
            .filter(|&o| found.labels[ends.outputs[o] as usize])
            .collect();
        if relevant.is_empty() {
            continue;
        }
        let rows: Vec<&[f32]> =
            relevant.iter().map(|&o| &contributions.data()[o * inputs..(o + 1) * inputs]).collect();
        let (chosen, share) = relevant_inputs(&rows, thresholds.of(layer));
        for k in 0..inputs {
            let input = group * inputs + k;
            let label = ends.inputs[input] as usize;
            found.score[label] = found.score[label].max(share[k]);
            if chosen[k] {
                found.inputs[place][input] = true;
                found.labels[label] = true;
            }
        }
    }
}

/// The inputs that matter to the given outputs' rows of contributions, and each input's share of
/// rows that count it. At least one input is chosen if any contributes at all.
fn relevant_inputs(rows: &[&[f32]], (alpha, beta): (f32, f32)) -> (Vec<bool>, Vec<f32>) {
    let inputs = rows[0].len();
    let mut counts = vec![0u32; inputs];
    for row in rows {
        for (count, counted) in counts.iter_mut().zip(counted(row, alpha)) {
            *count += u32::from(counted.is_some());
        }
    }
    let (low, high) = range(counts.iter().map(|&count| count as f32));
    let chosen = counts
        .iter()
        .map(|&count| {
            let count = count as f32;
            if high == low { count > 0.0 } else { (count - low) / (high - low + EPSILON) > beta }
        })
        .collect();
    (chosen, counts.iter().map(|&count| count as f32 / rows.len() as f32).collect())
}

/// For every input of a row of contributions, its relative contribution if it counts. In a flat row
/// nobody stands out, so whoever contributes counts.
pub(crate) fn counted(row: &[f32], alpha: f32) -> impl Iterator<Item = Option<f32>> {
    let (low, high) = range(row.iter().copied());
    let flat = high - low <= EPSILON * high;
    row.iter().map(move |&v| {
        let relative = if flat { 1.0 } else { (v - low) / (high - low + EPSILON) };
        (if flat { v > 0.0 } else { relative > alpha }).then_some(relative)
    })
}

fn range(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
}

impl Profile {
    /// The contributions of the class at a place of the profile to a layer of its model, by the
    /// layer's place in `layers`. Nothing contributes to a layer that was not profiled.
    pub(crate) fn contributions_to(
        &self,
        graph: &Graph,
        layers: &[LayerInfo],
    ) -> impl Fn(usize, usize) -> Tensor {
        let weights: Vec<_> = layers.iter().map(|layer| layer.tap_weights(graph)).collect();
        let profiled: Vec<Option<usize>> = layers
            .iter()
            .map(|layer| self.header.layers.iter().position(|name| *name == layer.name))
            .collect();
        move |place, layer| match profiled[layer] {
            Some(at) => self.contributions(place, at, &layers[layer], &weights[layer]),
            None => Tensor::filled([layers[layer].weighted.outputs, 1], 0.0),
        }
    }
}

/// The published masks of `class`: for every layer, in running order, whether each input is kept.
/// `contributions` gives a layer's *summed* positive contributions, as the published code sums them.
///
/// Steps 4 and 5 of the published algorithm: layers in reverse, a mask that does not fit the next
/// layer is reset to all ones, strict thresholds in `f32`.
pub fn reference_masks(
    layers: &[LayerInfo],
    class: usize,
    thresholds: &Thresholds,
    contributions: impl Fn(usize) -> Tensor,
) -> Vec<Vec<bool>> {
    let mut masks = vec![Vec::new(); layers.len()];
    let classes = layers.last().map_or(0, |layer| layer.weighted.outputs);
    let mut mask: Vec<bool> = (0..classes).map(|k| k == class).collect();
    for (place, layer) in layers.iter().enumerate().rev() {
        let values = contributions(place);
        let (outputs, inputs) = (values.shape()[0], values.shape()[1]);
        if mask.len() != outputs {
            mask = vec![true; outputs];
        }
        mask = reference_step(values.data(), inputs, &mask, thresholds.of(layer));
        masks[place] = mask.clone();
    }
    masks
}

fn reference_step(
    values: &[f32],
    inputs: usize,
    mask: &[bool],
    (alpha, beta): (f32, f32),
) -> Vec<bool> {
    let mut counts = vec![0i64; inputs];
    for (row, _) in values.chunks(inputs).zip(mask).filter(|(_, kept)| **kept) {
        let (low, high) = range(row.iter().copied());
        for (count, &v) in counts.iter_mut().zip(row) {
            *count += i64::from((v - low) / (high - low + EPSILON) > alpha);
        }
    }
    let low = counts.iter().copied().min().unwrap_or(0);
    let high = counts.iter().copied().max().unwrap_or(0);
    counts
        .iter()
        .map(|&count| (count - low) as f32 / ((high - low) as f32 + EPSILON) > beta)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_counts_where_it_stands_out() {
        let rows: [&[f32]; 3] = [&[1.0, 0.5, 0.0], &[1.0, 0.0, 0.1], &[0.9, 0.1, 0.0]];
        let (chosen, share) = relevant_inputs(&rows, (0.3, 0.2));
        assert_eq!(chosen, [true, true, false]);
        assert_eq!(share, [1.0, 1.0 / 3.0, 0.0]);
    }

    #[test]
    fn flat_rows_and_equal_counts_keep_what_contributes() {
        assert_eq!(relevant_inputs(&[&[2.0, 2.0]], (0.3, 0.2)).0, [true, true]);
        assert_eq!(relevant_inputs(&[&[0.7]], (0.3, 0.2)).0, [true]);
        assert_eq!(relevant_inputs(&[&[0.0, 0.0]], (0.3, 0.2)).0, [false, false]);
    }

    #[test]
    fn the_published_step_drops_the_least_counted_input() {
        let values = [1.0, 0.5, 0.0, 1.0, 0.9, 0.0];
        assert_eq!(reference_step(&values, 3, &[true, true], (0.3, 0.2)), [true, true, false]);
        // Equal counts everywhere: the row is all zero.
        assert_eq!(
            reference_step(&[1.0, 0.0, 0.0, 1.0], 2, &[true, true], (0.3, 0.2)),
            [false, false]
        );
    }
}
