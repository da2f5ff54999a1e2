//! All refitted layers at once towards the source's scores.
//!
//! Layer by layer a refit brings every layer near the source's; what counts are the scores `s` of the
//! source and `z` of the cut. Moving all weights by `d` moves the scores of image `i` by `J_i d`, to
//! first order, and the cross-entropy of their softmaxes at a temperature has the curvature
//! `diag(p) - p p'` (Gauss-Newton; Martens 2020), `p` the mean of both softmaxes. One pass is the
//! least-squares problem
//!
//! `min over d of sum over i of (v_i' (J_i d - (s_i - z_i)))^2 + mu |d|^2`,
//! `v_i = sum over classes c of e_c sqrt(p_c) (u_c - p)`,
//!
//! whose random signs `e` give `v_i` that covariance. With rows `A_i = v_i' J_i`, one backward pass
//! each, and `r_i = v_i' (s_i - z_i)`, its solution is `d = A' (A A' + mu)^-1 r`: a system over images.
//!
//! Every pass draws its images anew, and the weights that it moves, and knows nothing of the others, so
//! the `k`-th goes only `1 / (k + 1)` of the way: together they come near the mean of what all images
//! ask for. Images that take no part tell whether a pass brought anything. One that did not is taken back, and
//! the next goes half as far: what has been refitted before needs small steps from the start.

mod rows;

use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::Tensor;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::descent::descend;
use super::options::RefitOptions;
use super::ridge::Kernel;
use super::split::{JUDGES, RefitImages};
use crate::images::image_set::ImageSet;
use crate::images::select::top_class;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;
use rows::Learned;

/// Images of a pass per class, at most.
const EACH: usize = 1024;

/// Images of a pass, at most.
const IMAGES: usize = 4096;

/// Unknowns of a pass, at most: so few images say little of more.
const UNKNOWNS: usize = 1 << 14;

/// Refitted numbers of a network, at most, whose every image has as many gradients.
pub(super) const LARGEST: usize = 1_000_000;

/// Images of an alignment, at least: fewer that check tell nothing.
pub(super) const LEAST_IMAGES: usize = 16 * JUDGES;

/// Numbers in the images of a pass, at most.
const NUMBERS: usize = 1 << 28;

/// `mu`, relative to the mean diagonal of `A A'`.
const DAMPING: f64 = 0.1;

/// The part of the way that the first pass goes.
const LONGEST: f32 = 0.5;

/// So many passes in a row that bring nothing are the last.
const PATIENCE: usize = 5;

/// A mean divergence from the source's scores, in nats, that is near enough.
pub(super) const NEAR: f64 = 0.01;

/// How far passes over all layers brought a network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Alignment {
    /// The passes that brought its scores closer to the source's.
    pub passes: usize,
    /// Mean divergence (Kullback-Leibler, in nats, at a temperature that leaves scores two apart) from the
    /// source's scores on images that took no part, before.
    pub before: f64,
    /// After.
    pub after: f64,
}

/// The scores that a network should have.
pub(super) struct Goal<'a> {
    /// Who gives them.
    pub(super) source: &'a Arc<Graph>,
    /// Its scores that are the network's.
    pub(super) classes: &'a [usize],
    /// Images that networks run on at once.
    pub(super) batch: usize,
}

impl Goal<'_> {
    /// For images `[n, c, h, w]`: `[n, k]`.
    pub(super) fn scores(&self, images: &ImageSet) -> Result<Tensor, Error> {
        Ok(scores(self.source, images, self.batch)?.take(1, self.classes))
    }
}

/// Images for which a network gives the class that it should.
#[derive(Clone, Copy)]
pub(super) struct Hits {
    pub(super) right: usize,
    pub(super) all: usize,
}

impl Hits {
    pub(super) fn share(self) -> f64 {
        self.right as f64 / self.all.max(1) as f64
    }
}

