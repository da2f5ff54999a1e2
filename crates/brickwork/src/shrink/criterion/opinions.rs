//! What layers say of the channel groups that live at them.

use std::collections::BTreeMap;

use brickwork_graph::{Channels, Label};
use brickwork_tensor::Tensor;

use super::ground::Ground;

/// What layers say of groups.
pub(super) struct Opinions<'a> {
    channels: &'a Channels,
    sum: Vec<f64>,
    count: Vec<u32>,
}

impl<'a> Opinions<'a> {
    /// Of layers that have said nothing yet.
    pub(super) fn new(channels: &'a Channels) -> Self {
        Self { channels, sum: vec![0.0; channels.len()], count: vec![0; channels.len()] }
    }

    /// One layer's scores of its channels, in whatever unit.
    pub(super) fn add(&mut self, labels: &[Label], scores: &[f64]) {
        let mut groups: BTreeMap<Label, (f64, f64)> = BTreeMap::new();
        for (&label, score) in labels.iter().zip(scores) {
            let (sum, count) = groups.entry(self.channels.group(label)).or_default();
            *sum += score;
            *count += 1.0;
        }
        let mean =
            groups.values().map(|(sum, count)| sum / count).sum::<f64>() / groups.len() as f64;
        for (group, (sum, count)) in groups {
            // A layer that tells its channels nothing apart finds them all average.
            self.sum[group as usize] += if mean > 0.0 { sum / count / mean } else { 1.0 };
            self.count[group as usize] += 1;
        }
    }

    /// Whether any layer said something of the label's group.
    pub(super) fn heard(&self, label: Label) -> bool {
        self.count[self.channels.group(label) as usize] > 0
    }

    /// Every label's group's mean; 1 where nobody said anything.
    pub(super) fn means(&self) -> Vec<f64> {
        let mean = |label: Label| match self.channels.group(label) as usize {
            group if self.count[group] > 0 => self.sum[group] / f64::from(self.count[group]),
            _ => 1.0,
        };
        (0..self.channels.len() as Label).map(mean).collect()
    }
}

/// Scores from the filters of the layers that make a channel. `judge` gets the weights of a layer,
/// `[outputs, inputs of a group, taps]`, and gives a score for every output.
pub(super) fn by_filter(ground: &Ground<'_>, judge: impl Fn(&Tensor) -> Vec<f64>) -> Vec<f64> {
    let mut opinions = Opinions::new(&ground.channels);
    for layer in &ground.layers {
        if let Some(ends) = ground.channels.layer(layer.node) {
            opinions.add(&ends.outputs, &judge(&layer.weights(ground.graph)));
        }
    }
    opinions.means()
}
