//! What a component's scores look like on images, in a few numbers: enough to calibrate it beside
//! others when no image is at hand.

use std::collections::BTreeSet;

use brickwork_data::Preprocess;
use brickwork_tensor::Tensor;

use crate::images::source::Source;
use crate::model::card::{Card, Moments};
use crate::model::classifier::Classifier;
use crate::model::error::Error;

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
    let Some(origin) = &component.card().origin else { return Ok(component.clone()) };
    let seen = |class: &usize| sources.iter().any(|s| !s.samples_of(&[*class]).is_empty());
    // How many classes the source has is only what the card says: the data's are counted.
    let known: BTreeSet<usize> =
        sources.iter().flat_map(|s| s.class_of.iter().flatten()).copied().collect();
    let others: Vec<usize> = known
        .into_iter()
        .filter(|class| *class < origin.of && !origin.classes.contains(class) && seen(class))
        .collect();
    if !origin.classes.iter().all(seen) {
        return Ok(component.clone());
    }
    let logits = |classes: &[usize]| -> Result<Vec<Tensor>, Error> {
        let each = (ALL / classes.len().max(1)).clamp(1, EACH);
        let of = |&class| logits(component, preprocess, sources, class, each, seed);
        classes.iter().map(of).collect()
    };
    let (own, foreign) = (logits(&origin.classes)?, logits(&others)?);
    let moments = Some(Moments::of(component.fingerprint(), &own, &foreign));
    component.with_card(Card { moments, ..component.card().clone() })
}

impl Moments {
    /// Of logits `[images, classes]`, class by class.
    pub(crate) fn of(fingerprint: String, own: &[Tensor], foreign: &[Tensor]) -> Self {
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
}

/// Logits `[images, classes]` of at most so many images of one class, drawn by a seed.
fn logits(
    component: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    class: usize,
    each: usize,
    seed: u64,
) -> Result<Tensor, Error> {
    let mut scorer = component.scorer();
    let (mut rows, mut left) = (Vec::new(), each);
    for source in sources {
        let indices = source.some_of(class, left, seed);
        left -= indices.len();
        source.for_each_batch(&indices, component.batch_size(), preprocess, |_, images| {
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::join::calibrate::normal::Normal;

    #[test]
    fn draws_have_the_moments_they_are_drawn_from() {
        // Three numbers of which the third is the sum of the others: a covariance of rank two.
        let rows = crate::model::random::uniform([400, 2], -1.0, 2.0, 5);
        let data = rows.data().chunks(2).flat_map(|r| [r[0], 3.0 * r[1], r[0] + 3.0 * r[1]]);
        let logits = Tensor::new([400, 3], data.collect());
        let moments = Moments::of(String::new(), &vec![logits.clone(); 3], &[logits]);
        assert!(moments.fit(3) && !moments.fit(2));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for normal in [Normal::of_class(&moments, 1), Normal::of_foreign(&moments).unwrap()] {
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
            (0..30).map(|class| crate::model::random::uniform([4, 30], -1.0, 1.0, class)).collect();
        let moments = Moments::of(String::new(), &own, &[]);
        assert_eq!((moments.covariances.len(), moments.own_images), (1, 120));
        assert!(moments.fit(30) && moments.foreign_mean.is_empty());
    }
}
