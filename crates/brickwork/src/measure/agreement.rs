//! Whether a model's answers agree with the labels of some images, and what would make them agree.

use std::collections::BTreeMap;

use brickwork_data::{ChannelOrder, Fit, Preprocess};
use schemars::JsonSchema;
use serde::Serialize;

use crate::images::select::top_class;
use crate::images::source::Source;
use crate::measure::statistics::{probability, wilson};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::percent::Percent;
use crate::model::progress::Progress;

/// How a model answered some labelled images.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Agreement {
    /// Images with a class of the model.
    pub images: usize,
    /// Share of them that were answered with their class.
    pub share: Percent,
    /// Its 95 % interval (Wilson 1927).
    pub interval: [Percent; 2],
    /// Share that guessing the most frequent class gets right.
    pub chance: Percent,
}

/// What a model's scores look like.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ScoreFacts {
    /// Images looked at.
    pub images: usize,
    /// Least logit.
    pub least: f32,
    /// Largest logit.
    pub largest: f32,
    /// Logits that are infinite or no numbers.
    pub not_finite: usize,
    /// Mean softmax of the answers.
    pub confidence: Percent,
    /// Images by answer.
    pub answers: BTreeMap<String, usize>,
}

/// Another preprocessing, and what it comes to on the same images.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Alternative {
    /// What it does otherwise, as options.
    pub change: String,
    /// Share of images that were answered with their class.
    pub share: Percent,
}

/// Labels and logits of some images.
pub(crate) struct Looked {
    rows: Vec<(Option<usize>, Vec<f32>)>,
}

impl Looked {
    /// Runs a model over the images at `places` of every data set.
    ///
    /// # Errors
    /// If an image cannot be read or the model cannot run.
    pub(crate) fn at(
        model: &Classifier,
        preprocess: &Preprocess,
        sources: &[Source],
        places: &[Vec<usize>],
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let mut scorer = model.scorer();
        let mut rows = Vec::new();
        for (source, indices) in sources.iter().zip(places) {
            source.for_each_batch(indices, model.batch_size(), preprocess, |indices, images| {
                let logits = scorer.logits(images)?;
                let found = logits.data().chunks(logits.shape()[1]).map(<[f32]>::to_vec);
                rows.extend(indices.iter().map(|&index| source.class(index)).zip(found));
                progress.advance(indices.len() as u64)?;
                Ok(())
            })?;
        }
        Ok(Self { rows })
    }

    /// What the scores look like.
    pub(crate) fn scores(&self, names: &[String]) -> ScoreFacts {
        let logits = || self.rows.iter().flat_map(|(_, row)| row.iter().copied());
        let mut answers = BTreeMap::new();
        let mut confidence = 0.0;
        for (_, row) in &self.rows {
            let top = top_class(row);
            *answers.entry(names[top].clone()).or_insert(0) += 1;
            confidence += probability(row, top) / self.rows.len() as f64;
        }
        ScoreFacts {
            images: self.rows.len(),
            least: logits().fold(f32::INFINITY, f32::min),
            largest: logits().fold(f32::NEG_INFINITY, f32::max),
            not_finite: logits().filter(|x| !x.is_finite()).count(),
            confidence: Percent::of(confidence),
            answers,
        }
    }

    /// How answers agree with labels, if there are any.
    pub(crate) fn agreement(&self) -> Option<Agreement> {
        let labelled = self.labelled();
        let right = labelled.iter().filter(|(label, answer)| label == answer).count();
        let mut counts = BTreeMap::new();
        labelled.iter().for_each(|(label, _)| *counts.entry(label).or_insert(0_usize) += 1);
        let most = *counts.values().max()?;
        Some(Agreement {
            images: labelled.len(),
            share: Percent::ratio(right as u64, labelled.len() as u64),
            interval: wilson(right, labelled.len()).map(Percent::of),
            chance: Percent::ratio(most as u64, labelled.len() as u64),
        })
    }

    fn labelled(&self) -> Vec<(usize, usize)> {
        let pair = |(label, row): &(Option<usize>, Vec<f32>)| Some(((*label)?, top_class(row)));
        self.rows.iter().filter_map(pair).collect()
    }

