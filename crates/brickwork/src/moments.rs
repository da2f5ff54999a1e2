//! What a component's scores look like on images, in a few numbers: enough to calibrate it beside
//! others when no image is at hand.

use brickwork_data::Preprocess;
use brickwork_formats::onnx::{self, ReadOptions};
use brickwork_tensor::Tensor;
use faer::{Mat, Side};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::batching::batch_size;
use crate::card::Card;
use crate::classifier::Classifier;
use crate::error::Error;
use crate::source::Source;

/// Images of a class that are looked at, at most.
const EACH: usize = 100;

/// Images of own classes that are looked at, and of others, at most.
const ALL: usize = 2000;

/// Up to so many classes, each has a covariance of its own; more share one.
const OWN_COVARIANCES: usize = 20;

/// The component with the moments of its scores in its card, measured on images of its source's
/// classes, at random: at most 100 of each, and 2,000 of its own and of all other classes. As it was
/// where one of its own has no image.
///
/// # Errors
/// If an image cannot be read or the component cannot run.
pub fn with_moments(
    component: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    seed: u64,
) -> Result<Classifier, Error> {
    let Some(origin) = &component.card.origin else { return Ok(component.clone()) };
    let seen = |class: &usize| sources.iter().any(|s| !s.samples_of(&[*class]).is_empty());
    let others: Vec<usize> =
        (0..origin.of).filter(|class| !origin.classes.contains(class) && seen(class)).collect();
    if !origin.classes.iter().all(seen) {
        return Ok(component.clone());
    }
    let logits = |classes: &[usize]| -> Result<Vec<Tensor>, Error> {
        let each = (ALL / classes.len().max(1)).clamp(1, EACH);
        let of = |&class| logits(component, preprocess, sources, class, (each, seed));
        classes.iter().map(of).collect()
    };
    let (own, foreign) = (logits(&origin.classes)?, logits(&others)?);
    // As it is read from its file, which may order its values anew.
    let stored = onnx::decode(&onnx::encode(&component.graph)?, None, &ReadOptions::default())?;
    let stored = Classifier::new(component.name.clone(), stored)?;
    let moments = Some(Moments::of(stored.fingerprint(), &own, &foreign));
    stored.with_card(Card { moments, ..component.card.clone() })
}

/// Means and covariances of a component's logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Fingerprint of the network they are of; of any other they say nothing.
    pub fingerprint: String,
    /// Images of its own classes.
    pub own_images: usize,
    /// Images of other classes.
    pub foreign_images: usize,
    /// For every class of the component, the mean logits of its images.
    pub means: Vec<Vec<f32>>,
    /// The covariance of the logits for every class, or one for all: upper triangles, row by row.
    pub covariances: Vec<Vec<f32>>,
    /// The mean logits of images of other classes, if there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_mean: Vec<f32>,
    /// Their covariance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_covariance: Vec<f32>,
}

impl Moments {
    /// Of logits `[images, classes]`, class by class.
    fn of(fingerprint: String, own: &[Tensor], foreign: &[Tensor]) -> Self {
        let images = |all: &[Tensor]| all.iter().map(|logits| logits.shape()[0]).sum();
        let spreads: Vec<Vec<f32>> =
            own.iter().map(|logits| covariance(logits, &mean(logits))).collect();
        let pooled = |spreads: &[Vec<f32>]| {
            let share = 1.0 / spreads.len() as f32;
            (0..spreads[0].len())
                .map(|k| spreads.iter().map(|s| s[k]).sum::<f32>() * share)
                .collect()
        };
        let mut moments = Self {
            fingerprint,
            own_images: images(own),
            foreign_images: images(foreign),
            means: own.iter().map(mean).collect(),
            covariances: if own.len() > OWN_COVARIANCES { vec![pooled(&spreads)] } else { spreads },
            foreign_mean: Vec::new(),
            foreign_covariance: Vec::new(),
        };
        if moments.foreign_images > 0 {
            let foreign = Tensor::concat(&foreign.iter().collect::<Vec<_>>(), 0);
            moments.foreign_mean = mean(&foreign);
            moments.foreign_covariance = covariance(&foreign, &moments.foreign_mean);
        }
        moments
    }

    /// Whether there is one mean and covariance for each of `classes`, of so many logits.
    pub(crate) fn fit(&self, classes: usize) -> bool {
        let triangle = classes * (classes + 1) / 2;
        let foreign = (self.foreign_mean.len(), self.foreign_covariance.len());
        self.means.len() == classes
            && [1, classes].contains(&self.covariances.len())
            && self.means.iter().all(|mean| mean.len() == classes)
            && self.covariances.iter().all(|spread| spread.len() == triangle)
            && [(0, 0), (classes, triangle)].contains(&foreign)
    }

    /// What logits on images of a class are drawn from.
    pub(crate) fn normal(&self, class: usize) -> Normal {
        let spread = self.covariances.get(class).unwrap_or(&self.covariances[0]);
        Normal::new(&self.means[class], spread)
    }

