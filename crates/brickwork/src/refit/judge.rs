//! Who judges how near a network comes to its source.

use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::Tensor;
use serde::Serialize;

use crate::images::image_set::ImageSet;
use crate::images::select::top_class;
use crate::model::error::Error;

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
    /// Whether an image may be of several classes at once.
    pub(super) apart: bool,
}

impl Goal<'_> {
    /// For images `[n, c, h, w]`: `[n, k]`.
    pub(super) fn scores(&self, images: &ImageSet) -> Result<Tensor, Error> {
        Ok(scores(self.source, images, self.batch)?.take(1, self.classes))
    }
}

/// Tells how far a network's scores are from a goal, on images that took no part.
pub(super) struct Judge {
    images: ImageSet,
    batch: usize,
    pub(super) given: Tensor,
    pub(super) soft: Soft,
}

impl Judge {
    /// By these images `[n, c, h, w]`.
    pub(super) fn new(goal: &Goal<'_>, images: ImageSet) -> Result<Self, Error> {
        let given = goal.scores(&images)?;
        Ok(Self { images, batch: goal.batch, soft: Soft::of(&given, goal.apart), given })
    }

    /// Divergence of every image, in nats.
    pub(super) fn losses(&self, graph: &Arc<Graph>) -> Result<Vec<f64>, Error> {
        Ok(self.soft.losses(&scores(graph, &self.images, self.batch)?, &self.given))
    }

    /// Mean divergence, in nats.
    pub(super) fn loss(&self, graph: &Arc<Graph>) -> Result<f64, Error> {
        Ok(mean(&self.losses(graph)?))
    }

    /// How many images it judges by.
    pub(super) fn count(&self) -> usize {
        self.images.len()
    }

