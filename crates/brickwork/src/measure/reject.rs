//! Telling images of no known class: a threshold below which a model's top score counts for nothing.

use brickwork_data::Preprocess;
use schemars::JsonSchema;
use serde::Serialize;

use crate::images::source::Source;
use crate::measure::scored::{Scored, foreign_of, share_from, sorted};
use crate::model::card::{Card, Reject};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::percent::Percent;
use crate::model::progress::Progress;

/// What a threshold is fitted to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RejectAt {
    /// At most this share of foreign images is accepted.
    FalseAccepts(f64),
    /// At least this share of own images is accepted.
    Recall(f64),
}

/// What a threshold does to images it was not fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rejection {
    /// The threshold.
    pub threshold: f32,
    /// Share of own images that are accepted.
    pub accepted: Percent,
    /// Share of own images that are accepted and classified correctly.
    pub accepted_and_right: Percent,
    /// Share of foreign images that are accepted, if there are any.
    pub false_accepts: Option<Percent>,
}

/// The model with a threshold fitted on labelled images; never give it test images.
///
/// # Errors
/// If there is no image of the model's classes, or no foreign one where their share is asked for.
pub fn fit_reject(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    at: RejectAt,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    let classes: Vec<usize> = (0..model.class_count()).collect();
    let own: Vec<_> = sources.iter().map(|source| source.samples_of(&classes)).collect();
    let foreign: Vec<_> = sources.iter().map(|source| foreign_of(source, &classes)).collect();
    let count = |lists: &[Vec<usize>]| lists.iter().map(Vec::len).sum::<usize>();
    if count(&own) == 0 {
        return Err(Error::options("the data has no image of the model's classes".to_owned()));
    }
    if count(&foreign) == 0 && matches!(at, RejectAt::FalseAccepts(_)) {
        return Err(Error::options(
            "the data has no image that is foreign to the model; give some (`foreign=`), or fit the \
             threshold to its own images alone (`recall=95%`)"
                .to_owned(),
        ));
    }
    progress.begin("scoring images", (count(&own) + count(&foreign)) as u64);
    let scored = Scored::of(model, preprocess, sources, [&own, &foreign], progress)?;
    let own: Vec<f32> = scored.own.iter().map(|(_, logits)| top(logits)).collect();
    let foreign: Vec<f32> = scored.foreign.iter().map(|logits| top(logits)).collect();
    let threshold = match at {
        RejectAt::FalseAccepts(share) => passed_by(&foreign, share),
        // One step down, so that the share itself is accepted.
        RejectAt::Recall(share) => fewer_than(&own, 1.0 - share).next_down(),
    };
    let reject = Reject {
        threshold,
        own_images: own.len(),
        foreign_images: foreign.len(),
        recall: above(&own, threshold),
        false_accepts: (!foreign.is_empty()).then(|| above(&foreign, threshold)),
    };
    model.with_card(Card { reject: Some(reject), ..model.card().clone() })
}

impl Rejection {
    pub(super) fn of(scored: &Scored, threshold: f32) -> Self {
        let own: Vec<f32> = scored.own.iter().map(|(_, logits)| top(logits)).collect();
        let right = scored.own.iter().filter(|(class, logits)| {
            top(logits) > threshold && crate::images::select::top_class(logits) == *class
        });
        let foreign: Vec<f32> = scored.foreign.iter().map(|logits| top(logits)).collect();
        Self {
            threshold,
            accepted: Percent::of(above(&own, threshold)),
            accepted_and_right: Percent::ratio(right.count() as u64, own.len() as u64),
            false_accepts: (!foreign.is_empty()).then(|| Percent::of(above(&foreign, threshold))),
        }
    }
}

fn top(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn above(scores: &[f32], threshold: f32) -> f64 {
    share_from(scores, |score| score > threshold)
}

/// The lowest score that at most `share` of the scores exceed.
fn passed_by(scores: &[f32], share: f64) -> f32 {
    let sorted = sorted(scores.iter().copied());
    let most = (share * sorted.len() as f64).floor() as usize;
    sorted[sorted.len() - 1 - most.min(sorted.len() - 1)]
}

/// The highest score that at most `share` of the scores stay below.
fn fewer_than(scores: &[f32], share: f64) -> f32 {
    let sorted = sorted(scores.iter().copied());
    // Shares such as 1 - 0.95 are not exact.
    sorted[((share * sorted.len() as f64 + 1e-9).floor() as usize).min(sorted.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_keep_to_their_shares() {
        let scores: Vec<f32> = (0..20).map(|k| ((k * 7) % 20) as f32).collect();
        assert_eq!(above(&scores, passed_by(&scores, 0.05)), 0.05);
        assert_eq!(above(&scores, passed_by(&scores, 0.0)), 0.0);
        assert_eq!(above(&scores, fewer_than(&scores, 1.0 - 0.95).next_down()), 0.95);
        // Equal scores are accepted or rejected together, never more than asked for.
        assert_eq!(above(&[1.0; 9], passed_by(&[1.0; 9], 0.5)), 0.0);
        assert_eq!(above(&[1.0; 9], fewer_than(&[1.0; 9], 0.5).next_down()), 1.0);
    }

    #[test]
    fn what_a_threshold_does_is_counted() {
        let scored = Scored {
            own: vec![(0, vec![3.0, 1.0]), (1, vec![2.0, 0.0]), (1, vec![0.0, 0.5])],
            foreign: vec![vec![0.0, 0.9], vec![1.5, 0.0]],
        };
        let found = Rejection::of(&scored, 1.0);
        let shares = [found.accepted, found.accepted_and_right].map(Percent::share);
        assert_eq!(shares, [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(found.false_accepts, Some(Percent::of(0.5)));
    }
}
