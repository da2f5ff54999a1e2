//! A readout of all layers: what every layer reads, averaged over the quarters of its picture, adds to the scores.
//!
//! A small network squeezes what its early layers know through few channels. A linear map from all of
//! them to the scores (Head2Toe, Evci et al. 2022) costs next to no multiply-accumulates. Here it has no labels: it
//! is a multinomial logistic regression towards the source's probabilities, with the network's own
//! scores as offset. Its penalty is chosen on images that take no part;
//! where none surely helps, there is no readout. In the end all images fit it.

use std::sync::Arc;

use brickwork_graph::{Attr, Builder, Form, Graph, ValueId};
use brickwork_tensor::Tensor;
use faer::Mat;
use schemars::JsonSchema;
use serde::Serialize;

use super::judge::{Goal, NEAR, Soft, fetched, mean, sides};
use super::split::JUDGES;
use super::together::LEAST_IMAGES;
use crate::images::image_set::ImageSet;
use crate::model::error::Error;
use crate::model::layers::layers;
use crate::model::progress::Progress;
use crate::model::rebuild::{averaged, begun, copy_node, linear_of_zero, operation, with_linear};
use crate::refit::regression::{EXACT, Fits, Problem, Regression, softmax};

/// What the names of all nodes and constants of a readout begin with.
const PREFIX: &str = "readout.";

/// The scores before the readout: `[n, k]`.
const BEFORE: &str = "readout.before";

/// What it reads: `[n, features]`.
const FEATURES: &str = "readout.features";

/// What it adds to the scores: `[n, k]`.
const ADDED: &str = "readout.linear";
const SUM: &str = "readout.sum";

/// Features, at most: their second moments are a matrix.
const MOST_FEATURES: usize = 4096;

/// Features of all images, at most.
const NUMBERS: usize = 1 << 25;

/// Penalties tried, falling, until one is worse than the one before. Features are standardised, the loss
/// is a mean over images.
const PENALTIES: [f64; 8] = [1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4];

/// Standard errors by which a readout must lower the divergence of images that take no part.
const SURE: f64 = 2.0;

/// What a readout of all layers brought.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Readout {
    /// Numbers that it reads of an image.
    pub features: usize,
    /// Mean divergence (Kullback-Leibler, in nats, at a temperature that leaves scores two apart) from the source's
    /// scores before, on images that chose its penalty and took no part in the fits to choose from.
    pub before: f64,
    /// After.
    pub after: f64,
}

/// `graph` with a readout towards a goal, in place of any it has, fitted on `images` `[n, c, h, w]`. `None` if
/// scores are near enough or none surely brings those of images that took no part nearer, or there are too few images or
/// nothing to read.
///
/// # Errors
/// If a network cannot run.
pub(super) fn with_readout(
    graph: &Arc<Graph>,
    goal: &Goal<'_>,
    images: &ImageSet,
    progress: &dyn Progress,
) -> Result<Option<(Arc<Graph>, Readout)>, Error> {
    let none = |why: &str| {
        progress.note(&format!("{why}; no readout is added"));
        Ok(None)
    };
    if images.len() < LEAST_IMAGES {
        return none(&format!("a readout takes {LEAST_IMAGES} images or more"));
    }
    let Some(zero) = with_zero(&without_readout(graph)?)? else {
        return none(
            "there is nothing that a readout could read, or no vector of scores to add to",
        );
    };
    let features = zero.graph.value(zero.features).shape.sample()[1];
    let images = &images.evenly(NUMBERS / features.max(1));
    progress.begin("reading all layers", PENALTIES.len() as u64 + 2);
    let known = Known::of(&zero, goal, images)?;
    progress.advance(1)?;
    let Trial { penalty, before, after } = known.trial(progress)?;
    let Some(penalty) = penalty else {
        return none("reading all layers brings the scores not surely nearer to the source's");
    };
    let problem = known.problem();
    let fits = Fits::new(&problem);
    let map = fits.fit(penalty, fits.zero(), EXACT);
    progress.advance(1)?;
    Ok(Some((known.set(&zero.graph, &map)?, Readout { features, before, after })))
}

/// The penalty that images held out choose, none if no readout is better, and their divergence without and with it.
struct Trial {
    penalty: Option<f64>,
    before: f64,
    after: f64,
}

/// What the features, the network's and the wanted scores of some images are.
struct Known {
    /// `[n, f]`.
    features: Tensor,
    /// `[n, k]`.
    given: Tensor,
    /// `[n, k]`.
    wanted: Tensor,
    soft: Soft,
}

