//! What the parts of an assembled model say of calibration images.

use brickwork_data::Preprocess;
use brickwork_formats::fingerprint;
use brickwork_tensor::Tensor;

use super::correction;
use super::factors::raw_logits;
use crate::files::cache::Cache;
use crate::images::image_set::ImageSet;
use crate::images::select::top_class;
use crate::images::source::Source;
use crate::model::card::{OnDuplicate, Part};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;

/// The parts' logits on calibration images, and the truth.
pub(super) struct Scores {
    /// `[images, logits]`, part by part, uncalibrated.
    pub(super) logits: Tensor,
    /// The true logit of every image.
    pub(super) truth: Vec<usize>,
    /// The part of every logit.
    pub(super) part: Vec<usize>,
    /// The score of the model that every logit goes to.
    pub(super) place: Vec<usize>,
    /// How logits of one score were joined.
    pub(super) joined: Option<OnDuplicate>,
    /// Class of every logit.
    pub(super) names: Vec<String>,
    /// `[images, features]`: what the correction reads, if the model has one.
    pub(super) features: Tensor,
}

impl Scores {
    /// Of no image yet.
    pub(super) fn empty(model: &Classifier) -> Self {
        let parts = &model.card().parts;
        let each = parts.iter().enumerate();
        let part: Vec<usize> = each.flat_map(|(k, part)| vec![k; part.logits.len()]).collect();
        Self {
            logits: Tensor::new([0, part.len()], Vec::new()),
            truth: Vec::new(),
            part,
            place: parts.iter().flat_map(|part| part.logits.iter().copied()).collect(),
            joined: model.card().joined,
            names: parts.iter().flat_map(|part| part.classes.iter().cloned()).collect(),
            features: Tensor::new([0, 0], Vec::new()),
        }
    }

    /// The logit that images of a class are judged by: the first part's, where several have it.
    pub(super) fn logit_of(&self, class: usize) -> usize {
        self.place.iter().position(|&place| place == class).unwrap_or(0)
    }

    /// The same of some of the images.
    pub(super) fn of(&self, rows: &[usize]) -> Self {
        Self {
            logits: self.logits.take(0, rows),
            truth: rows.iter().map(|&row| self.truth[row]).collect(),
            part: self.part.clone(),
            place: self.place.clone(),
            joined: self.joined,
            names: self.names.clone(),
            features: self.features.take(0, rows),
        }
    }

    /// Share of the images whose true logit is the highest, after `change(place, logit)`.
    pub(super) fn right(&self, change: impl Fn(usize, f32) -> f32) -> f64 {
        let rows = self.logits.data().chunks(self.part.len()).zip(&self.truth);
        let right = rows.filter(|(row, truth)| {
            let changed: Vec<f32> = row.iter().enumerate().map(|(k, &z)| change(k, z)).collect();
            top_class(&changed) == **truth
        });
        right.count() as f64 / self.truth.len() as f64
    }
}

/// Runs the parts' raw logits over every image of the model's classes. What was computed before is taken from the
/// `cache`, and what is computed now is kept there, batch by batch.
pub(super) fn collect(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    cache: Option<&Cache>,
    progress: &dyn Progress,
) -> Result<Scores, Error> {
    let parts = &model.card().parts;
    let all: Vec<usize> = (0..model.class_count()).collect();
    let jobs: Vec<Vec<usize>> = sources.iter().map(|source| source.samples_of(&all)).collect();
    let count: usize = jobs.iter().map(Vec::len).sum();
    if count == 0 {
        return Err(Error::options("the data has no image of the model's classes".to_owned()));
    }
    refuse_unseen_parts(parts, sources)?;
    progress.begin("scoring calibration images", count as u64);
    let fetches: Vec<_> =
        [raw_logits(model)?].into_iter().chain(correction::features(model)).collect();
    let mut session = model.session(&fetches);
    let width = Scores::empty(model).part.len();
    let ground = format!("scores of {} {fetches:?}", fingerprint(model.graph()));
    let (mut logits, mut features, mut truth) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken = 0;
    for (source, job) in sources.iter().zip(&jobs) {
        source.for_each_batch(job, model.batch_size(), preprocess, |indices, images| {
            let mut work = || {
                let found = session.outputs(indices.len(), images.data())?;
                Ok(found.into_iter().flat_map(Tensor::into_data).collect())
            };
            let found = match cache {
                None => work()?,
                Some(cache) => {
                    let key = format!("{ground}\n{}", ImageSet::from(images.clone()).digest()?);
                    let (found, kept) = cache.numbers_or(&key, work, progress)?;
                    taken += if kept { indices.len() } else { 0 };
                    found
                }
            };
            let (own, read) = found.split_at(indices.len() * width);
            logits.extend_from_slice(own);
            features.extend_from_slice(read);
            truth.extend(indices.iter().filter_map(|&index| source.class(index)));
            progress.advance(indices.len() as u64)?;
            Ok(())
        })?;
    }
    if let Some(cache) = cache.filter(|_| taken > 0) {
        let folder = cache.folder().display();
        progress.detail(&format!("scores of {taken} images: from {folder}"));
    }
    let empty = Scores::empty(model);
    let truth = truth.into_iter().map(|class| empty.logit_of(class)).collect();
    let logits = Tensor::new([count, empty.part.len()], logits);
    let features = Tensor::new([count, features.len() / count], features);
    Ok(Scores { logits, truth, features, ..empty })
}

/// Parts can only be made comparable if there are images of each.
fn refuse_unseen_parts(parts: &[Part], sources: &[Source]) -> Result<(), Error> {
    let unseen =
        |part: &&Part| sources.iter().all(|source| source.samples_of(&part.logits).is_empty());
    let lost: Vec<String> = parts
        .iter()
        .filter(unseen)
        .map(|part| format!("`{}` (classes {})", part.name, part.classes.join(", ")))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Error::options(format!(
        "the data has no image of part {}; give images of every part (`data=NAME=PATH` for each)",
        lost.join(", ")
    )))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn two_parts(first: f32, second: f32) -> Scores {
        // Part 0 scores large, part 1 small; each is right about its own images.
        let mut logits = Vec::new();
        let mut truth = Vec::new();
        for k in 0..40 {
            let own = k % 4;
            let noise = |c: usize| ((k * 13 + c * 7) % 5) as f32 * 0.05;
            for c in 0..4 {
                let size = if c < 2 { first } else { second };
                logits.push(size * (if c == own { 1.0 } else { 0.2 } + noise(c)));
            }
            truth.push(own);
        }
        Scores {
            logits: Tensor::new([40, 4], logits),
            truth,
            part: vec![0, 0, 1, 1],
            place: vec![0, 1, 2, 3],
            joined: None,
            names: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            features: Tensor::new([40, 0], Vec::new()),
        }
    }
}