    /// The share of images to which a network gives the class that it should, or that of right decisions, where
    /// there is one on every class. Meaningless for a single class that excludes others.
    pub(super) fn agreement(&self, graph: &Arc<Graph>) -> Result<f64, Error> {
        let found = scores(graph, &self.images, self.batch)?;
        if self.soft.apart {
            let sides = found.data().iter().zip(self.given.data());
            let right = sides.filter(|(found, given)| (**found > 0.0) == (**given > 0.0)).count();
            return Ok(right as f64 / self.given.data().len() as f64);
        }
        let classes = self.given.shape()[1];
        let sides = found.data().chunks(classes).zip(self.given.data().chunks(classes));
        let right = sides.filter(|(found, given)| top_class(found) == top_class(given)).count();
        Ok(right as f64 / self.count() as f64)
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

/// Whether some images' losses are less than their losses `before` by more than chance: by two standard errors of the mean
/// of their differences.
pub(super) fn surely_less(losses: &[f64], before: &[f64]) -> bool {
    let gains: Vec<f64> = before.iter().zip(losses).map(|(before, loss)| before - loss).collect();
    let (gain, count) = (mean(&gains), gains.len() as f64);
    let variance = gains.iter().map(|g| (g - gain).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    gain > 2.0 * (variance / count).sqrt()
}

pub(super) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// Scores as probabilities.
#[derive(Clone, Copy)]
pub(super) struct Soft {
    /// What scores are divided by.
    pub(super) temperature: f64,
    /// Whether every class has a probability of its own, as an image may be of several.
    pub(super) apart: bool,
}

impl Soft {
    /// With a temperature that leaves scores such as the `wanted` ones two apart, on average, so that
    /// confident images count too.
    pub(super) fn of(wanted: &Tensor, apart: bool) -> Self {
        let classes = wanted.shape()[1];
        let off = |row: &[f32]| {
            let mean =
                if classes > 1 && !apart { row.iter().sum::<f32>() / classes as f32 } else { 0.0 };
            row.iter().map(|s| f64::from(s - mean).powi(2)).sum::<f64>()
        };
        let squares: f64 = wanted.data().chunks(classes).map(off).sum();
        let spread = (squares / wanted.data().len() as f64).sqrt();
        Self { temperature: if spread > 0.0 { spread / 2.0 } else { 1.0 }, apart }
    }

    /// Logarithms of the probabilities of the classes; a single class is held against a score of 0. Where classes
    /// are apart, each of them is, and there are two sides for each.
    fn logs(&self, row: &[f32]) -> Vec<f64> {
        if self.apart && row.len() > 1 {
            return row.iter().flat_map(|z| self.logs(&[*z])).collect();
        }
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
        let slopes = sides.map(|(z, s)| (z.exp() - s.exp()) as f32).step_by(self.step());
        gradient.iter_mut().zip(slopes).for_each(|(gradient, slope)| *gradient = slope);
    }

    /// How many sides a class has.
    fn step(&self) -> usize {
        if self.apart { 2 } else { 1 }
    }

    /// Writes the direction `v` of an image with the scores `z` where it should have `s`, by these
    /// signs.
    pub(super) fn direction(&self, s: &[f32], z: &[f32], signs: &[bool], v: &mut [f32]) {
        let sides = self.logs(z).into_iter().zip(self.logs(s));
        let p: Vec<f64> =
            sides.map(|(z, s)| f64::midpoint(z.exp(), s.exp())).step_by(self.step()).collect();
        if self.apart {
            let each = p
                .iter()
                .zip(signs)
                .map(|(p, &up)| (p * (1.0 - p)).sqrt() * if up { 1.0 } else { -1.0 });
            v.iter_mut().zip(each).for_each(|(v, each)| *v = each as f32);
            return;
        }
        let signed = |(p, &up): (&f64, &bool)| if up { p.sqrt() } else { -p.sqrt() };
        let drawn: Vec<f64> = p.iter().zip(signs).map(signed).collect();
        let total: f64 = drawn.iter().sum();
        let each = drawn.iter().zip(&p).map(|(drawn, p)| (drawn - p * total) as f32);
        v.iter_mut().zip(each).for_each(|(v, each)| *v = each);
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn directions_have_the_curvature_as_their_covariance() {
        let wanted = Tensor::new([1, 3], vec![2.0, 0.5, -1.0]);
        let soft = Soft { temperature: 1.0, apart: false };
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
    fn chance_is_not_less() {
        assert!(surely_less(&[0.1, 0.2, 0.1, 0.3], &[0.6, 0.8, 0.5, 0.7]));
        assert!(!surely_less(&[0.1, 0.9, 0.1, 0.7], &[0.6, 0.3, 0.5, 0.8]));
        assert!(!surely_less(&[0.1, 0.2], &[0.1, 0.2]));
    }

    #[test]
    fn a_single_score_is_held_against_none() {
        let soft = Soft { temperature: 2.0, apart: false };
        let alone = soft.logs(&[3.0]);
        let pair = soft.logs(&[3.0, 0.0]);
        assert_eq!(alone, pair);
        let (a, b) = (Tensor::new([1, 1], vec![3.0]), Tensor::new([1, 1], vec![1.0]));
        assert!(soft.losses(&a, &b)[0] > 0.01 && soft.losses(&a, &a)[0].abs() < 1e-12);
    }

    #[test]
    fn classes_apart_are_each_held_against_none() {
        let [soft, single] = [true, false].map(|apart| Soft { temperature: 2.0, apart });
        let (z, s) = ([3.0, -1.0], [0.5, 2.0]);
        let tensor = |row: &[f32]| Tensor::new([1, row.len()], row.to_vec());
        let alone: f64 =
            z.iter().zip(&s).map(|(z, s)| single.losses(&tensor(&[*z]), &tensor(&[*s]))[0]).sum();
        assert!((soft.losses(&tensor(&z), &tensor(&s))[0] - alone).abs() < 1e-12);
        let mut slopes = [0.0; 2];
        soft.slope(&z, &s, &mut slopes);
        for (k, slope) in slopes.iter().enumerate() {
            let moved = |by: f32| {
                let mut z = z;
                z[k] += by;
                soft.losses(&tensor(&z), &tensor(&s))[0]
            };
            let found = (moved(1e-2) - moved(-1e-2)) / 2e-2 * soft.temperature;
            assert!((found - f64::from(*slope)).abs() < 1e-4, "{k}: {found} {slope}");
        }
        let mut v = [0.0; 2];
        soft.direction(&s, &s, &[true, false], &mut v);
        let p = 1.0 / (1.0 + (-0.25f32).exp());
        assert!((v[0] - (p * (1.0 - p)).sqrt()).abs() < 1e-6 && v[1] < 0.0);
    }
}
