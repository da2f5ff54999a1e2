//! Measuring classifiers of which an image may be of several classes: how every class is told from all
//! other images, by rank and at a threshold.

use std::collections::BTreeMap;

use brickwork_data::Preprocess;
use schemars::JsonSchema;
use serde::Serialize;

use crate::images::source::Source;
use crate::measure::scored::share;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::percent::Percent;
use crate::model::progress::Progress;

/// How one class is told from all other images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct ClassRetrieval {
    /// Images that are labelled with it.
    pub images: usize,
    /// Average precision; none where no image is labelled with it.
    pub average_precision: Option<Percent>,
    /// Share of the images above the threshold that are labelled with it.
    pub precision: Percent,
    /// Share of the images labelled with it that are above the threshold.
    pub recall: Percent,
    /// Harmonic mean of precision and recall.
    pub f1: Percent,
}

/// The measurements of all classes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Retrieval {
    /// The probability above which an image counts as of a class.
    pub threshold: f64,
    /// Mean of the average precisions.
    pub mean_average_precision: Percent,
    /// Mean of the classes' F1, those without images left out.
    pub macro_f1: Percent,
    /// F1 of all decisions together.
    pub micro_f1: Percent,
    /// Share of the images for which every class is decided rightly.
    pub all_right: Percent,
    /// Every class.
    pub classes: BTreeMap<String, ClassRetrieval>,
}

/// Logits of all images, and what each is labelled with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decided {
    /// By image: one logit for every class.
    pub(crate) logits: Vec<Vec<f32>>,
    /// By image: the classes, rising.
    pub(crate) labels: Vec<Vec<usize>>,
}

impl Decided {
    /// Runs `model` over all images; images of none of its classes count as well.
    ///
    /// # Errors
    /// If an image cannot be read, or the model cannot run.
    pub(crate) fn of(
        model: &Classifier,
        preprocess: &Preprocess,
        sources: &[Source],
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let mut decided = Self::default();
        let mut scorer = model.scorer();
        for source in sources {
            let all: Vec<usize> = (0..source.dataset.len()).collect();
            source.for_each_batch(&all, model.batch_size(), preprocess, |indices, images| {
                let logits = scorer.logits(images)?;
                let rows = logits.data().chunks(logits.shape()[1]);
                for (&index, row) in indices.iter().zip(rows) {
                    decided.logits.push(row.to_vec());
                    decided.labels.push(source.classes_of(index));
                }
                progress.advance(indices.len() as u64)
            })?;
        }
        Ok(decided)
    }

    /// How many images.
    pub(crate) fn len(&self) -> usize {
        self.logits.len()
    }

    /// The measurements of `classes`, with these names by class, where an image is of a class if its
    /// probability is above `threshold`. The logit of class `k` is that at `places[k]`.
    pub(crate) fn retrieval(
        &self,
        classes: &[usize],
        names: &[String],
        threshold: f64,
        places: impl Fn(usize) -> usize,
    ) -> Retrieval {
        let limit = (threshold / (1.0 - threshold)).ln() as f32;
        let mut by_class = BTreeMap::new();
        let mut all = Counts::default();
        for &class in classes {
            let logits = self.logits.iter().map(|row| row[places(class)]);
            let truth = self.labels.iter().map(|labels| labels.contains(&class));
            let ranked: Vec<(f32, bool)> = logits.zip(truth).collect();
            let counts = Counts::of(&ranked, limit);
            all.add(&counts);
            by_class.insert(names[class].clone(), counts.retrieval(average_precision(&ranked)));
        }
        let right = |(row, labels): &(&Vec<f32>, &Vec<usize>)| {
            classes.iter().all(|&class| (row[places(class)] > limit) == labels.contains(&class))
        };
        let all_right = self.logits.iter().zip(&self.labels).filter(right).count();
        let seen = || by_class.values().filter(|class| class.images > 0);
        let mean = |of: &dyn Fn(&ClassRetrieval) -> Percent| {
            let sum: f64 = seen().map(|class| of(class).share()).sum();
            Percent::of(sum / seen().count().max(1) as f64)
        };
        Retrieval {
            threshold,
            mean_average_precision: mean(&|class| class.average_precision.unwrap_or_default()),
            macro_f1: mean(&|class| class.f1),
            micro_f1: all.f1(),
            all_right: Percent::of(share(all_right, self.len())),
            classes: by_class,
        }
    }
}