    /// What logits on images of other classes are drawn from.
    pub(crate) fn foreign(&self) -> Option<Normal> {
        (!self.foreign_mean.is_empty())
            .then(|| Normal::new(&self.foreign_mean, &self.foreign_covariance))
    }
}

/// Logits `[images, classes]` of at most so many images of one class, drawn by a seed.
fn logits(
    component: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    class: usize,
    (each, seed): (usize, u64),
) -> Result<Tensor, Error> {
    let mut scorer = component.scorer();
    let (mut rows, mut left) = (Vec::new(), each);
    for source in sources {
        let indices = source.some_of(class, left, seed);
        left -= indices.len();
        source.for_each_batch(&indices, batch_size(component), preprocess, |_, images| {
            rows.extend(scorer.logits(images)?.into_data());
            Ok(())
        })?;
    }
    Ok(Tensor::new([each - left, component.class_count()], rows))
}

fn mean(logits: &Tensor) -> Vec<f32> {
    let [n, k] = [logits.shape()[0], logits.shape()[1]];
    let column = |class: usize| logits.data().iter().skip(class).step_by(k);
    let total = |class: usize| column(class).map(|&z| f64::from(z)).sum::<f64>();
    (0..k).map(|class| (total(class) / n as f64) as f32).collect()
}

/// The upper triangle of the covariance, row by row.
fn covariance(logits: &Tensor, mean: &[f32]) -> Vec<f32> {
    let [n, k] = [logits.shape()[0], logits.shape()[1]];
    let off = |row: usize, class: usize| f64::from(logits.data()[row * k + class] - mean[class]);
    let pair = |a, b| (0..n).map(|row| off(row, a) * off(row, b)).sum::<f64>() / n as f64;
    (0..k).flat_map(|a| (a..k).map(move |b| (a, b))).map(|(a, b)| pair(a, b) as f32).collect()
}

/// A normal distribution of several numbers.
pub(crate) struct Normal {
    mean: Vec<f64>,
    /// A square root of the covariance.
    root: Mat<f64>,
}

impl Normal {
    fn new(mean: &[f32], triangle: &[f32]) -> Self {
        let k = mean.len();
        let place = |a: usize, b: usize| a * k - a * (a + 1) / 2 + b;
        let spread = Mat::from_fn(k, k, |a, b| f64::from(triangle[place(a.min(b), a.max(b))]));
        let mean = mean.iter().map(|&z| f64::from(z)).collect();
        let root = match spread.self_adjoint_eigen(Side::Lower) {
            // Rounding may leave values a little below zero.
            Ok(found) => {
                let size = |c: usize| found.S().column_vector()[c].max(0.0).sqrt();
                Mat::from_fn(k, k, |r, c| found.U()[(r, c)] * size(c))
            }
            Err(_) => Mat::zeros(k, k),
        };
        Self { mean, root }
    }

    /// One draw.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Vec<f32> {
        let k = self.mean.len();
        let noise: Vec<f64> = (0..k).map(|_| standard(rng)).collect();
        let moved = |r: usize| (0..k).map(|c| self.root[(r, c)] * noise[c]).sum::<f64>();
        (0..k).map(|r| (self.mean[r] + moved(r)) as f32).collect()
    }
}

/// A standard normal number (Box and Muller 1958).
fn standard(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(0.0..1.0), rng.random_range(0.0..1.0));
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn draws_have_the_moments_they_are_drawn_from() {
        // Three numbers of which the third is the sum of the others: a covariance of rank two.
        let rows = crate::random::uniform([400, 2], -1.0, 2.0, 5);
        let data = rows.data().chunks(2).flat_map(|r| [r[0], 3.0 * r[1], r[0] + 3.0 * r[1]]);
        let logits = Tensor::new([400, 3], data.collect());
        let moments = Moments::of(String::new(), &vec![logits.clone(); 3], &[logits]);
        assert!(moments.fit(3) && !moments.fit(2));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for normal in [moments.normal(1), moments.foreign().unwrap()] {
            let drawn = (0..20_000).flat_map(|_| normal.draw(&mut rng)).collect();
            let drawn = Tensor::new([20_000, 3], drawn);
            let found = (mean(&drawn), covariance(&drawn, &mean(&drawn)));
            let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.25);
            assert!(close(&found.0, &moments.means[1]), "{found:?}");
            assert!(close(&found.1, &moments.covariances[1]), "{found:?} {moments:?}");
        }
    }

    #[test]
    fn many_classes_share_a_covariance() {
        let own: Vec<Tensor> =
            (0..30).map(|class| crate::random::uniform([4, 30], -1.0, 1.0, class)).collect();
        let moments = Moments::of(String::new(), &own, &[]);
        assert_eq!((moments.covariances.len(), moments.own_images), (1, 120));
        assert!(moments.fit(30) && moments.foreign().is_none());
    }
}
