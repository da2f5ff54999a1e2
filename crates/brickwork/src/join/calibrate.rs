//! Making the logits of an assembled model's parts comparable, without training: a factor and a
//! shift for every logit, and at will a linear correction, from calibration images of all parts.

mod affine;
mod correction;
mod drawn;
mod layerwise;
mod linear;
pub(crate) mod normal;
mod paper;
mod trials;

use std::sync::Arc;

use brickwork_data::Preprocess;
use brickwork_graph::Patch;
use brickwork_tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::images::select::top_class;
use crate::images::source::Source;
use crate::join::branches::{SCALE, SHIFT};
use crate::model::batching::batch_size;
use crate::model::card::{CalibrationNote, Card, OnDuplicate, Part};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;
use affine::{affine, hold};
pub(crate) use correction::CORRECTION;
pub use drawn::calibrate_from_moments;
use layerwise::layerwise;
use linear::{Form, linear};
use paper::paper;
use trials::few_words;

/// How to calibrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Factors and shifts back to 1 and 0.
    None,
    /// The published head scaling: every class's logit times 1 over the mean of its winning logits on
    /// images its own part classifies correctly.
    Paper,
    /// The paper's layer-wise equations 12 to 14: every output of every layer times the mean
    /// activation of all parts' outputs over its own.
    Layerwise,
    /// A temperature per part and a bias per class that minimise the cross-entropy over all classes.
    Affine,
    /// As affine, and for every part a number added to all its logits: a linear map of its own last
    /// features and logits, which learns from the other parts' images what is not the part's.
    Background,
    /// As affine, and for every class a number added to its logits: a linear map of all parts' last
    /// features and logits (5 images of a class or more).
    Linear,
}

impl Method {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Paper => "paper",
            Self::Layerwise => "layerwise",
            Self::Affine => "affine",
            Self::Background => "background",
            Self::Linear => "linear",
        }
    }
}

/// The parts' logits on calibration images, and the truth.
struct Scores {
    /// `[images, logits]`, part by part, uncalibrated.
    logits: Tensor,
    /// The true logit of every image.
    truth: Vec<usize>,
    /// The part of every logit.
    part: Vec<usize>,
    /// The score of the model that every logit goes to.
    place: Vec<usize>,
    /// How logits of one score were joined.
    joined: Option<OnDuplicate>,
    /// Class of every logit.
    names: Vec<String>,
    /// `[images, features]`: what the correction reads, if the model has one.
    features: Tensor,
}

