//! Making the logits of an assembled model's parts comparable, without training: a factor and a
//! shift for every logit, from calibration images of all parts.

use std::sync::Arc;

use brickwork_data::Preprocess;
use brickwork_graph::Patch;
use brickwork_tensor::Tensor;
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use crate::assemble::{SCALE, SHIFT};
use crate::batching::batch_size;
use crate::card::{CalibrationNote, Card, KEY, Part};
use crate::classifier::Classifier;
use crate::error::Error;
use crate::layers::{LayerInfo, layers};
use crate::progress::Progress;
use crate::select::top_class;
use crate::source::Source;

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

/// The published scaling. A class without a correct image, or whose winning logits are not positive
/// on average, cannot be scaled: it gets the mean factor of its part, or 1.
fn paper(scores: &Scores) -> (Vec<f32>, Vec<f32>, Vec<String>) {
    let count = scores.part.len();
    let (mut sums, mut counts) = (vec![0.0f64; count], vec![0usize; count]);
    for (row, &truth) in scores.logits.data().chunks(count).zip(&scores.truth) {
        let own: Vec<usize> =
            (0..count).filter(|&k| scores.part[k] == scores.part[truth]).collect();
        let picked: Vec<f32> = own.iter().map(|&k| row[k]).collect();
        if own[top_class(&picked)] == truth {
            sums[truth] += f64::from(row[truth]);
            counts[truth] += 1;
        }
    }
    let factor = |k: usize| {
        let mean = sums[k] / counts[k] as f64;
        (counts[k] > 0 && mean > 0.0).then(|| (1.0 / mean) as f32).filter(|f| f.is_finite())
    };
    let mut notes = Vec::new();
    let scale = (0..count)
        .map(|k| {
            factor(k).unwrap_or_else(|| {
                let part: Vec<f32> = (0..count)
                    .filter(|&other| scores.part[other] == scores.part[k])
                    .filter_map(factor)
                    .collect();
                let stand_in = if part.is_empty() {
                    1.0
                } else {
                    part.iter().sum::<f32>() / part.len() as f32
                };
                let why = if counts[k] == 0 {
                    "no calibration image is classified correctly"
                } else {
                    "its winning logits are not positive on average"
                };
                notes.push(format!(
                    "class `{}`: {why}; scaled by its part's mean factor {stand_in:.4}",
                    scores.names[k]
                ));
                stand_in
            })
        })
        .collect();
    (scale, vec![0.0; count], notes)
}

/// Weight of the penalties that keep temperatures near 1 and biases near 0, per image.
const PENALTY: f64 = 1e-4;

/// The least temperature: a negative one would turn a part's ranking around.
const LEAST: f64 = 1e-3;

/// Minimises the mean cross-entropy of `softmax(t[part] * z + b)` by damped Newton steps; the
/// problem is convex in temperatures and biases. Temperatures stop at [`LEAST`].
fn affine(scores: &Scores) -> (Vec<f32>, Vec<f32>, Vec<String>) {
    let count = scores.part.len();
    let parts = scores.part.iter().max().map_or(0, |last| last + 1);
    let unknowns = parts + count;
    let mut solution = vec![0.0f64; unknowns];
    solution[..parts].fill(1.0);
    let mut loss = cross_entropy(scores, &solution, parts);
    for _ in 0..50 {
        let (mut gradient, mut hessian) = derivatives(scores, &solution, parts);
        for k in (0..parts).filter(|&k| solution[k] <= LEAST) {
            if gradient[k] > 0.0 {
                hold(k, &mut gradient, &mut hessian);
            }
        }
        let matrix = Mat::from_fn(unknowns, unknowns, |r, c| hessian[r * unknowns + c]);
        let right = Mat::from_fn(unknowns, 1, |r, _| gradient[r]);
        let Ok(factor) = matrix.llt(Side::Lower) else { break };
        let step = factor.solve(&right);
        let mut length = 1.0;
        let next = loop {
            let moved = |k: usize| solution[k] - length * step[(k, 0)];
            let least = |k: usize| if k < parts { LEAST } else { f64::NEG_INFINITY };
            let trial: Vec<f64> = (0..unknowns).map(|k| moved(k).max(least(k))).collect();
            let trial_loss = cross_entropy(scores, &trial, parts);
            if trial_loss < loss || length < 1e-6 {
                break (trial, trial_loss);
            }
            length /= 2.0;
        };
        let gain = loss - next.1;
        if gain > 0.0 {
            (solution, loss) = next;
        }
        if gain < 1e-10 {
            break;
        }
    }
    let mut seen = vec![false; count];
    scores.truth.iter().for_each(|&k| seen[k] = true);
    let notes = (0..count)
        .filter(|&k| !seen[k])
        .map(|k| {
            format!(
                "class `{}`: no calibration image; its bias rests on other classes' images",
                scores.names[k]
            )
        })
        .collect();
    let scale = scores.part.iter().map(|&part| solution[part] as f32).collect();
    (scale, solution[parts..].iter().map(|&b| b as f32).collect(), notes)
}

