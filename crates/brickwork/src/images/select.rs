//! Which samples a profile is made of: per class, the most confident correctly classified ones.

use std::collections::BTreeMap;

use brickwork_data::Preprocess;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::progress::Progress;

/// How many samples of a class are taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// This many of the most confident correctly classified ones.
    Count(usize),
    /// This percentage of the class's samples, rounded up: the most confident correctly classified.
    Percent(f64),
    /// Every labelled sample, classified right or wrong.
    All,
}

impl std::str::FromStr for Sampling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a count such as 50, a percentage such as 1%, or all".to_owned();
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(number) = text.strip_suffix('%') {
            let percent = number.trim().parse::<f64>().map_err(|_| wrong())?;
            return (percent > 0.0 && percent <= 100.0)
                .then_some(Self::Percent(percent))
                .ok_or_else(wrong);
        }
        let count = text.parse::<usize>().map_err(|_| wrong())?;
        (count > 0).then_some(Self::Count(count)).ok_or_else(wrong)
    }
}

/// One sample and how sure the model is of its label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which data set it is from.
    pub data: String,
    /// Its place there, in the data set as it was opened.
    pub index: usize,
    /// `z_y - log sum exp(z_other)`, which unlike a softmax never saturates; infinite where the model has a
    /// single class, and `z_y` where classes do not exclude each other.
    #[serde(with = "crate::model::text::number")]
    pub margin: f32,
}

/// The samples of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassSamples {
    /// The model's class.
    pub class: usize,
    /// Samples of this class in the data.
    pub seen: usize,
    /// How many of them the model classifies correctly.
    pub correct: usize,
    /// Those taken, most confident first; empty where all were.
    pub taken: Vec<Sample>,
    /// Where all were taken: their places, by data set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub all: BTreeMap<String, Vec<usize>>,
}

/// The margin of class `y` among logits: `z_y - log sum exp(z_other)`; infinite for a single class.
pub fn margin(logits: &[f32], y: usize) -> f32 {
    let others = || logits.iter().enumerate().filter(|(k, _)| *k != y).map(|(_, &z)| f64::from(z));
    let top = others().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return f32::INFINITY;
    }
    let sum: f64 = others().map(|z| (z - top).exp()).sum();
    (f64::from(logits[y]) - top - sum.ln()) as f32
}

/// Whether logits say that an image is of `class`: it is the highest, or, where classes do not exclude each
/// other, above 0.
fn is_right(head: HeadKind, logits: &[f32], class: usize) -> bool {
    match head {
        HeadKind::Multilabel => logits[class] > 0.0,
        HeadKind::Single | HeadKind::Binary => top_class(logits) == class,
    }
}

/// The class with the highest score; the first of equals.
pub fn top_class(logits: &[f32]) -> usize {
    let mut best = 0;
    for (k, &z) in logits.iter().enumerate() {
        if z > logits[best] {
            best = k;
        }
    }
    best
}

/// Orders samples by falling margin; ties by data set, in the order given, then by index.
pub(crate) fn most_confident_first(samples: &mut [Sample], data: &[String]) {
    let rank = |sample: &Sample| data.iter().position(|name| *name == sample.data);
    samples.sort_by(|a, b| {
        b.margin.total_cmp(&a.margin).then(rank(a).cmp(&rank(b))).then(a.index.cmp(&b.index))
    });
}

/// Chooses the samples of every class in `classes`.
///
/// # Errors
/// If a class has no sample to take (all such classes are named), or the model cannot run.
pub fn select(
    classifier: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    classes: &[usize],
    sampling: Sampling,
    progress: &dyn Progress,
) -> Result<Vec<ClassSamples>, Error> {
    let found = ranked(classifier, preprocess, sources, classes, sampling, progress)?;
    refuse_empty(&classifier.class_names(), &found, sampling)?;
    Ok(found)
}