impl Scores {
    /// Of no image yet.
    fn empty(model: &Classifier) -> Self {
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
    fn logit_of(&self, class: usize) -> usize {
        self.place.iter().position(|&place| place == class).unwrap_or(0)
    }

    /// The same of some of the images.
    fn of(&self, rows: &[usize]) -> Self {
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
    fn right(&self, change: impl Fn(usize, f32) -> f32) -> f64 {
        let rows = self.logits.data().chunks(self.part.len()).zip(&self.truth);
        let right = rows.filter(|(row, truth)| {
            let changed: Vec<f32> = row.iter().enumerate().map(|(k, &z)| change(k, z)).collect();
            top_class(&changed) == **truth
        });
        right.count() as f64 / self.truth.len() as f64
    }
}

/// What to say when a calibration loses accuracy on the very images it was made from.
fn loss_of(method: Method, before: f64, after: f64) -> Option<String> {
    (after < before).then(|| {
        format!(
            "the method {} lowers the accuracy on the calibration images from {:.2} to {:.2} %; compare with \
             the model as it was assembled, or with another method",
            method.name(),
            100.0 * before,
            100.0 * after
        )
    })
}

/// Calibrates an assembled model on labelled images of its classes; never give it test images. A
/// correction's penalty is chosen by holding parts of the images out in turns, as `seed` says.
///
/// # Errors
/// If the model was not assembled by Brickwork, or the data has no image of its classes.
pub fn calibrate(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    method: Method,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    check(model)?;
    let plain = with_factors(&correction::removed(model)?, None)?;
    let form = match method {
        Method::None => return Ok(plain),
        Method::Layerwise => return layerwise(&plain, preprocess, sources, progress),
        Method::Background => Some(Form::Background),
        Method::Linear => Some(Form::Linear),
        Method::Paper | Method::Affine => None,
    };
    if let Some(form) = form {
        let (zero, owners) = correction::with_zero(&plain)?;
        let scores = collect(&zero, preprocess, sources, progress)?;
        return linear([&plain, &zero], &scores, &owners, form, seed, progress);
    }
    let scores = collect(&plain, preprocess, sources, progress)?;
    let before = scores.right(|_, z| z);
    let (scale, shift, mut notes) = match method {
        Method::Paper => paper(&scores),
        _ => held_affine(&scores, seed),
    };
    notes.extend(loss_of(method, before, scores.right(|k, z| scale[k] * z + shift[k])));
    notes.iter().for_each(|note| progress.note(note));
    let note = CalibrationNote {
        method: method.name().to_owned(),
        images: scores.truth.len(),
        scale,
        shift,
        notes,
    };
    with_factors(&plain, Some(note))
}

/// Affine, held back as far as there are too few images to trust it.
fn held_affine(scores: &Scores, seed: u64) -> (Vec<f32>, Vec<f32>, Vec<String>) {
    let hold = hold(scores, seed);
    let (scale, shift, mut notes) = affine(scores, hold);
    if hold > 0.0 {
        notes.push(format!(
            "{} calibration images are few; shifts, and how far factors differ between parts, are held \
             back by a penalty of {hold}",
            scores.truth.len()
        ));
    }
    notes.extend(few_words(scores, "their shifts are uncertain"));
    (scale, shift, notes)
}

fn check(model: &Classifier) -> Result<(), Error> {
    let name = Method::Layerwise.name();
    if model.card().calibration.as_ref().is_some_and(|note| note.method == name) {
        return Err(Error::model(format!(
            "`{}` was calibrated by the method {name}, which changes the weights for good; calibrate the \
             model as it was assembled",
            model.name
        )));
    }
    let known = |name: &str| {
        model.graph().find_value(name).is_some_and(|id| model.graph().value(id).constant.is_some())
    };
    if model.card().parts.is_empty() || !known(SCALE) || !known(SHIFT) {
        return Err(Error::model(format!(
            "`{}` was not assembled by brickwork; calibration works on assembled models",
            model.name
        )));
    }
    Ok(())
}

/// The model with the factors and shifts of `note`, or without any.
fn with_factors(model: &Classifier, note: Option<CalibrationNote>) -> Result<Classifier, Error> {
    let count: usize = model.card().parts.iter().map(|part| part.logits.len()).sum();
    let (scale, shift) = match &note {
        Some(note) => (note.scale.clone(), note.shift.clone()),
        None => (vec![1.0; count], vec![0.0; count]),
    };
    let mut patch = Patch::new("calibrating");
    for (name, data) in [(SCALE, scale), (SHIFT, shift)] {
        if let Some(id) = model.graph().find_value(name) {
            patch.constant(id, Arc::new(Tensor::new([1, count], data)));
        }
    }
    let card = Card { calibration: note, reject: None, ..model.card().clone() };
    Classifier::described(model.name.clone(), patch.apply(model.graph())?, card)
}

/// Runs the parts' raw logits over every image of the model's classes.
fn collect(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
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
    let (mut logits, mut features, mut truth) = (Vec::new(), Vec::new(), Vec::new());
    for (source, job) in sources.iter().zip(&jobs) {
        source.for_each_batch(job, batch_size(model), preprocess, |indices, images| {
            let mut found = session.outputs(indices.len(), images.data())?.into_iter();
            logits.extend(found.next().into_iter().flat_map(Tensor::into_data));
            features.extend(found.next().into_iter().flat_map(Tensor::into_data));
            truth.extend(indices.iter().filter_map(|&index| source.class(index)));
            progress.advance(indices.len() as u64)?;
            Ok(())
        })?;
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

/// The value that holds the parts' logits before calibration.
fn raw_logits(model: &Classifier) -> Result<brickwork_graph::ValueId, Error> {
    let scale = model.graph().find_value(SCALE);
    let reader = model.graph().nodes().iter().find(|node| node.inputs.contains(&scale));
    reader.and_then(|node| node.input(0)).ok_or_else(|| {
        Error::model(format!(
            "the calibration nodes of `{}` are gone; assemble it again",
            model.name
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn two_parts(first: f32, second: f32) -> Scores {
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

    fn accuracy(scores: &Scores, scale: &[f32], shift: &[f32]) -> f64 {
        let hits = scores.logits.data().chunks(4).zip(&scores.truth).filter(|(row, truth)| {
            let z: Vec<f32> = (0..4).map(|k| row[k] * scale[k] + shift[k]).collect();
            top_class(&z) == **truth
        });
        hits.count() as f64 / scores.truth.len() as f64
    }

    #[test]
    fn unequal_parts_become_comparable() {
        let scores = two_parts(10.0, 1.0);
        assert_eq!(accuracy(&scores, &[1.0; 4], &[0.0; 4]), 0.5);
        let (scale, shift, notes) = paper(&scores);
        assert_eq!((accuracy(&scores, &scale, &shift), notes.len()), (1.0, 0));
        let (scale, shift, notes) = affine(&scores, 0.0);
        assert_eq!((accuracy(&scores, &scale, &shift), notes.len()), (1.0, 0));
    }

    #[test]
    fn classes_without_correct_images_stay_finite_and_are_named() {
        let mut scores = two_parts(10.0, 1.0);
        // Class d never wins and class c has no image.
        scores.truth.iter_mut().for_each(|t| *t = if *t == 2 { 3 } else { *t });
        let (scale, _, notes) = paper(&scores);
        assert!(scale.iter().all(|s| s.is_finite() && *s > 0.0));
        assert!(notes.iter().any(|note| note.contains("`c`")), "{notes:?}");
        let (scale, shift, notes) = affine(&scores, 0.0);
        assert!(scale.iter().chain(&shift).all(|x| x.is_finite()));
        assert!(notes[0].contains("`c`"));
    }
}
