//! Making the logits of an assembled model's parts comparable, without training: a factor and a
//! shift for every logit, from calibration images of all parts.

mod affine;
mod layerwise;
mod paper;

use std::sync::Arc;

use brickwork_data::Preprocess;
use brickwork_graph::Patch;
use brickwork_tensor::Tensor;

use crate::assemble::{SCALE, SHIFT};
use crate::batching::batch_size;
use crate::card::{CalibrationNote, Card, KEY, Part};
use crate::classifier::Classifier;
use crate::error::Error;
use crate::progress::Progress;
use crate::select::top_class;
use crate::source::Source;
use affine::affine;
use layerwise::layerwise;
use paper::paper;

/// How to calibrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Method {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Paper => "paper",
            Self::Layerwise => "layerwise",
            Self::Affine => "affine",
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
    names: Vec<String>,
}

impl Scores {
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

/// Calibrates an assembled model on labelled images of its classes; never give it test images.
///
/// # Errors
/// If the model was not assembled by Brickwork, or the data has no image of its classes.
pub fn calibrate(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    method: Method,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    check(model)?;
    let plain = with_factors(model, None)?;
    if method == Method::None {
        return Ok(plain);
    }
    if method == Method::Layerwise {
        return layerwise(&plain, preprocess, sources, progress);
    }
    let scores = collect(&plain, preprocess, sources, progress)?;
    let before = scores.right(|_, z| z);
    let (scale, shift, mut notes) = match method {
        Method::Paper => paper(&scores),
        _ => affine(&scores),
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

fn check(model: &Classifier) -> Result<(), Error> {
    let name = Method::Layerwise.name();
    if model.card.calibration.as_ref().is_some_and(|note| note.method == name) {
        return Err(Error::Model(format!(
            "`{}` was calibrated by the method {name}, which changes the weights for good; calibrate the \
             model as it was assembled",
            model.name
        )));
    }
    let known = |name: &str| {
        model.graph.find_value(name).is_some_and(|id| model.graph.value(id).constant.is_some())
    };
    if model.card.parts.is_empty() || !known(SCALE) || !known(SHIFT) {
        return Err(Error::Model(format!(
            "`{}` was not assembled by brickwork; calibration works on assembled models",
            model.name
        )));
    }
    Ok(())
}

/// The model with the factors and shifts of `note`, or without any.
fn with_factors(model: &Classifier, note: Option<CalibrationNote>) -> Result<Classifier, Error> {
    let count: usize = model.card.parts.iter().map(|part| part.logits.len()).sum();
    let (scale, shift) = match &note {
        Some(note) => (note.scale.clone(), note.shift.clone()),
        None => (vec![1.0; count], vec![0.0; count]),
    };
    let mut patch = Patch::new("calibrating");
    for (name, data) in [(SCALE, scale), (SHIFT, shift)] {
        if let Some(id) = model.graph.find_value(name) {
            patch.constant(id, Arc::new(Tensor::new([1, count], data)));
        }
    }
    let card = Card { calibration: note, reject: None, ..model.card.clone() };
    patch.metadata(KEY, card.to_json());
    Classifier::new(model.name.clone(), patch.apply(&model.graph)?)
}

/// Runs the parts' raw logits over every image of the model's classes.
fn collect(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<Scores, Error> {
    let parts = &model.card.parts;
    let all: Vec<usize> = (0..model.class_count()).collect();
    let jobs: Vec<Vec<usize>> = sources.iter().map(|source| source.samples_of(&all)).collect();
    let count: usize = jobs.iter().map(Vec::len).sum();
    if count == 0 {
        return Err(Error::Options("the data has no image of the model's classes".to_owned()));
    }
    refuse_unseen_parts(parts, sources)?;
    progress.begin("scoring calibration images", count as u64);
    let raw = raw_logits(model)?;
    let mut session = model.session(&[raw]);
    let (mut logits, mut truth) = (Vec::new(), Vec::new());
    for (source, job) in sources.iter().zip(&jobs) {
        source.for_each_batch(job, batch_size(model), preprocess, |indices, images| {
            logits.extend(session.outputs(indices.len(), images.data())?.remove(0).into_data());
            truth.extend(indices.iter().filter_map(|&index| source.class(index)));
            progress.step(indices.len() as u64);
            Ok(())
        })?;
    }
    let part: Vec<usize> =
        parts.iter().enumerate().flat_map(|(k, part)| vec![k; part.logits.len()]).collect();
    // A class that several parts hold is judged by the first part's logit.
    let flat: Vec<usize> = parts.iter().flat_map(|part| part.logits.iter().copied()).collect();
    let logit_of = |class: usize| flat.iter().position(|&score| score == class).unwrap_or(0);
    let truth = truth.into_iter().map(logit_of).collect();
    let names = parts.iter().flat_map(|part| part.classes.iter().cloned()).collect();
    let logits = Tensor::new([count, part.len()], logits);
    Ok(Scores { logits, truth, part, names })
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
    Err(Error::Options(format!(
        "the data has no image of part {}; give images of every part (--data NAME=PATH for each)",
        lost.join(", ")
    )))
}

/// The value that holds the parts' logits before calibration.
fn raw_logits(model: &Classifier) -> Result<brickwork_graph::ValueId, Error> {
    let scale = model.graph.find_value(SCALE);
    let reader = model.graph.nodes().iter().find(|node| node.inputs.contains(&scale));
    reader.and_then(|node| node.input(0)).ok_or_else(|| {
        Error::Model(format!(
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
            names: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
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
        let (scale, shift, notes) = affine(&scores);
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
        let (scale, shift, notes) = affine(&scores);
        assert!(scale.iter().chain(&shift).all(|x| x.is_finite()));
        assert!(notes[0].contains("`c`"));
    }
}
