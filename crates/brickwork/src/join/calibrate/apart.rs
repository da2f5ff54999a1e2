//! A factor and a shift for every class of a model whose classes do not exclude each other, each for itself: what
//! makes its sigmoid the share of images that are of the class (Platt, Probabilistic outputs for support vector
//! machines, 1999).

use brickwork_data::Preprocess;

use super::factors::raw_logits;
use super::method::Method;
use super::scores::Scores;
use crate::images::source::Source;
use crate::model::card::CalibrationNote;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;

/// Weight of the penalty that keeps factors near 1 and shifts near 0, per image.
const PENALTY: f64 = 1e-4;

/// The least factor: a negative one would turn a class's ranking around.
const LEAST: f64 = 1e-3;

/// Newton steps, at most.
const STEPS: usize = 50;

/// The logit of a class on an image, and whether the image is of it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    logit: f64,
    is_own: bool,
}

/// `sigmoid(scale * z + shift)` of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    scale: f64,
    shift: f64,
}

impl Line {
    /// Changes nothing.
    const PLAIN: Self = Self { scale: 1.0, shift: 0.0 };

    /// Mean cross-entropy of what was seen, in nats.
    fn loss(self, seen: &[Seen]) -> f64 {
        let sum: f64 = seen.iter().map(|one| softplus(-one.sign() * self.of(one.logit))).sum();
        sum / seen.len() as f64
    }

    fn of(self, logit: f64) -> f64 {
        self.scale * logit + self.shift
    }

    fn penalised(self, seen: &[Seen]) -> f64 {
        self.loss(seen) + PENALTY / 2.0 * ((self.scale - 1.0).powi(2) + self.shift.powi(2))
    }

    /// The minimum of the penalised loss, which is convex, by damped Newton steps. The factor stops at [`LEAST`].
    fn fitted(seen: &[Seen]) -> Self {
        let mut line = Self::PLAIN;
        let mut loss = line.penalised(seen);
        for _ in 0..STEPS {
            let step = line.step(seen);
            let tries = (0..20).map(|halvings| line.moved(step, 0.5f64.powi(halvings)));
            let mut better = tries.map(|line| (line, line.penalised(seen)));
            let Some((next, less)) = better.find(|(_, trial)| *trial < loss - 1e-12) else { break };
            (line, loss) = (next, less);
        }
        line
    }

    fn moved(self, step: [f64; 2], length: f64) -> Self {
        let scale = (self.scale - length * step[0]).max(LEAST);
        Self { scale, shift: self.shift - length * step[1] }
    }

    /// The Newton step: the inverse of the curvature times the gradient.
    fn step(self, seen: &[Seen]) -> [f64; 2] {
        let weight = 1.0 / seen.len() as f64;
        let mut gradient = [PENALTY * (self.scale - 1.0), PENALTY * self.shift];
        let [mut a, mut b, mut d] = [PENALTY, 0.0, PENALTY];
        for &Seen { logit, is_own } in seen {
            let p = 1.0 / (1.0 + (-self.of(logit)).exp());
            let (error, curve) = (p - f64::from(u8::from(is_own)), p * (1.0 - p));
            gradient[0] += weight * error * logit;
            gradient[1] += weight * error;
            a += weight * curve * logit * logit;
            b += weight * curve * logit;
            d += weight * curve;
        }
        let determinant = a * d - b * b;
        let [x, y] = gradient;
        [(d * x - b * y) / determinant, (a * y - b * x) / determinant]
    }
}

impl Seen {
    fn sign(&self) -> f64 {
        if self.is_own { 1.0 } else { -1.0 }
    }
}

