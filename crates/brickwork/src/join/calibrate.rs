//! Making the logits of an assembled model's parts comparable, without training: a factor and a
//! shift for every logit, and at will a linear correction, from calibration images of all parts.

mod affine;
mod apart;
mod correction;
mod drawn;
mod factors;
mod layerwise;
mod linear;
mod method;
pub(crate) mod normal;
mod paper;
mod scores;
mod trials;

use brickwork_data::Preprocess;

use crate::files::cache::Cache;
use crate::images::source::Source;
use crate::model::card::CalibrationNote;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::progress::Progress;
use affine::{affine, hold};
use apart::apart;
pub(crate) use correction::CORRECTION;
pub use drawn::calibrate_from_moments;
use factors::{check, with_factors};
use layerwise::layerwise;
use linear::{CorrectionForm, linear};
pub use method::Method;
use method::loss_of;
use paper::paper;
use scores::{Scores, collect};
use trials::{few_words, of_factors};

/// How to calibrate.
#[derive(Clone, Copy, Debug)]
pub struct CalibrateOptions<'a> {
    /// What is fitted.
    pub method: Method,
    /// Which parts of the images are held out in turns to choose a correction's penalty.
    pub seed: u64,
    /// Where scores of images are kept, so that an interrupted calibration goes on; nowhere if there is none.
    pub cache: Option<&'a Cache>,
}

impl CalibrateOptions<'_> {
    /// By a method, with seed 0 and nothing kept.
    pub fn by(method: Method) -> Self {
        Self { method, seed: 0, cache: None }
    }
}

/// Calibrates an assembled model on labelled images of its classes; never give it test images.
///
/// # Errors
/// If the model was not assembled by Brickwork, or the data has no image of its classes.
pub fn calibrate(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    options: &CalibrateOptions<'_>,
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    let CalibrateOptions { method, seed, cache } = *options;
    check(model)?;
    let plain = with_factors(&correction::removed(model)?, None)?;
    if model.head() == HeadKind::Multilabel && method != Method::None {
        if method != Method::Affine {
            return Err(Error::options(format!(
                "an image may be of several classes of `{}`, which the method {} is not for; `method=affine` fits \
                 each class for itself",
                model.name,
                method.name()
            )));
        }
        let note = apart(&plain, preprocess, sources, progress)?;
        note.notes.iter().for_each(|note| progress.note(note));
        return with_factors(&plain, Some(note));
    }
    let form = match method {
        Method::None => return Ok(plain),
        Method::Layerwise => return layerwise(&plain, preprocess, sources, progress),
        Method::Background => Some(CorrectionForm::Background),
        Method::Linear => Some(CorrectionForm::Linear),
        Method::Paper | Method::Affine => None,
    };
    if let Some(form) = form {
        let (zero, owners) = correction::with_zero(&plain)?;
        let scores = collect(&zero, preprocess, sources, cache, progress)?;
        return linear([&plain, &zero], &scores, &owners, form, seed, progress);
    }
    let scores = collect(&plain, preprocess, sources, cache, progress)?;
    let before = scores.right(|_, z| z);
    let hold = if method == Method::Affine { hold(&scores, seed) } else { 0.0 };
    let fitted = |scores: &Scores| match method {
        Method::Paper => paper(scores),
        _ => affine(scores, hold),
    };
    let (scale, shift, mut notes) = fitted(&scores);
    if method == Method::Affine {
        notes.extend(held_words(&scores, hold));
    }
    notes.extend(loss_of(method, before, scores.right(|k, z| scale[k] * z + shift[k])));
    notes.iter().for_each(|note| progress.note(note));
    let note = CalibrationNote {
        method: method.name().to_owned(),
        images: scores.truth.len(),
        scale,
        shift,
        notes,
        held_out: of_factors(&scores, seed, fitted),
    };
    with_factors(&plain, Some(note))
}

/// How far affine is held back, where there are too few images to trust it, and for which classes.
fn held_words(scores: &Scores, hold: f64) -> impl Iterator<Item = String> {
    let held = (hold > 0.0).then(|| {
        format!(
            "{} calibration images are few; shifts, and how far factors differ between parts, are held \
             back by a penalty of {hold}",
            scores.truth.len()
        )
    });
    held.into_iter().chain(few_words(scores, "their shifts are uncertain"))
}

#[cfg(test)]
mod tests {
    use super::scores::tests::two_parts;
    use super::*;
    use crate::images::select::top_class;

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
