//! Calibration without images: scores are drawn from the moments that the parts carry.

use brickwork_tensor::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::affine::affine;
use super::correction;
use super::factors::{check, with_factors};
use super::method::Method;
use super::normal::Normal;
use super::scores::Scores;
use crate::model::card::{CalibrationNote, Moments, Part};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;

/// Scores that are drawn for every class.
const DRAWS: usize = 500;

/// What to say of parts that were cut from different models.
const FAR_OFF: &str = "the parts were cut from different models; how they score each other's images is not \
                       known, and taken for how they score other classes of their own sources, which can be \
                       far off: measure it, or calibrate with images of all parts";

/// Calibrates an assembled model by the method `affine` without any image: for every class, scores are
/// drawn for an image of it, those of a part that has the class from the part's moments of the class,
/// those of any other from its moments of images of other classes, each on its own.
///
/// # Errors
/// If the model was not assembled by Brickwork, or a part carries no moments.
pub fn calibrate_from_moments(
    model: &Classifier,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    check(model)?;
    let moments = moments(model)?;
    let plain = with_factors(&correction::removed(model)?, None)?;
    let scores = drawn(&plain, &moments, seed);
    let (scale, shift, _) = affine(&scores, 0.0);
    let images: usize = moments.iter().map(|m| m.own_images + m.foreign_images).sum();
    let mut notes = vec![format!(
        "no calibration image: {DRAWS} scores of every class were drawn from the moments that the parts \
         carry, of {images} images"
    )];
    if !one_source(model) {
        notes.push(FAR_OFF.to_owned());
    }
    notes.iter().for_each(|note| progress.note(note));
    let method = Method::Affine.name().to_owned();
    let note = CalibrationNote { method, images: 0, scale, shift, notes, held_out: None };
    with_factors(&plain, Some(note))
}

/// Whether all parts were cut from one model.
fn one_source(model: &Classifier) -> bool {
    let parts = &model.card().parts;
    parts.iter().all(|part| match (&part.origin, &parts[0].origin) {
        (Some(origin), Some(first)) => origin.same_source(first),
        (origin, first) => origin.is_none() && first.is_none(),
    })
}

/// The moments of every part.
fn moments(model: &Classifier) -> Result<Vec<&Moments>, Error> {
    let parts = &model.card().parts;
    let alone = parts.len() == 1;
    let usable = |part: &&Part| {
        let found = part.moments.as_ref().filter(|found| found.fit(part.classes.len()));
        found.is_some_and(|found| alone || !found.foreign_mean.is_empty())
    };
    let lost: Vec<String> =
        parts.iter().filter(|part| !usable(part)).map(|part| format!("`{}`", part.name)).collect();
    if lost.is_empty() {
        return Ok(parts.iter().filter_map(|part| part.moments.as_ref()).collect());
    }
    Err(Error::options(format!(
        "no images are given, and part {} carries no moments of its own and other classes' images; pass \
         `data=`, or cut the part with images of all classes of its source (disassemble with `data=`)",
        lost.join(", ")
    )))
}

fn drawn(model: &Classifier, moments: &[&Moments], seed: u64) -> Scores {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let frame = Scores::empty(model);
    let (mut logits, mut truth) = (Vec::new(), Vec::new());
    for class in 0..model.class_count() {
        let sides: Vec<Normal> = model
            .card()
            .parts
            .iter()
            .zip(moments)
            .filter_map(|(part, moments)| {
                let own = part.logits.iter().position(|&place| place == class);
                own.map(|k| Normal::of_class(moments, k)).or_else(|| Normal::of_foreign(moments))
            })
            .collect();
        for _ in 0..DRAWS {
            sides.iter().for_each(|side| logits.extend(side.draw(&mut rng)));
            truth.push(frame.logit_of(class));
        }
    }
    let logits = Tensor::new([truth.len(), frame.part.len()], logits);
    Scores { logits, truth, ..frame }
}