/// Takes an unknown out of a Newton step.
fn hold(k: usize, gradient: &mut [f64], hessian: &mut [f64]) {
    let unknowns = gradient.len();
    gradient[k] = 0.0;
    for other in 0..unknowns {
        let same = f64::from(u8::from(other == k));
        (hessian[k * unknowns + other], hessian[other * unknowns + k]) = (same, same);
    }
}

/// Logarithms of the calibrated probabilities.
fn calibrated(scores: &Scores, row: &[f32], solution: &[f64], parts: usize) -> Vec<f64> {
    let logit = |k: usize| solution[scores.part[k]] * f64::from(row[k]) + solution[parts + k];
    let logits: Vec<f64> = (0..row.len()).map(logit).collect();
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|z| (z - top).exp()).sum();
    logits.into_iter().map(|z| z - top - total.ln()).collect()
}

fn penalty(solution: &[f64], parts: usize) -> f64 {
    let off: f64 = solution[..parts].iter().map(|t| (t - 1.0).powi(2)).sum();
    let biases: f64 = solution[parts..].iter().map(|b| b * b).sum();
    PENALTY * (off + biases) / 2.0
}

fn cross_entropy(scores: &Scores, solution: &[f64], parts: usize) -> f64 {
    let count = scores.part.len();
    let rows = scores.logits.data().chunks(count).zip(&scores.truth);
    let sum: f64 = rows.map(|(row, &truth)| -calibrated(scores, row, solution, parts)[truth]).sum();
    sum / scores.truth.len() as f64 + penalty(solution, parts)
}

fn derivatives(scores: &Scores, solution: &[f64], parts: usize) -> (Vec<f64>, Vec<f64>) {
    let count = scores.part.len();
    let unknowns = solution.len();
    let (mut gradient, mut hessian) = (vec![0.0; unknowns], vec![0.0; unknowns * unknowns]);
    let weight = 1.0 / scores.truth.len() as f64;
    for (row, &truth) in scores.logits.data().chunks(count).zip(&scores.truth) {
        let p: Vec<f64> =
            calibrated(scores, row, solution, parts).into_iter().map(f64::exp).collect();
        // Derivative of logit k by temperature of its part is z_k, by its bias 1.
        let mut mean = vec![0.0; unknowns];
        for k in 0..count {
            let z = f64::from(row[k]);
            let error = p[k] - f64::from(u8::from(k == truth));
            let (t, b) = (scores.part[k], parts + k);
            gradient[t] += weight * error * z;
            gradient[b] += weight * error;
            mean[t] += p[k] * z;
            mean[b] += p[k];
            hessian[t * unknowns + t] += weight * p[k] * z * z;
            hessian[t * unknowns + b] += weight * p[k] * z;
            hessian[b * unknowns + t] += weight * p[k] * z;
            hessian[b * unknowns + b] += weight * p[k];
        }
        for r in 0..unknowns {
            for c in 0..unknowns {
                hessian[r * unknowns + c] -= weight * mean[r] * mean[c];
            }
        }
    }
    for k in 0..unknowns {
        gradient[k] += PENALTY * (solution[k] - f64::from(u8::from(k < parts)));
        hessian[k * unknowns + k] += PENALTY;
    }
    (gradient, hessian)
}

/// Equations 12 to 14: front to back, output `j` of a layer is multiplied by `mean(e) / e_j`, where
/// `e_j` is its summed activation on its part's own images and the mean runs over the matching
/// layers of all parts. Parts of different depth are matched from the head backwards. Outputs whose
/// sum is not positive cannot be scaled and stay as they are.
fn layerwise(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    let parts = &model.card.parts;
    let by_part = branches(model)?;
    let before = collect(model, preprocess, sources, progress)?.right(|_, z| z);
    let depth = by_part.iter().map(Vec::len).min().unwrap_or(0);
    let mut current = model.clone();
    let mut unscaled = 0;
    let mut images = 0;
    progress.begin("scaling layers", depth as u64);
    for place in (1..=depth).rev() {
        let matched: Vec<&LayerInfo> =
            by_part.iter().map(|list| &list[list.len() - place]).collect();
        let sums = activation_sums(&current, preprocess, sources, &matched)?;
        images = sums.1;
        let all: Vec<f64> = sums.0.iter().flatten().copied().collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let mut patch = Patch::new("scaling layers");
        for (layer, sums) in matched.iter().zip(&sums.0) {
            let factors: Vec<f32> = sums
                .iter()
                .map(|&e| {
                    let factor = (mean / e) as f32;
                    let usable = e > 0.0 && mean > 0.0 && factor.is_finite();
                    unscaled += usize::from(!usable);
                    if usable { factor } else { 1.0 }
                })
                .collect();
            scale_outputs(&current, layer, &factors, &mut patch);
        }
        current.graph = Arc::new(patch.apply(&current.graph)?);
        progress.step(1);
    }
    let mut notes = vec![format!("{depth} layers of each part were scaled")];
    if unscaled > 0 {
        notes.push(format!(
            "{unscaled} outputs whose summed activation is not positive were left unscaled"
        ));
    }
    let after = collect(&current, preprocess, sources, progress)?.right(|_, z| z);
    notes.extend(loss_of(Method::Layerwise, before, after));
    notes.iter().for_each(|note| progress.note(note));
    let count: usize = parts.iter().map(|part| part.logits.len()).sum();
    let note = CalibrationNote {
        method: Method::Layerwise.name().to_owned(),
        images,
        scale: vec![1.0; count],
        shift: vec![0.0; count],
        notes,
    };
    with_factors(&current, Some(note))
}

