//! All refitted layers of a small network at once towards the source's scores.
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

use brickwork_graph::Graph;
use brickwork_tensor::Tensor;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::judge::{Alignment, Goal, Judge, NEAR, Soft, sides};
use super::options::RefitOptions;
use super::ridge::Kernel;
use crate::images::image_set::ImageSet;
use crate::model::error::Error;
use crate::model::progress::Progress;
use rows::Learned;

/// Images of a pass per class, at most.
const EACH: usize = 1024;

/// Images of a pass, at most.
const IMAGES: usize = 4096;

/// Unknowns of a pass, at most: so few images say little of more.
const UNKNOWNS: usize = 1 << 14;

/// Numbers in the images of a pass, at most.
const NUMBERS: usize = 1 << 28;

/// `mu`, relative to the mean diagonal of `A A'`.
const DAMPING: f64 = 0.1;

/// The part of the way that the first pass goes.
const LONGEST: f32 = 0.5;

/// So many passes in a row that bring nothing are the last.
const PATIENCE: usize = 5;

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

/// Moves the constants of these names, by `images` `[n, c, h, w]`, until the scores of `graph` come no closer to those of
/// the goal `[n, k]`, as `judge` finds. `None` if it cannot be passed back through.
///
/// # Errors
/// If the network cannot run, or an image cannot be read.
pub(super) fn align(
    graph: Arc<Graph>,
    names: &[String],
    goal: &Goal<'_>,
    images: &ImageSet,
    judge: &Judge,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<Option<(Arc<Graph>, Alignment)>, Error> {
    let Some(mut learned) = learned(&graph, names, progress) else { return Ok(None) };
    let mut fit: Vec<usize> = (0..images.len()).collect();
    let each = graph.value(graph.inputs()[0]).shape.sample_volume();
    let drawn = fit.len().min(EACH * goal.classes.len()).min(IMAGES).min(NUMBERS / each);
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let before = judge.loss(&graph)?;
    let (mut after, mut best, mut passes) = (before, graph, 0);
    let mut pace = Pace::new();
    for pass in 1..=options.passes {
        if after < NEAR || pace.idle == PATIENCE || options.is_late() {
            break;
        }
        fit.shuffle(&mut rng);
        let some = images.some(&fit[..drawn]);
        let problem = Problem::new(goal.scores(&some)?, learned.count(), &mut rng);
        let direct =
            |image: usize, z: &[f32], v: &mut [f32]| problem.direct(&judge.soft, image, z, v);
        let title = format!("moving all layers, pass {pass} of {}", options.passes);
        let some = some.load()?;
        let (slopes, missing) = learned.slopes(&some, &problem.chosen, direct, &title, progress)?;
        let step = added(&slopes, &Kernel::new(&slopes).solve(&missing, DAMPING));
        let nearer = nearer(judge, &mut learned, &problem.chosen, &step, pace.length, after)?;
        pace.adapt(nearer.is_some());
        if let Some((moved, loss)) = nearer {
            (after, best, passes) = (loss, moved, passes + 1);
        }
    }
    Ok(Some((best, Alignment { passes, before, after })))
}

/// Moves the `chosen` numbers by `length` times `step` and gives the network and its loss if that is less
/// than `before`; takes it back if not.
fn nearer(
    judge: &Judge,
    learned: &mut Learned,
    chosen: &[usize],
    step: &[f32],
    length: f32,
    before: f64,
) -> Result<Option<(Arc<Graph>, f64)>, Error> {
    learned.advance(chosen, step, length);
    let moved = learned.graph()?;
    let loss = judge.loss(&moved)?;
    if loss < before {
        return Ok(Some((moved, loss)));
    }
    learned.advance(chosen, step, -length);
    Ok(None)
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

#[cfg(test)]
mod tests {
    use super::super::fixture::network;
    use super::super::together::constants;
    use super::*;
    use crate::model::layers::layers;
    use crate::model::progress::Silent;
    use crate::model::random::uniform;

    #[test]
    fn a_step_that_is_too_long_is_taken_back() {
        let [source, graph] = [5, 9].map(|seed| network(3, seed));
        let goal = Goal { source: &source, classes: &[0, 1, 2], batch: 40, apart: false };
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
        assert!(nearer(&judge, &mut learned, chosen, &step, 100.0, before).unwrap().is_none());
        let back = judge.loss(&learned.graph().unwrap()).unwrap();
        assert!((back - before).abs() < 1e-3 * before, "{before} became {back}");
        let (moved, after) =
            nearer(&judge, &mut learned, chosen, &step, 0.1, before).unwrap().unwrap();
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
}