/// Tells how far a network's scores are from a goal, on images that took no part.
pub(super) struct Judge {
    images: ImageSet,
    batch: usize,
    given: Tensor,
    pub(super) soft: Soft,
}

impl Judge {
    /// By these images `[n, c, h, w]`.
    pub(super) fn new(goal: &Goal<'_>, images: ImageSet) -> Result<Self, Error> {
        let given = goal.scores(&images)?;
        Ok(Self { images, batch: goal.batch, soft: Soft::of(&given), given })
    }

    /// Mean divergence, in nats.
    pub(super) fn loss(&self, graph: &Arc<Graph>) -> Result<f64, Error> {
        Ok(self.soft.loss(&scores(graph, &self.images, self.batch)?, &self.given))
    }

    /// On how many images a network gives the class that it should, and of how many. Meaningless for a single class.
    pub(super) fn agrees(&self, graph: &Arc<Graph>) -> Result<Hits, Error> {
        let found = scores(graph, &self.images, self.batch)?;
        let classes = self.given.shape()[1];
        let sides = found.data().chunks(classes).zip(self.given.data().chunks(classes));
        let right = sides.filter(|(found, given)| top_class(found) == top_class(given)).count();
        Ok(Hits { right, all: self.given.shape()[0] })
    }

    /// Moves the `chosen` numbers by `length` times `step` and gives the network and its loss if that is less
    /// than `before`; takes it back if not.
    fn nearer(
        &self,
        learned: &mut Learned,
        chosen: &[usize],
        step: &[f32],
        length: f32,
        before: f64,
    ) -> Result<Option<(Arc<Graph>, f64)>, Error> {
        learned.advance(chosen, step, length);
        let moved = learned.graph()?;
        let loss = self.loss(&moved)?;
        if loss < before {
            return Ok(Some((moved, loss)));
        }
        learned.advance(chosen, step, -length);
        Ok(None)
    }
}

/// How far passes go.
struct Pace {
    /// The part of its way that the next one goes.
    length: f32,
    /// So many of the last brought nothing.
    idle: usize,
}

impl Pace {
    fn new() -> Self {
        Self { length: LONGEST, idle: 0 }
    }

    /// After a pass that brought the scores nearer, or was taken back.
    fn adapt(&mut self, nearer: bool) {
        // 1 / k becomes 1 / (k + 1), or half of it.
        *self = match nearer {
            true => Self { length: self.length / (1.0 + self.length), idle: 0 },
            false => Self { length: self.length / 2.0, idle: self.idle + 1 },
        };
    }
}