/// Decisions about a class, against its labels.
#[derive(Default)]
struct Counts {
    labelled: usize,
    above: usize,
    both: usize,
}

impl Counts {
    fn of(ranked: &[(f32, bool)], limit: f32) -> Self {
        let count = |test: &dyn Fn(&(f32, bool)) -> bool| ranked.iter().filter(|x| test(x)).count();
        Self {
            labelled: count(&|(_, labelled)| *labelled),
            above: count(&|(logit, _)| *logit > limit),
            both: count(&|(logit, labelled)| *labelled && *logit > limit),
        }
    }

    fn add(&mut self, other: &Self) {
        self.labelled += other.labelled;
        self.above += other.above;
        self.both += other.both;
    }

    /// `2 tp / (2 tp + fp + fn)`.
    fn f1(&self) -> Percent {
        Percent::of(share(2 * self.both, self.labelled + self.above))
    }

    fn retrieval(&self, average_precision: Option<f64>) -> ClassRetrieval {
        ClassRetrieval {
            images: self.labelled,
            average_precision: average_precision.map(Percent::of),
            precision: Percent::of(share(self.both, self.above)),
            recall: Percent::of(share(self.both, self.labelled)),
            f1: self.f1(),
        }
    }
}

/// Average precision: the sum over falling logits of precision times the step in recall, equal logits at
/// once (as scikit-learn's `average_precision_score`). `None` where nothing is labelled.
fn average_precision(ranked: &[(f32, bool)]) -> Option<f64> {
    let labelled = ranked.iter().filter(|(_, labelled)| *labelled).count();
    let mut sorted: Vec<&(f32, bool)> = ranked.iter().collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut seen, mut found, mut sum) = (0, 0, 0.0);
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let more = equal.iter().filter(|(_, labelled)| *labelled).count();
        seen += equal.len();
        found += more;
        sum += share(found, seen) * share(more, labelled);
    }
    (labelled > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_precision_is_that_of_scikit_learn() {
        // average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        let found = average_precision(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]);
        assert!((found.unwrap() - 0.833_333_333).abs() < 1e-6);
        // average_precision_score([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.1])
        let equal = average_precision(&[(0.5, true), (0.5, false), (0.5, true), (0.1, false)]);
        assert!((equal.unwrap() - 0.666_666_666).abs() < 1e-6);
        assert_eq!(average_precision(&[(1.0, false)]), None);
    }

    #[test]
    fn decisions_are_counted_by_class_and_together() {
        let decided = Decided {
            logits: vec![vec![1.0, -1.0], vec![1.0, 1.0], vec![-1.0, 1.0], vec![-1.0, -1.0]],
            labels: vec![vec![0], vec![0, 1], vec![0], vec![]],
        };
        let names = ["a", "b"].map(str::to_owned);
        let found = decided.retrieval(&[0, 1], &names, 0.5, |class| class);
        let [a, b] = [&found.classes["a"], &found.classes["b"]];
        assert_eq!((a.images, a.precision.share(), a.recall.share()), (3, 1.0, 2.0 / 3.0));
        assert_eq!((b.images, b.precision.share(), b.recall.share()), (1, 0.5, 1.0));
        assert!((a.f1.share() - 0.8).abs() < 1e-12 && (b.f1.share() - 2.0 / 3.0).abs() < 1e-12);
        assert!((found.micro_f1.share() - 0.75).abs() < 1e-12);
        assert_eq!(found.all_right.share(), 0.75);
        let strict = decided.retrieval(&[0, 1], &names, 0.9, |class| class);
        assert_eq!((strict.micro_f1.share(), strict.all_right.share()), (0.0, 0.25));
    }
}