/// The layers of every part.
fn branches(model: &Classifier) -> Result<Vec<Vec<LayerInfo>>, Error> {
    let all = layers(&model.graph);
    let of = |part: &Part| {
        let prefix = format!("{}/", part.name);
        all.iter().filter(|layer| layer.name.starts_with(&prefix)).cloned().collect()
    };
    let by_part: Vec<Vec<LayerInfo>> = model.card.parts.iter().map(of).collect();
    if by_part.iter().any(Vec::is_empty) {
        return Err(Error::Options(
            "layer-wise scaling needs parts in branches; assemble with --layout branches"
                .to_owned(),
        ));
    }
    Ok(by_part)
}

/// For each layer, the mean over its part's own images of every output's sum over positions.
fn activation_sums(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    matched: &[&LayerInfo],
) -> Result<(Vec<Vec<f64>>, usize), Error> {
    let mut all = Vec::new();
    let mut images = 0;
    for (part, layer) in model.card.parts.iter().zip(matched) {
        let mut sums = vec![0.0f64; layer.weighted.outputs];
        let mut session = model.session(&[layer.output]);
        let mut seen = 0;
        for source in sources {
            let job = source.samples_of(&part.logits);
            seen += job.len();
            source.for_each_batch(&job, batch_size(model), preprocess, |indices, batch| {
                let values = session.outputs(indices.len(), batch.data())?.remove(0);
                let axis = layer.weighted.channel_axis(values.rank());
                let inner: usize = values.shape()[axis + 1..].iter().product();
                for (k, &value) in values.data().iter().enumerate() {
                    sums[k / inner % layer.weighted.outputs] += f64::from(value);
                }
                Ok(())
            })?;
        }
        images += seen;
        all.push(sums.into_iter().map(|sum| sum / seen as f64).collect());
    }
    Ok((all, images))
}

fn scale_outputs(model: &Classifier, layer: &LayerInfo, factors: &[f32], patch: &mut Patch) {
    let graph = &model.graph;
    let Some(stored) = &graph.value(layer.weight).constant else { return };
    let mut weights = layer.weights(graph);
    let each = weights.data().len() / factors.len().max(1);
    for (row, factor) in weights.data_mut().chunks_mut(each.max(1)).zip(factors) {
        row.iter_mut().for_each(|w| *w *= factor);
    }
    patch.constant(layer.weight, Arc::new(layer.weighted.store(&weights, stored)));
    let bias = layer.weighted.bias_slot.and_then(|slot| graph.node(layer.node).input(slot));
    if let Some((id, old)) =
        bias.and_then(|id| graph.value(id).constant.as_ref().map(|old| (id, old)))
    {
        let data = old.data().iter().zip(factors).map(|(b, factor)| b * factor).collect();
        patch.constant(id, Arc::new(Tensor::new(old.shape(), data)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_parts(first: f32, second: f32) -> Scores {
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

    #[test]
    fn derivatives_agree_with_differences() {
        let scores = two_parts(2.0, 1.0);
        let at = [1.1, 0.8, 0.1, -0.2, 0.3, 0.0];
        let (gradient, hessian) = derivatives(&scores, &at, 2);
        let moved = |k: usize, by: f64| {
            let mut x = at;
            x[k] += by;
            x
        };
        for k in 0..6 {
            let (up, down) = (moved(k, 1e-5), moved(k, -1e-5));
            let slope = (cross_entropy(&scores, &up, 2) - cross_entropy(&scores, &down, 2)) / 2e-5;
            assert!((slope - gradient[k]).abs() < 1e-7, "{k}: {slope} {}", gradient[k]);
            let (up, down) = (derivatives(&scores, &up, 2).0, derivatives(&scores, &down, 2).0);
            for c in 0..6 {
                assert!(((up[c] - down[c]) / 2e-5 - hessian[k * 6 + c]).abs() < 1e-6);
            }
        }
    }
}