/// Moves the constants of these names until the scores of `graph` on `images` `[n, c, h, w]` come no
/// closer to those of the goal `[n, k]`; networks that learn more than [`LARGEST`] by [gradients](descend). `None` for
/// those that cannot be passed back through, and if there are too few images to check on.
///
/// # Errors
/// If the network cannot run.
pub(super) fn align(
    graph: Arc<Graph>,
    names: &[String],
    goal: &Goal<'_>,
    images: &RefitImages,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<Option<(Arc<Graph>, Alignment)>, Error> {
    if images.len() < LEAST_IMAGES {
        return Ok(None);
    }
    if learned_count(&graph, names) > LARGEST {
        return descend(graph, names, goal, images, options, progress);
    }
    let Some(mut learned) = learned(&graph, names, progress) else { return Ok(None) };
    let judge = Judge::new(goal, images.judging.clone())?;
    let mut fit: Vec<usize> = (0..images.fitted.len()).collect();
    let each = graph.value(graph.inputs()[0]).shape.sample_volume();
    let drawn = fit.len().min(EACH * goal.classes.len()).min(IMAGES).min(NUMBERS / each);
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let before = judge.loss(&graph)?;
    let (mut after, mut best, mut passes) = (before, graph, 0);
    let mut pace = Pace::new();
    for pass in 1..=options.passes {
        if after < NEAR || pace.idle == PATIENCE {
            break;
        }
        fit.shuffle(&mut rng);
        let some = images.fitted.some(&fit[..drawn]);
        let problem = Problem::new(goal.scores(&some)?, learned.count(), &mut rng);
        let direct =
            |image: usize, z: &[f32], v: &mut [f32]| problem.direct(&judge.soft, image, z, v);
        let title = format!("moving all layers, pass {pass} of {}", options.passes);
        let some = some.load()?;
        let (slopes, missing) = learned.slopes(&some, &problem.chosen, direct, &title, progress)?;
        let step = added(&slopes, &Kernel::new(&slopes).solve(&missing, DAMPING));
        let nearer = judge.nearer(&mut learned, &problem.chosen, &step, pace.length, after)?;
        pace.adapt(nearer.is_some());
        if let Some((moved, loss)) = nearer {
            (after, best, passes) = (loss, moved, passes + 1);
        }
    }
    Ok(Some((best, Alignment { passes, before, after })))
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

/// What can be learned of a network that is small enough and can be passed back through.
fn learned(graph: &Arc<Graph>, names: &[String], progress: &dyn Progress) -> Option<Learned> {
    match Learned::new(graph, names) {
        Ok(learned) => (learned.count() > 0).then_some(learned),
        Err(error) => {
            progress.note(&format!("the scores are not aligned as a whole: {error}"));
            None
        }
    }
}

/// The rows of an array `[n, width]` added up with weights.
fn added(rows: &Tensor, weights: &[f32]) -> Vec<f32> {
    let width = rows.shape()[1];
    let mut sum = vec![0.0; width];
    for (row, weight) in rows.data().chunks(width).zip(weights) {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
    }
    sum
}

/// What a pass is about.
struct Problem {
    /// The scores its images should get: `[n, k]`.
    wanted: Tensor,
    /// The signs `e`: `[n, k]`, or `[n, 2]` for a single class.
    signs: Vec<bool>,
    /// The weights it moves, in order.
    chosen: Vec<usize>,
}

impl Problem {
    /// For images with these `wanted` scores `[n, k]` and so many weights.
    fn new(wanted: Tensor, weights: usize, rng: &mut ChaCha8Rng) -> Self {
        let signs = (0..wanted.shape()[0] * sides(&wanted)).map(|_| rng.random()).collect();
        let mut all: Vec<usize> = (0..weights).collect();
        let mut chosen = all.partial_shuffle(rng, weights.min(UNKNOWNS)).0.to_vec();
        chosen.sort_unstable();
        Self { wanted, signs, chosen }
    }

    /// For an image that gets the scores `z`, writes its direction `v` and gives `v' (s - z)`.
    fn direct(&self, soft: &Soft, image: usize, z: &[f32], v: &mut [f32]) -> f32 {
        let (classes, sides) = (z.len(), sides(&self.wanted));
        let s = &self.wanted.data()[image * classes..][..classes];
        let signs = &self.signs[image * sides..][..sides];
        soft.direction(s, z, signs, v);
        v.iter().zip(s.iter().zip(z)).map(|(v, (s, z))| v * (s - z)).sum()
    }
}

/// How many probabilities an image's scores `[n, k]` become.
pub(super) fn sides(scores: &Tensor) -> usize {
    scores.shape()[1].max(2)
}

/// The scores that a graph gives images `[n, c, h, w]`: `[n, k]`.
fn scores(graph: &Arc<Graph>, images: &ImageSet, batch: usize) -> Result<Tensor, Error> {
    fetched(graph, [graph.logits()], images, batch).map(|[scores]| scores)
}

/// What some values of a graph are for images `[n, c, h, w]`: `[n, features]` each.
pub(super) fn fetched<const N: usize>(
    graph: &Arc<Graph>,
    values: [ValueId; N],
    images: &ImageSet,
    batch: usize,
) -> Result<[Tensor; N], Error> {
    let mut session = Session::new(graph.clone(), &values).for_batches_of(batch);
    let mut all: [Vec<f32>; N] = std::array::from_fn(|_| Vec::new());
    for batch in images.batches(batch) {
        let batch = batch?;
        let found = session.outputs(batch.shape()[0], batch.data())?;
        all.iter_mut().zip(found).for_each(|(all, found)| all.extend(found.into_data()));
    }
    let count = images.len();
    Ok(all.map(|all| Tensor::new([count, all.len() / count], all)))
}

pub(super) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// Scores as probabilities.
#[derive(Clone, Copy)]
pub(super) struct Soft {
    /// What scores are divided by.
    pub(super) temperature: f64,
}

impl Soft {
    /// With a temperature that leaves scores such as the `wanted` ones two apart, on average, so that
    /// confident images count too.
    pub(super) fn of(wanted: &Tensor) -> Self {
        let classes = wanted.shape()[1];
        let off = |row: &[f32]| {
            let mean = if classes > 1 { row.iter().sum::<f32>() / classes as f32 } else { 0.0 };
            row.iter().map(|s| f64::from(s - mean).powi(2)).sum::<f64>()
        };
        let squares: f64 = wanted.data().chunks(classes).map(off).sum();
        let spread = (squares / wanted.data().len() as f64).sqrt();
        Self { temperature: if spread > 0.0 { spread / 2.0 } else { 1.0 } }
    }

    /// Logarithms of the probabilities of the classes; a single class is held against a score of 0.
    fn logs(&self, row: &[f32]) -> Vec<f64> {
        let mut logs: Vec<f64> = row.iter().map(|&z| f64::from(z) / self.temperature).collect();
        if row.len() == 1 {
            logs.push(0.0);
        }
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = logs.iter().map(|z| (z - top).exp()).sum::<f64>().ln() + top;
        logs.iter_mut().for_each(|z| *z -= total);
        logs
    }

    /// Kullback-Leibler divergence of what is `found` from what is `wanted`, both `[n, k]`, for every image.
    pub(super) fn losses(&self, found: &Tensor, wanted: &Tensor) -> Vec<f64> {
        let classes = wanted.shape()[1];
        let rows = found.data().chunks(classes).zip(wanted.data().chunks(classes));
        let of = |(z, s): (&[f32], &[f32])| {
            let sides = self.logs(s).into_iter().zip(self.logs(z));
            sides.map(|(s, z)| s.exp() * (s - z)).sum::<f64>()
        };
        rows.map(of).collect()
    }

    /// Writes the gradient of an image's loss with respect to its scores `z`, where it should have `s`, but for a factor.
    pub(super) fn slope(&self, z: &[f32], s: &[f32], gradient: &mut [f32]) {
        let sides = self.logs(z).into_iter().zip(self.logs(s));
        let slopes = sides.map(|(z, s)| (z.exp() - s.exp()) as f32);
        gradient.iter_mut().zip(slopes).for_each(|(gradient, slope)| *gradient = slope);
    }

    /// Their mean.
    fn loss(&self, found: &Tensor, wanted: &Tensor) -> f64 {
        mean(&self.losses(found, wanted))
    }

    /// Writes the direction `v` of an image with the scores `z` where it should have `s`, by these
    /// signs.
    fn direction(&self, s: &[f32], z: &[f32], signs: &[bool], v: &mut [f32]) {
        let sides = self.logs(z).into_iter().zip(self.logs(s));
        let p: Vec<f64> = sides.map(|(z, s)| f64::midpoint(z.exp(), s.exp())).collect();
        let signed = |(p, &up): (&f64, &bool)| if up { p.sqrt() } else { -p.sqrt() };
        let drawn: Vec<f64> = p.iter().zip(signs).map(signed).collect();
        let total: f64 = drawn.iter().sum();
        let each = drawn.iter().zip(&p).map(|(drawn, p)| (drawn - p * total) as f32);
        v.iter_mut().zip(each).for_each(|(v, each)| *v = each);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::network;
    use super::*;
    use crate::model::progress::Silent;
    use crate::model::random::uniform;

    #[test]
    fn a_step_that_is_too_long_is_taken_back() {
        let [source, graph] = [5, 9].map(|seed| network(3, seed));
        let goal = Goal { source: &source, classes: &[0, 1, 2], batch: 40 };
        let images = uniform([40, 3, 32, 32], -1.0, 1.0, 2);
        let judge = Judge::new(&goal, images.clone().into()).unwrap();
        let all: Vec<String> = layers(&graph).into_iter().map(|layer| layer.name).collect();
        let mut learned = Learned::new(&graph, &constants(&graph, &all)).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let problem = Problem::new(judge.given.clone(), learned.count(), &mut rng);
        let direct =
            |image: usize, z: &[f32], v: &mut [f32]| problem.direct(&judge.soft, image, z, v);
        let (slopes, missing) =
            learned.slopes(&images, &problem.chosen, direct, "", &Silent).unwrap();
        let step = added(&slopes, &Kernel::new(&slopes).solve(&missing, DAMPING));
        let before = judge.loss(&graph).unwrap();
        let chosen = &problem.chosen;
        assert!(judge.nearer(&mut learned, chosen, &step, 100.0, before).unwrap().is_none());
        let back = judge.loss(&learned.graph().unwrap()).unwrap();
        assert!((back - before).abs() < 1e-3 * before, "{before} became {back}");
        let (moved, after) =
            judge.nearer(&mut learned, chosen, &step, 0.1, before).unwrap().unwrap();
        assert_eq!(judge.loss(&moved).unwrap(), after);
        assert!(after < before, "{before} became {after}");
    }

    #[test]
    fn steps_shorten_and_halve_when_they_bring_nothing() {
        let mut pace = Pace::new();
        let mut lengths = Vec::new();
        for nearer in [true, true, false, false, true, false] {
            pace.adapt(nearer);
            lengths.push((pace.length, pace.idle));
        }
        let expected =
            [(1.0 / 3.0, 0), (0.25, 0), (0.125, 1), (0.0625, 2), (1.0 / 17.0, 0), (1.0 / 34.0, 1)];
        for ((length, idle), (expected, expected_idle)) in lengths.into_iter().zip(expected) {
            assert!((length - expected).abs() < 1e-6 && idle == expected_idle, "{length} {idle}");
        }
    }

    #[test]
    fn directions_have_the_curvature_as_their_covariance() {
        let wanted = Tensor::new([1, 3], vec![2.0, 0.5, -1.0]);
        let soft = Soft { temperature: 1.0 };
        let p: Vec<f64> = soft.logs(wanted.data()).into_iter().map(f64::exp).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut sums = [[0.0f64; 3]; 3];
        let draws = 20_000;
        for _ in 0..draws {
            let signs: [bool; 3] = rng.random();
            let mut v = [0.0; 3];
            soft.direction(wanted.data(), wanted.data(), &signs, &mut v);
            for (a, row) in sums.iter_mut().enumerate() {
                for (b, sum) in row.iter_mut().enumerate() {
                    *sum += f64::from(v[a] * v[b]) / f64::from(draws);
                }
            }
        }
        for (a, row) in sums.iter().enumerate() {
            for (b, sum) in row.iter().enumerate() {
                let own = if a == b { p[a] } else { 0.0 };
                assert!((sum - (own - p[a] * p[b])).abs() < 0.01, "{a} {b} {sum}");
            }
        }
    }

    #[test]
    fn a_single_score_is_held_against_none() {
        let soft = Soft { temperature: 2.0 };
        let alone = soft.logs(&[3.0]);
        let pair = soft.logs(&[3.0, 0.0]);
        assert_eq!(alone, pair);
        let (a, b) = (Tensor::new([1, 1], vec![3.0]), Tensor::new([1, 1], vec![1.0]));
        assert!(soft.loss(&a, &b) > 0.01 && soft.loss(&a, &a).abs() < 1e-12);
    }
}