impl Known {
    fn of(zero: &Zero, goal: &Goal<'_>, images: &ImageSet) -> Result<Self, Error> {
        let values = [zero.features, zero.before];
        let [features, given] = fetched(&zero.graph, values, images, goal.batch)?;
        let wanted = goal.scores(images)?;
        Ok(Self { features, given, soft: Soft::of(&wanted, goal.apart), wanted })
    }

    /// Some of the images.
    fn some(&self, rows: &[usize]) -> Self {
        let take = |tensor: &Tensor| tensor.take(0, rows);
        let [features, given, wanted] = [&self.features, &self.given, &self.wanted].map(take);
        Self { features, given, wanted, soft: self.soft }
    }

    /// Probabilities as wanted, from scores as given; a single class stands against a score of 0.
    fn problem(&self) -> Problem<'_> {
        let classes = self.given.shape()[1];
        let at = |scores: &Tensor, row: usize, k: usize| match k < classes {
            true => f64::from(scores.data()[row * classes + k]) / self.soft.temperature,
            false => 0.0,
        };
        let all = |scores| {
            Mat::from_fn(self.given.shape()[0], sides(&self.given), |row, k| at(scores, row, k))
        };
        let target = softmax(all(&self.wanted));
        Problem { features: &self.features, target, offset: all(&self.given), owners: None }
    }

    /// Tries penalties on images that take no part.
    fn trial(&self, progress: &dyn Progress) -> Result<Trial, Error> {
        let (checks, fit): (Vec<usize>, Vec<usize>) =
            (0..self.given.shape()[0]).partition(|image| image % JUDGES == JUDGES - 1);
        let (checks, fit) = (self.some(&checks), self.some(&fit));
        let problem = fit.problem();
        let fits = Fits::new(&problem);
        let mut map = fits.zero();
        let before = checks.losses(&map);
        let (mut chosen, mut after) = (None, before.clone());
        let near = mean(&before) < NEAR;
        for penalty in PENALTIES.into_iter().filter(|_| !near) {
            map = fits.fit(penalty, map, EXACT);
            progress.advance(1)?;
            let losses = checks.losses(&map);
            if mean(&losses) >= mean(&after) {
                break;
            }
            (chosen, after) = (Some(penalty), losses);
        }
        let penalty = chosen.filter(|_| surely_less(&after, &before));
        Ok(Trial { penalty, before: mean(&before), after: mean(&after) })
    }

    /// Divergence from the wanted scores with a readout, in nats, for every image.
    fn losses(&self, map: &Regression) -> Vec<f64> {
        let (added, classes) = (map.scores(&self.features), self.given.shape()[1]);
        let of = |(at, z): (usize, &f32)| {
            z + self.soft.temperature as f32 * against(&added, classes, at / classes, at % classes)
        };
        let found = self.given.data().iter().enumerate().map(of).collect();
        self.soft.losses(&Tensor::new(self.given.shape(), found), &self.wanted)
    }

    /// The graph whose readout of zero becomes `map`.
    fn set(&self, zero: &Graph, map: &Regression) -> Result<Arc<Graph>, Error> {
        let (weights, bias) = map.plain();
        let (features, classes) = (weights.nrows(), self.given.shape()[1]);
        let bias = Mat::from_fn(1, bias.len(), |_, k| bias[k]);
        let scaled =
            |from: &Mat<f64>, row, k| self.soft.temperature as f32 * against(from, classes, row, k);
        let rows = (0..features).flat_map(|row| (0..classes).map(move |k| (row, k)));
        let data = rows.map(|(row, k)| scaled(&weights, row, k)).collect();
        let shift = (0..classes).map(|k| scaled(&bias, 0, k)).collect();
        let weights = Tensor::new([features, classes], data);
        Ok(Arc::new(with_linear(zero, PREFIX, weights, shift)?))
    }
}

/// Whether losses of the same images are lower on average by more than chance would have it.
fn surely_less(losses: &[f64], than: &[f64]) -> bool {
    let gains: Vec<f64> = than.iter().zip(losses).map(|(before, after)| before - after).collect();
    let gain = mean(&gains);
    let squares: Vec<f64> = gains.iter().map(|g| (g - gain).powi(2)).collect();
    gain > SURE * (mean(&squares) / gains.len() as f64).sqrt()
}

/// What stands for a class in an array with a column for every side: a single class stands against another.
fn against(array: &Mat<f64>, classes: usize, row: usize, class: usize) -> f32 {
    let other = if classes == 1 { array[(row, 1)] } else { 0.0 };
    (array[(row, class)] - other) as f32
}

/// One value that is read, and whether in quarters.
struct Read {
    value: ValueId,
    /// Values of an image.
    features: usize,
    quarters: bool,
}

