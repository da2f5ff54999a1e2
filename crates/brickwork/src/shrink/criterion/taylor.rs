//! How much the scores change, to first order, when a channel is silenced (Molchanov et al. 2019;
//! Theis et al. 2018 call the mean of its square Fisher information).
//!
//! A channel is silenced where layers read it, so for a gate `m = 1` on all these reads
//!
//! `dz / dm = sum over reading layers of sum over o, k of w[o, i, k] * dz / dw[o, i, k]`,
//!
//! and the worth of a group is the mean over images of `sum over classes of (dz / dm)^2`, the scores
//! `z` centred over classes that exclude each other: it estimates how far scores move, without labels.
//! Channels that no layer reads, queries and keys of an attention, are silenced where a product sums over them. What
//! makes them is linear, so the gate stands as well before the constants `c` that make operand 0's, and
//! `dz / dm = sum of c * dz / dc`.
//!
//! The gradient of `v' z` with a random `v` of covariance `1 - 1 1' / k`, or `1` where scores are not centred, has the summands as its expected
//! square (Hutchinson); every image draws its own, and a backward pass over a batch tells their gradients
//! apart.

use std::collections::BTreeSet;

use brickwork_exec::{Target, Training};
use brickwork_graph::{Binding, FIXED, Label};
use brickwork_tensor::Tensor;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::ground::{BATCH, Ground};
use crate::model::error::Error;
use crate::model::layers::LayerInfo;

/// Gradients of weights that are held at once, at most, if those of one image are no more.
const HELD: usize = 1 << 26;

/// For every label the worth of its group.
pub(super) fn scores(ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
    let images = ground.images("taylor")?;
    let name = |layer: &LayerInfo| ground.graph.value(layer.weight).name.clone();
    let mut weights: BTreeSet<String> = ground.layers.iter().map(name).collect();
    let summed = summed(ground);
    let makes =
        |binding: &&Binding| !binding.reads && binding.labels.iter().any(|l| summed.contains(l));
    let makers: Vec<&Binding> = ground.channels.bindings().iter().filter(makes).collect();
    weights.extend(makers.iter().map(|made| ground.graph.value(made.constant).name.clone()));
    let learns = |name: &str| weights.contains(name);
    let graph = std::sync::Arc::new(ground.graph.clone());
    let mut training = Training::new(graph, &[ground.graph.logits()], learns).settled().by_sample();
    let readers: Vec<Vec<Reader<'_>>> =
        training.parameters().iter().map(|p| readers(ground, &p.name)).collect();
    let makers: Vec<Vec<Maker<'_>>> = training
        .parameters()
        .iter()
        .map(|p| {
            makers.iter().filter_map(|made| Maker::of(ground, made, &p.name, &summed)).collect()
        })
        .collect();
    let numbers: usize = training.parameters().iter().map(|p| ground.elements(&p.name)).sum();
    let batch = (HELD / numbers.max(1)).clamp(1, BATCH);
    let mut rng = ChaCha8Rng::seed_from_u64(ground.seed);
    let mut sums = vec![0.0f64; ground.channels.len()];
    for (count, data) in ground.batches(images, batch) {
        let mut gates = vec![vec![0.0f64; sums.len()]; count];
        let draw = |targets: &mut [Target<'_>]| {
            let Target { data, gradient, .. } = &mut targets[0];
            gradient.chunks_mut(data.len() / count).for_each(|row| match ground.apart {
                true => row.fill_with(|| sign(&mut rng)),
                false => direction(row, &mut rng),
            });
            true
        };
        training.step(count, &[data], 0, draw, |learned| {
            for parameter in learned {
                let each = parameter.gradient.len() / count;
                for (gradient, gates) in parameter.gradient.chunks(each).zip(&mut gates) {
                    readers[parameter.index].iter().for_each(|reader| reader.add(gradient, gates));
                    makers[parameter.index].iter().for_each(|maker| maker.add(gradient, gates));
                }
            }
        })?;
        let square = |(sum, gate): (&mut f64, &f64)| *sum += gate * gate / images.shape()[0] as f64;
        gates.iter().for_each(|gates| sums.iter_mut().zip(gates).for_each(square));
    }
    Ok((0..sums.len()).map(|label| sums[ground.channels.group(label as u32) as usize]).collect())
}

/// A random sign.
fn sign(rng: &mut impl Rng) -> f32 {
    if rng.random() { 1.0 } else { -1.0 }
}