    /// For every labelled class the answer that most of its images got, if these are other classes, each
    /// once: the labels are then in another order than the scores.
    pub(crate) fn reordering(&self) -> Option<Vec<(usize, usize)>> {
        let labelled = self.labelled();
        let mut by_class: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
        for (label, answer) in &labelled {
            *by_class.entry(*label).or_default().entry(*answer).or_insert(0) += 1;
        }
        let mut pairs = Vec::new();
        for (label, answers) in by_class {
            let all: usize = answers.values().sum();
            let (answer, count) = answers.into_iter().max_by_key(|(_, count)| *count)?;
            if pairs.iter().any(|(_, taken)| *taken == answer) || 5 * count < 3 * all {
                return None;
            }
            pairs.push((label, answer));
        }
        let moved = pairs.iter().filter(|(label, answer)| label != answer).count();
        (moved > 1).then_some(pairs)
    }
}

/// A preprocessing, and its difference from another as options.
pub(crate) struct Prepared {
    pub(crate) change: String,
    pub(crate) preprocess: Preprocess,
}

/// Other ways to prepare images that people use: channels in another order, pixels scaled or not, the usual
/// means and standard deviations, fits.
pub(crate) fn alternatives(own: &Preprocess) -> Vec<Prepared> {
    let mut found = Vec::new();
    let mut add = |change: &str, preprocess: Preprocess| {
        if preprocess != *own {
            found.push(Prepared { change: change.to_owned(), preprocess });
        }
    };
    let normalised = |mean: &[f32], std: &[f32]| Preprocess {
        scale: None,
        mean: mean.to_vec(),
        std: std.to_vec(),
        ..own.clone()
    };
    if own.channels == 3 {
        let (order, change) = match own.order {
            ChannelOrder::Rgb => (ChannelOrder::Bgr, "`channel_order=bgr`"),
            ChannelOrder::Bgr => (ChannelOrder::Rgb, "`channel_order=rgb`"),
        };
        add(change, Preprocess { order, ..own.clone() });
        add(
            "`mean=0.485,0.456,0.406` `std=0.229,0.224,0.225`",
            normalised(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
        );
    }
    let plain = normalised(&[0.0], &[1.0]);
    add("`mean=0` `std=1` `scale=1`", Preprocess { scale: Some(1.0), ..plain.clone() });
    add("`mean=0` `std=1`", plain);
    add("`mean=0.5` `std=0.5`", normalised(&[0.5], &[0.5]));
    if own.fit != Fit::Exact {
        add("`fit=cover`", Preprocess { fit: Fit::Cover, ..own.clone() });
        add("`fit=stretch`", Preprocess { fit: Fit::Stretch, ..own.clone() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(rows: &[(usize, [f32; 3])]) -> Looked {
        Looked { rows: rows.iter().map(|(label, row)| (Some(*label), row.to_vec())).collect() }
    }

    #[test]
    fn an_order_is_seen_where_classes_change_places() {
        let turned = looked(&[
            (0, [0.0, 1.0, 0.0]),
            (1, [0.0, 0.0, 1.0]),
            (2, [1.0, 0.0, 0.0]),
            (2, [1.0, 0.0, 0.0]),
        ]);
        assert_eq!(turned.reordering(), Some(vec![(0, 1), (1, 2), (2, 0)]));
        let agreement = turned.agreement().expect("labels");
        assert_eq!([agreement.share, agreement.chance].map(Percent::share), [0.0, 0.5]);
        let right = looked(&[(0, [1.0, 0.0, 0.0]), (1, [0.0, 1.0, 0.0])]);
        assert_eq!(right.reordering(), None);
        let collapsed = looked(&[(0, [1.0, 0.0, 0.0]), (1, [1.0, 0.0, 0.0])]);
        assert_eq!(collapsed.reordering(), None);
        assert_eq!(Looked { rows: vec![(None, vec![0.0])] }.agreement(), None);
    }

    #[test]
    fn alternatives_differ_from_what_is_there() {
        let own = Preprocess::plain([4, 4], 3);
        let found = alternatives(&own);
        assert!(found.iter().all(|other| other.preprocess != own));
        assert!(found.iter().all(|other| other.preprocess.validate().is_ok()));
        assert!(found.iter().any(|other| other.change == "`channel_order=bgr`"));
        assert!(alternatives(&Preprocess::plain([4, 4], 1)).len() < found.len());
    }
}