/// What the layers of `graph` read, the last ones if it is too much: in quarters, if that is not.
fn reads(graph: &Graph) -> Vec<Read> {
    let mut values: Vec<(ValueId, usize)> = Vec::new();
    for layer in layers(graph) {
        let extents = graph.value(layer.input).shape.sample();
        let channels = extents.get(1).copied() == Some(layer.weighted.inputs);
        let known = values.iter().any(|(value, _)| *value == layer.input);
        if channels
            && !known
            && matches!(extents.len(), 2 | 4)
            && !graph.inputs().contains(&layer.input)
        {
            values.push((layer.input, extents[1]));
        }
    }
    let large = |value: ValueId| matches!(graph.value(value).shape.sample()[..], [_, _, h, w] if h > 1 && w > 1);
    let read = |quarters: bool| {
        values.iter().map(move |&(value, channels)| {
            let quarters = quarters && large(value);
            Read { value, features: if quarters { 4 * channels } else { channels }, quarters }
        })
    };
    let quarters = read(true).map(|read| read.features).sum::<usize>() <= MOST_FEATURES;
    let all: Vec<Read> = read(quarters).collect();
    let mut total = 0;
    let more = all.iter().rev().take_while(|read| {
        total += read.features;
        total <= MOST_FEATURES
    });
    let left = all.len() - more.count();
    all.into_iter().skip(left).collect()
}

/// Multiply-accumulates and parameters that a readout adds to `graph`.
pub(crate) fn readout_size(graph: &Graph) -> [u64; 2] {
    let features: usize = reads(graph).iter().map(|read| read.features).sum();
    let classes = graph.value(graph.logits()).shape.sample().last().copied().unwrap_or(0);
    [features * classes, (features + 1) * classes].map(|size| size as u64)
}

/// A graph with a readout of zero.
struct Zero {
    graph: Arc<Graph>,
    /// What is read: `[n, features]`.
    features: ValueId,
    /// The scores before it: `[n, k]`.
    before: ValueId,
}

/// `graph` with a readout of zero before its last layer; `None` if there is nothing to read or the scores are
/// no vector.
fn with_zero(graph: &Graph) -> Result<Option<Zero>, Error> {
    let reads = reads(graph);
    let scores = graph.value(graph.logits());
    let Some(last) = layers(graph).last().map(|layer| layer.node) else { return Ok(None) };
    if reads.is_empty() || scores.shape.rank() != 2 {
        return Ok(None);
    }
    let mut builder = begun(graph, |_| true);
    for (id, node) in graph.nodes().iter().enumerate() {
        if id == last.index() {
            place(&mut builder, graph, &reads, scores.shape.sample()[1]);
        }
        let given = |name| if name == scores.name { BEFORE } else { name };
        copy_node(&mut builder, graph, node, |name| name, given);
        if node.outputs.contains(&graph.logits()) {
            builder.node(&Form {
                name: SUM.to_owned(),
                kind: "Add".to_owned(),
                inputs: vec![BEFORE.to_owned(), ADDED.to_owned()],
                outputs: vec![scores.name.clone()],
                ..Form::default()
            });
        }
    }
    graph.outputs().iter().for_each(|&id| builder.output(&graph.value(id).name));
    let graph = Arc::new(builder.finish()?);
    let values = graph.find_value(FEATURES).zip(graph.find_value(BEFORE));
    Ok(values.map(|(features, before)| Zero { graph, features, before }))
}

/// The nodes of a readout of zero.
fn place(builder: &mut Builder, graph: &Graph, reads: &[Read], classes: usize) {
    let mut flat = Vec::new();
    for (k, read) in reads.iter().enumerate() {
        let value = graph.value(read.value);
        let extents = value.shape.sample();
        let [pooled, name] = ["pooled", "flat"].map(|stem| format!("{PREFIX}{stem}.{k}"));
        match extents[..] {
            [_, _, h, w] if read.quarters => {
                let ints =
                    |of: fn(usize) -> usize| Attr::Ints([h, w].map(|s| of(s) as i64).to_vec());
                let quarters =
                    [("kernel_shape", ints(|s| s - s / 2)), ("strides", ints(|s| s / 2))];
                operation(builder, "AveragePool", &[&value.name], &pooled, &quarters);
                operation(builder, "Flatten", &[&pooled], &name, &[]);
            }
            [_, _, _, _] => averaged(builder, &value.name, [&pooled, &name]),
            _ => {
                flat.push(value.name.clone());
                continue;
            }
        }
        flat.push(name);
    }
    let features = reads.iter().map(|read| read.features).sum();
    linear_of_zero(builder, PREFIX, &flat, [features, classes]);
}