/// Writes random signs, centred over classes where there are several, and as long as they are on average.
fn direction(row: &mut [f32], rng: &mut impl Rng) {
    let classes = row.len() as f32;
    if row.len() == 1 {
        row[0] = 1.0;
        return;
    }
    let squares = loop {
        row.fill_with(|| sign(rng));
        let mean = row.iter().sum::<f32>() / classes;
        row.iter_mut().for_each(|sign| *sign -= mean);
        // Equal signs are no direction.
        let squares = classes * (1.0 - mean * mean);
        if squares > 0.5 {
            break squares;
        }
    };
    let length = ((classes - 1.0) / squares).sqrt();
    row.iter_mut().for_each(|sign| *sign *= length);
}

/// A layer that reads channels through a weight.
struct Reader<'a> {
    layer: &'a LayerInfo,
    /// As it is stored.
    shape: &'a [usize],
    /// `[outputs, inputs of a group, taps]`.
    weights: Tensor,
    /// The group that every filter of every output reads.
    groups: Vec<usize>,
}

/// Those of the weight of this name.
fn readers<'a>(ground: &'a Ground<'_>, name: &str) -> Vec<Reader<'a>> {
    let reader = |layer: &'a LayerInfo| {
        let value = ground.graph.value(layer.weight);
        let stored = value.constant.as_ref().filter(|_| value.name == name)?;
        let ends = ground.channels.layer(layer.node)?;
        let weighted = &layer.weighted;
        let [inputs, outputs] = [weighted.inputs, weighted.outputs].map(|n| n / weighted.groups);
        let read = |at: usize| ends.inputs[at / inputs / outputs * inputs + at % inputs];
        let groups = (0..weighted.outputs * inputs)
            .map(|at| ground.channels.group(read(at)) as usize)
            .collect();
        Some(Reader { layer, shape: stored.shape(), weights: layer.weights(ground.graph), groups })
    };
    ground.layers.iter().filter_map(reader).collect()
}

impl Reader<'_> {
    /// Adds to the derivative by the gate of every group what this layer's `gradient` says of it.
    fn add(&self, gradient: &[f32], gates: &mut [f64]) {
        let gradient = Tensor::new(self.shape, gradient.to_vec());
        let gradient = self.layer.weighted.weights(&gradient);
        let taps = self.layer.weighted.taps();
        let rows = self.weights.data().chunks(taps).zip(gradient.data().chunks(taps));
        for ((w, dw), &group) in rows.zip(&self.groups) {
            gates[group] +=
                w.iter().zip(dw).map(|(w, d)| f64::from(*w) * f64::from(*d)).sum::<f64>();
        }
    }
}

/// The labels that products of two computed values sum over, of operand 0.
fn summed(ground: &Ground<'_>) -> BTreeSet<Label> {
    let products = ground.channels.products().iter().filter_map(|product| product.summed.as_ref());
    products.flat_map(|labels| labels.data()).copied().filter(|&label| label != FIXED).collect()
}

/// A constant that makes channels which a product sums over.
struct Maker<'a> {
    data: &'a Tensor,
    /// Elements at one index of the axis along which the channels lie.
    inner: usize,
    /// The group of each index, if it is summed over.
    groups: Vec<Option<usize>>,
}

impl<'a> Maker<'a> {
    /// The constant of `made`, if it is called `name`.
    fn of(
        ground: &'a Ground<'_>,
        made: &Binding,
        name: &str,
        summed: &BTreeSet<Label>,
    ) -> Option<Self> {
        let value = ground.graph.value(made.constant);
        let data = value.constant.as_ref().filter(|_| value.name == name)?;
        let group =
            |label: &Label| summed.contains(label).then(|| ground.channels.group(*label) as usize);
        Some(Self {
            data,
            inner: data.shape()[made.axis + 1..].iter().product(),
            groups: made.labels.iter().map(group).collect(),
        })
    }

    /// Adds to the derivative by the gate of every group what this constant's `gradient` says of it.
    fn add(&self, gradient: &[f32], gates: &mut [f64]) {
        let both = self.data.data().iter().zip(gradient).enumerate();
        for (at, (c, dc)) in both {
            if let Some(group) = self.groups[at / self.inner % self.groups.len()] {
                gates[group] += f64::from(*c) * f64::from(*dc);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_alike_in_all_classes() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws = 20_000;
        for classes in [2, 3, 5] {
            let mut sums = vec![0.0f64; classes * classes];
            for _ in 0..draws {
                let mut row = vec![0.0; classes];
                direction(&mut row, &mut rng);
                for (at, sum) in sums.iter_mut().enumerate() {
                    *sum += f64::from(row[at / classes] * row[at % classes]) / f64::from(draws);
                }
            }
            for (at, sum) in sums.iter().enumerate() {
                let own = if at / classes == at % classes { 1.0 } else { 0.0 };
                assert!((sum - (own - 1.0 / classes as f64)).abs() < 0.03, "{classes} {at} {sum}");
            }
        }
        let mut alone = [0.0];
        direction(&mut alone, &mut rng);
        assert_eq!(alone, [1.0]);
    }
}
