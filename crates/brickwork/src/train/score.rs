//! Loss and accuracy of a classifier.

use brickwork_data::Preprocess;
use schemars::JsonSchema;
use serde::Serialize;

use super::objective::{Labels, broken};
use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::percent::Percent;
use crate::model::progress::Progress;

/// Loss and accuracy over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Score {
    /// Mean loss per sample.
    pub loss: f64,
    /// Share of samples classified correctly.
    pub accuracy: Percent,
}

/// The samples that say something to a model: those that have a class, or all where an image may be of any number of them.
pub(super) fn scored(model: &Classifier, source: &Source) -> Vec<usize> {
    let several = model.head() == HeadKind::Multilabel;
    let counts = |index: &usize| several || source.class(*index).is_some();
    (0..source.dataset.len()).filter(counts).collect()
}

/// Mean cross-entropy and accuracy of `model` on the samples of `source` that have a class. Where an image may be of
/// several, the binary cross-entropy of all samples, and the share of those of which every class is decided rightly.
///
/// # Errors
/// If an image cannot be read or the network cannot run.
pub fn score(
    model: &Classifier,
    source: &Source,
    preprocess: &Preprocess,
    progress: &dyn Progress,
) -> Result<Score, Error> {
    let samples = scored(model, source);
    if samples.is_empty() {
        return Err(Error::options(format!(
            "`{}` has no sample of the model's classes",
            source.name
        )));
    }
    progress.begin("measuring", samples.len() as u64);
    let towards = Labels { smoothing: 0.0, head: model.head() };
    let mut scorer = model.scorer();
    let (mut loss, mut correct) = (0.0, 0);
    source.for_each_batch(&samples, model.batch_size(), preprocess, |indices, images| {
        let logits = scorer.logits(images)?;
        let labels: Vec<Vec<usize>> = indices.iter().map(|&k| source.classes_of(k)).collect();
        let mut unused = vec![0.0; logits.data().len()];
        let (mean, right) =
            towards.of_scores(logits.data(), &labels, &mut unused).map_err(broken)?;
        loss += mean * labels.len() as f64;
        correct += right;
        progress.advance(labels.len() as u64)?;
        Ok(())
    })?;
    let count = samples.len() as f64;
    Ok(Score { loss: loss / count, accuracy: Percent::of(correct as f64 / count) })
}
