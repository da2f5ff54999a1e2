//! Loss and accuracy of a classifier.

use brickwork_data::Preprocess;
use brickwork_exec::cross_entropy;
use schemars::JsonSchema;
use serde::Serialize;

use super::objective::broken;
use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
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

/// Mean cross-entropy and accuracy of `model` on the samples of `source` that have a class.
///
/// # Errors
/// If an image cannot be read or the network cannot run.
pub fn score(
    model: &Classifier,
    source: &Source,
    preprocess: &Preprocess,
    progress: &dyn Progress,
) -> Result<Score, Error> {
    let samples: Vec<usize> =
        (0..source.dataset.len()).filter(|&index| source.class(index).is_some()).collect();
    if samples.is_empty() {
        return Err(Error::options(format!(
            "`{}` has no sample of the model's classes",
            source.name
        )));
    }
    progress.begin("measuring", samples.len() as u64);
    let mut scorer = model.scorer();
    let (mut loss, mut correct) = (0.0, 0);
    source.for_each_batch(&samples, model.batch_size(), preprocess, |indices, images| {
        let logits = scorer.logits(images)?;
        let labels: Vec<usize> = indices.iter().filter_map(|&index| source.class(index)).collect();
        let mut unused = vec![0.0; logits.data().len()];
        let mean = cross_entropy(logits.data(), &labels, 0.0, &mut unused).map_err(broken)?;
        loss += mean * labels.len() as f64;
        correct += brickwork_exec::correct(logits.data(), &labels).map_err(broken)?;
        progress.advance(labels.len() as u64)?;
        Ok(())
    })?;
    let count = samples.len() as f64;
    Ok(Score { loss: loss / count, accuracy: Percent::of(correct as f64 / count) })
}