/// [`select`], where a class may have no sample to take.
pub(crate) fn ranked(
    classifier: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    classes: &[usize],
    sampling: Sampling,
    progress: &dyn Progress,
) -> Result<Vec<ClassSamples>, Error> {
    let mut found: Vec<ClassSamples> =
        classes.iter().map(|&class| ClassSamples { class, ..ClassSamples::default() }).collect();
    let jobs: Vec<Vec<usize>> = sources.iter().map(|source| source.samples_of(classes)).collect();
    progress.begin("scoring samples", jobs.iter().map(|job| job.len() as u64).sum());
    let mut scorer = classifier.scorer();
    for (source, job) in sources.iter().zip(&jobs) {
        source.for_each_batch(job, classifier.batch_size(), preprocess, |indices, images| {
            let logits = scorer.logits(images)?;
            for (&index, row) in indices.iter().zip(logits.data().chunks(logits.shape()[1])) {
                let Some(class) = source.class(index) else { continue };
                let Some(entry) = found.iter_mut().find(|entry| entry.class == class) else {
                    continue;
                };
                entry.seen += 1;
                if is_right(classifier.head(), row, class) {
                    entry.correct += 1;
                    let margin = match classifier.head() {
                        HeadKind::Multilabel => row[class],
                        HeadKind::Single | HeadKind::Binary => margin(row, class),
                    };
                    let data = source.name.clone();
                    let index = source.dataset.origin(index);
                    entry.taken.push(Sample { data, index, margin });
                }
            }
            progress.advance(indices.len() as u64)?;
            Ok(())
        })?;
    }
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    for entry in &mut found {
        most_confident_first(&mut entry.taken, &names);
        match sampling {
            Sampling::Count(count) => entry.taken.truncate(count),
            Sampling::Percent(percent) => {
                entry.taken.truncate((entry.seen as f64 * percent / 100.0).ceil() as usize);
            }
            Sampling::All => entry.taken.clear(),
        }
    }
    Ok(found)
}

/// That every class has samples, which are called `names`.
///
/// # Errors
/// If one has none: all such classes are named.
pub(crate) fn refuse_empty(
    names: &[String],
    found: &[ClassSamples],
    sampling: Sampling,
) -> Result<(), Error> {
    let all = sampling == Sampling::All;
    let is_lost =
        |entry: &&ClassSamples| if all { entry.seen == 0 } else { entry.taken.is_empty() };
    let told = |entry: &ClassSamples| match all {
        true => names[entry.class].clone(),
        false => {
            format!("{} ({} samples, {} correct)", names[entry.class], entry.seen, entry.correct)
        }
    };
    let lost: Vec<String> = found.iter().filter(is_lost).map(told).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let lost = lost.join(", ");
    Err(Error::profile(match all {
        true => format!(
            "the data has no sample of: {lost}; leave these classes out (`classes=`) or give more data"
        ),
        false => format!(
            "no sample to take for: {lost}; leave these classes out (`classes=`), give more data, check the \
             preprocessing, or take every labelled sample (`samples=all`)"
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_do_not_saturate() {
        assert!((margin(&[100.0, 0.0, 0.0], 0) - (100.0 - 2f32.ln())).abs() < 1e-4);
        assert!(margin(&[0.0, 5.0], 0) < 0.0);
        assert_eq!(margin(&[1.0], 0), f32::INFINITY);
    }

    #[test]
    fn sampling_is_read_from_words() {
        assert_eq!("50".parse(), Ok(Sampling::Count(50)));
        assert_eq!("1.5%".parse(), Ok(Sampling::Percent(1.5)));
        assert_eq!("all".parse(), Ok(Sampling::All));
        for wrong in ["0", "-1", "0%", "101%", "some", "%"] {
            assert!(wrong.parse::<Sampling>().unwrap_err().contains("expected"));
        }
    }

    #[test]
    fn ties_go_by_data_then_index() {
        let sample = |data: &str, index, margin| Sample { data: data.to_owned(), index, margin };
        let mut list =
            [sample("b", 0, 1.0), sample("a", 9, 1.0), sample("a", 2, 1.0), sample("b", 5, 3.0)];
        most_confident_first(&mut list, &["a".to_owned(), "b".to_owned()]);
        assert_eq!(
            list.map(|s| (s.data, s.index)).map(|(d, i)| format!("{d}{i}")),
            ["b5", "a2", "a9", "b0"]
        );
    }
}