/// `ln(1 + exp(x))`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The calibration of an assembled model by labelled images, of which each may be of any number of its classes. A data
/// set only tells of the classes that it has.
///
/// # Errors
/// If there are no images, or the model cannot run.
pub(super) fn apart(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<CalibrationNote, Error> {
    let empty = Scores::empty(model);
    let images: usize = sources.iter().map(|source| source.dataset.len()).sum();
    let mut seen: Vec<Vec<Seen>> = vec![Vec::new(); empty.place.len()];
    progress.begin("scoring calibration images", images as u64);
    let mut session = model.session(&[raw_logits(model)?]);
    for source in sources {
        let told = source.own_classes();
        let all: Vec<usize> = (0..source.dataset.len()).collect();
        source.for_each_batch(&all, model.batch_size(), preprocess, |indices, images| {
            let found = session.outputs(indices.len(), images.data())?.remove(0);
            for (row, &index) in found.data().chunks(empty.place.len()).zip(indices) {
                let own = source.classes_of(index);
                for (k, (&logit, place)) in row.iter().zip(&empty.place).enumerate() {
                    if told.contains(place) {
                        let is_own = own.contains(place);
                        seen[k].push(Seen { logit: f64::from(logit), is_own });
                    }
                }
            }
            progress.advance(indices.len() as u64)?;
            Ok(())
        })?;
    }
    Ok(note(&empty.names, &seen, images))
}

/// What is fitted to what was `seen` of every class, with words on what cannot be.
fn note(names: &[String], seen: &[Vec<Seen>], images: usize) -> CalibrationNote {
    let one_sided =
        |seen: &[Seen]| seen.iter().all(|one| one.is_own) || !seen.iter().any(|one| one.is_own);
    let lines: Vec<Line> = seen
        .iter()
        .map(|seen| if one_sided(seen) { Line::PLAIN } else { Line::fitted(seen) })
        .collect();
    let lost = names.iter().zip(seen).filter(|(_, seen)| one_sided(seen));
    let mut notes: Vec<String> = lost
        .map(|(name, _)| {
            format!("class `{name}`: no image that is of it beside one that is not; its scores stay as they are")
        })
        .collect();
    let mean = |of: &dyn Fn(usize) -> Line| {
        let known = (0..seen.len()).filter(|&k| !seen[k].is_empty());
        let losses: Vec<f64> = known.map(|k| of(k).loss(&seen[k])).collect();
        losses.iter().sum::<f64>() / losses.len().max(1) as f64
    };
    notes.push(format!(
        "mean cross-entropy of the classes on the calibration images: {:.4} nats, {:.4} before",
        mean(&|k| lines[k]),
        mean(&|_| Line::PLAIN)
    ));
    CalibrationNote {
        method: Method::Affine.name().to_owned(),
        images,
        scale: lines.iter().map(|line| line.scale as f32).collect(),
        shift: lines.iter().map(|line| line.shift as f32).collect(),
        notes,
        held_out: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits evenly spread, of which those above `limit` are the class's, but for every tenth.
    fn seen(limit: f64) -> Vec<Seen> {
        let one = |k: usize| {
            let logit = k as f64 / 10.0 - 10.0;
            Seen { logit, is_own: (logit > limit) != k.is_multiple_of(10) }
        };
        (0..200).map(one).collect()
    }

    #[test]
    fn a_line_goes_through_the_middle_and_nothing_near_it_is_better() {
        let seen = seen(4.0);
        let line = Line::fitted(&seen);
        // Near the limit, but for what the tenths far from it pull.
        assert!((line.of(4.0) / line.scale).abs() < 1.0, "{line:?}");
        let least = line.penalised(&seen);
        assert!(least < Line::PLAIN.penalised(&seen));
        for by in [-0.02, 0.02] {
            let [steeper, higher] = [[by, 0.0], [0.0, by]].map(|step| line.moved(step, 1.0));
            assert!(steeper.penalised(&seen) > least && higher.penalised(&seen) > least);
        }
    }

    #[test]
    fn rankings_are_never_turned_around() {
        let turned: Vec<Seen> =
            seen(0.0).into_iter().map(|one| Seen { logit: -one.logit, ..one }).collect();
        assert_eq!(Line::fitted(&turned).scale, LEAST);
    }

    #[test]
    fn classes_that_nothing_tells_of_are_named() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let all = vec![Seen { logit: 1.0, is_own: true }; 3];
        let found = note(&names, &[seen(2.0), all, Vec::new()], 200);
        assert!(found.scale[0] < 1.0 && found.shift[0] < 0.0, "{found:?}");
        assert_eq!((&found.scale[1..], &found.shift[1..]), (&[1.0, 1.0][..], &[0.0, 0.0][..]));
        assert!(found.notes[0].contains("`b`") && found.notes[1].contains("`c`"), "{found:?}");
        assert!(found.notes[2].contains("before"), "{found:?}");
    }
}