/// `graph` without any readout.
///
/// # Errors
/// If the graph breaks an invariant, which would be a bug.
pub(crate) fn without_readout(graph: &Graph) -> Result<Graph, Error> {
    if graph.find_value(BEFORE).is_none() {
        return Ok(graph.clone());
    }
    let own = |name: &str| name.starts_with(PREFIX);
    let scores = graph.value(graph.logits()).name.as_str();
    let mut builder = begun(graph, |name| !own(name));
    for node in graph.nodes().iter().filter(|node| !own(&node.name)) {
        let given = |name| if name == BEFORE { scores } else { name };
        copy_node(&mut builder, graph, node, |name| name, given);
    }
    graph.outputs().iter().for_each(|&id| builder.output(&graph.value(id).name));
    Ok(builder.finish()?)
}

#[cfg(test)]
mod tests {
    use brickwork_exec::Session;

    use super::super::fixture::network;
    use super::*;
    use crate::architectures::Architecture;
    use crate::model::progress::Silent;
    use crate::model::random::uniform;

    fn run(graph: &Graph, images: &Tensor) -> Tensor {
        let graph = Arc::new(graph.clone());
        Session::new(graph.clone(), &[graph.logits()])
            .outputs(images.shape()[0], images.data())
            .unwrap()
            .remove(0)
    }

    #[test]
    fn a_readout_of_zero_changes_no_score_and_can_be_removed() {
        let graph = network(3, 1);
        let images = uniform([4, 3, 32, 32], -1.0, 1.0, 2);
        let zero = with_zero(&graph).unwrap().unwrap().graph;
        assert_eq!(run(&zero, &images), run(&graph, &images));
        assert_eq!(zero.value(zero.outputs()[0]).name, graph.value(graph.outputs()[0]).name);
        // The classifier's own last layer stays the last.
        let last = |graph: &Graph| layers(graph).pop().unwrap().name;
        assert_eq!(last(&zero), last(&graph));
        let [macs, parameters] = readout_size(&graph);
        assert_eq!(zero.macs(), graph.macs() + macs);
        assert_eq!(zero.parameters() as u64, graph.parameters() as u64 + parameters);
        let removed = without_readout(&zero).unwrap();
        let names =
            |graph: &Graph| graph.nodes().iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&removed), names(&graph));
        assert_eq!(run(&removed, &images), run(&graph, &images));
    }

    #[test]
    fn scores_come_closer_and_a_second_readout_takes_the_place_of_the_first() {
        for classes in [1, 2, 3] {
            let [source, graph] = [5, 9].map(|seed| network(classes, seed));
            let goal = Goal {
                source: &source,
                classes: &(0..classes).collect::<Vec<_>>(),
                batch: 64,
                apart: false,
            };
            let images = uniform([300, 3, 32, 32], -1.0, 1.0, 2);
            let (better, found) =
                with_readout(&graph, &goal, &images.clone().into(), &Silent).unwrap().unwrap();
            assert!(found.after < found.before && found.after > 0.0, "{found:?}");
            let (again, same) =
                with_readout(&better, &goal, &images.clone().into(), &Silent).unwrap().unwrap();
            assert_eq!((found, better.nodes().len()), (same, again.nodes().len()));
            let soft = Soft::of(&run(&source, &images), false);
            let loss =
                |graph: &Graph| mean(&soft.losses(&run(graph, &images), &run(&source, &images)));
            assert!(loss(&better) < loss(&graph), "{} to {}", loss(&graph), loss(&better));
            assert_eq!(run(&again, &images), run(&better, &images));
        }
    }

    #[test]
    fn scores_that_are_near_and_few_images_leave_it_out() {
        let graph = network(3, 1);
        let goal = Goal { source: &graph, classes: &[0, 1, 2], batch: 64, apart: false };
        for count in [LEAST_IMAGES - 1, LEAST_IMAGES] {
            let images = uniform([count, 3, 32, 32], -1.0, 1.0, 2);
            assert!(
                with_readout(&graph, &goal, &images.clone().into(), &Silent).unwrap().is_none()
            );
        }
    }

    #[test]
    fn large_networks_are_read_at_their_end_and_as_a_whole() {
        let features = |name: &str| {
            let architecture = Architecture::find(name).unwrap();
            let graph = architecture.build(&architecture.usual(10)).unwrap();
            let reads = reads(&graph);
            let total: usize = reads.iter().map(|read| read.features).sum();
            (total, reads.iter().any(|read| read.quarters), reads.len(), layers(&graph).len())
        };
        let (total, quarters, reads, layers) = features("resnet20");
        assert!(quarters && total <= MOST_FEATURES && reads > layers / 2, "{total} {reads}");
        let (total, quarters, reads, layers) = features("resnet50");
        assert!(!quarters && total <= MOST_FEATURES && reads < layers / 2, "{total} {reads}");
    }
}
