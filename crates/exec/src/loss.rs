//! Losses: the mean over a batch and its gradient.
//!
//! Logits are `[n, k]`, row-major. All sums are in `f64`, and logarithms of sums of exponentials
//! are taken relative to the largest logit, so logits of any finite size are fine.

use thiserror::Error;

/// Why a loss does not exist.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LossError {
    /// There is nothing to take the mean of.
    #[error("a loss over no samples does not exist")]
    Empty,
    /// Arrays that do not belong together.
    #[error("{what}: {found} numbers, expected {expected}")]
    Size {
        /// Which array.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that fits.
        expected: usize,
    },
    /// A label names no class.
    #[error("sample {sample} has label {label}, but there are {classes} classes, from 0")]
    Label {
        /// Its place in the batch.
        sample: usize,
        /// Its label.
        label: usize,
        /// Columns of the logits.
        classes: usize,
    },
    /// An option has a value without meaning.
    #[error("the {option} is {found}, expected {expected}")]
    Option {
        /// Which one.
        option: &'static str,
        /// Its value.
        found: f64,
        /// The values with a meaning.
        expected: &'static str,
    },
}

/// Cross-entropy of `logits` `[n, k]` and one label per sample, smoothed as PyTorch's
/// `cross_entropy(label_smoothing=s)` does (Szegedy et al. 2016, section 7): the mean of
/// `-sum_c q_c log softmax(z)_c`, where `q = (1 - s) onehot(label) + s / k`. The gradient
/// `(softmax(z) - q) / n` is written to `gradient` `[n, k]`.
///
/// # Errors
/// If there are no samples, sizes or labels do not fit, or `smoothing` is not from 0 to 1.
pub fn cross_entropy(
    logits: &[f32],
    labels: &[usize],
    smoothing: f64,
    gradient: &mut [f32],
) -> Result<f64, LossError> {
    check_smoothing(smoothing)?;
    let classes = columns(logits, labels)?;
    same_size("gradient", gradient.len(), logits.len())?;
    let count = labels.len() as f64;
    let even = smoothing / classes as f64;
    let mut logs = vec![0.0; classes];
    let mut total = 0.0;
    let rows = logits.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes));
    for ((row, slopes), &label) in rows.zip(labels) {
        log_softmax(row, 1.0, &mut logs);
        for (class, (slope, log)) in slopes.iter_mut().zip(&logs).enumerate() {
            let wanted = even + if class == label { 1.0 - smoothing } else { 0.0 };
            if wanted > 0.0 {
                total -= wanted * log;
            }
            *slope = ((log.exp() - wanted) / count) as f32;
        }
    }
    Ok(total / count)
}

/// Binary cross-entropy of `logits` `[n, k]`, of samples that are each of the classes in its set, smoothed: the mean
/// over samples and classes of `-q log s(z) - (1 - q) log(1 - s(z))` with the sigmoid `s` and
/// `q = (1 - smoothing) y + smoothing / 2`, where `y` is 1 for the classes of the set and 0 for others (PyTorch's
/// `BCEWithLogitsLoss`). The gradient `(s(z) - q) / (n k)` is written to `gradient` `[n, k]`.
///
/// # Errors
/// If there are no samples, sizes or classes do not fit, or `smoothing` is not from 0 to 1.
pub fn binary_cross_entropy(
    logits: &[f32],
    sets: &[Vec<usize>],
    smoothing: f64,
    gradient: &mut [f32],
) -> Result<f64, LossError> {
    check_smoothing(smoothing)?;
    let classes = columns_of_sets(logits, sets)?;
    same_size("gradient", gradient.len(), logits.len())?;
    let count = logits.len() as f64;
    let mut total = 0.0;
    for (at, (&logit, slope)) in logits.iter().zip(gradient).enumerate() {
        let (row, class, logit) = (at / classes, at % classes, f64::from(logit));
        let label = f64::from(u8::from(sets[row].contains(&class)));
        let wanted = (1.0 - smoothing) * label + smoothing / 2.0;
        // log(1 + exp(z)) - q z, by which neither end overflows.
        total += logit.max(0.0) + (-logit.abs()).exp().ln_1p() - wanted * logit;
        *slope = ((1.0 / (1.0 + (-logit).exp()) - wanted) / count) as f32;
    }
    Ok(total / count)
}

/// How many samples of `logits` `[n, k]` are above 0 at the classes of their sets and nowhere else.
///
/// # Errors
/// If sizes or classes do not fit; no samples are fine.
pub fn decided(logits: &[f32], sets: &[Vec<usize>]) -> Result<usize, LossError> {
    if logits.is_empty() && sets.is_empty() {
        return Ok(0);
    }
    let classes = columns_of_sets(logits, sets)?;
    let right = |(row, set): &(&[f32], &Vec<usize>)| {
        row.iter().enumerate().all(|(class, logit)| (*logit > 0.0) == set.contains(&class))
    };
    Ok(logits.chunks_exact(classes).zip(sets).filter(right).count())
}

fn check_smoothing(smoothing: f64) -> Result<(), LossError> {
    let expected = "a number from 0 to 1";
    match (0.0..=1.0).contains(&smoothing) {
        true => Ok(()),
        false => Err(LossError::Option { option: "label smoothing", found: smoothing, expected }),
    }
}

/// Distillation (Hinton et al. 2015, section 2) of logits `[n, classes]`: the mean over samples of
/// `T^2 KL(softmax(teacher / T) || softmax(student / T))`. The gradient with respect to the student
/// `T (softmax(student / T) - softmax(teacher / T)) / n` is written to `gradient` `[n, classes]`.
///
/// # Errors
/// If there are no samples, sizes do not fit, or `temperature` is not finite and above 0.
pub fn distillation(
    student: &[f32],
    teacher: &[f32],
    classes: usize,
    temperature: f64,
    gradient: &mut [f32],
) -> Result<f64, LossError> {
    if !(temperature.is_finite() && temperature > 0.0) {
        let expected = "a finite number above 0";
        return Err(LossError::Option { option: "temperature", found: temperature, expected });
    }
    let count = rows(student, classes)? as f64;
    same_size("teacher", teacher.len(), student.len())?;
    same_size("gradient", gradient.len(), student.len())?;
    let (mut found, mut wanted) = (vec![0.0; classes], vec![0.0; classes]);
    let mut total = 0.0;
    let rows = student.chunks_exact(classes).zip(teacher.chunks_exact(classes));
    for ((own, other), slopes) in rows.zip(gradient.chunks_exact_mut(classes)) {
        log_softmax(own, temperature, &mut found);
        log_softmax(other, temperature, &mut wanted);
        for (slope, (&log, &target)) in slopes.iter_mut().zip(found.iter().zip(&wanted)) {
            let share = target.exp();
            if share > 0.0 {
                total += share * (target - log);
            }
            *slope = (temperature * (log.exp() - share) / count) as f32;
        }
    }
    Ok(temperature * temperature * total / count)
}

/// The mean over all elements of `(found - wanted)^2`, for features of any shape. The gradient with
/// respect to `found`, `2 (found - wanted) / elements`, is written to `gradient`.
///
/// # Errors
/// If there are no elements or sizes do not fit.
pub fn squared_error(
    found: &[f32],
    wanted: &[f32],
    gradient: &mut [f32],
) -> Result<f64, LossError> {
    if found.is_empty() {
        return Err(LossError::Empty);
    }
    same_size("target", wanted.len(), found.len())?;
    same_size("gradient", gradient.len(), found.len())?;
    let count = found.len() as f64;
    let mut total = 0.0;
    for (slope, (&x, &y)) in gradient.iter_mut().zip(found.iter().zip(wanted)) {
        let difference = f64::from(x) - f64::from(y);
        total += difference * difference;
        *slope = (2.0 * difference / count) as f32;
    }
    Ok(total / count)
}

/// How many samples of `logits` `[n, k]` have their largest logit, the first of equals, at their
/// label. Samples with a NaN are wrong.
///
/// # Errors
/// If sizes or labels do not fit; no samples are fine.
pub fn correct(logits: &[f32], labels: &[usize]) -> Result<usize, LossError> {
    if logits.is_empty() && labels.is_empty() {
        return Ok(0);
    }
    let classes = columns(logits, labels)?;
    let hit = |&(row, &label): &(&[f32], &usize)| {
        let top = row[label];
        row[..label].iter().all(|&x| x < top) && row[label..].iter().all(|&x| x <= top)
    };
    Ok(logits.chunks_exact(classes).zip(labels).filter(hit).count())
}

/// `log softmax(row / temperature)`.
fn log_softmax(row: &[f32], temperature: f64, out: &mut [f64]) {
    let largest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    for (log, &x) in out.iter_mut().zip(row) {
        *log = (f64::from(x) - largest) / temperature;
    }
    let sum = out.iter().map(|x| x.exp()).sum::<f64>().ln();
    out.iter_mut().for_each(|log| *log -= sum);
}

/// Columns of logits with a row for each label, all labels being columns.
fn columns(logits: &[f32], labels: &[usize]) -> Result<usize, LossError> {
    let classes = logits.len().checked_div(labels.len()).ok_or(LossError::Empty)?;
    same_size("logits", logits.len(), labels.len() * classes.max(1))?;
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(classes),
        Some(sample) => Err(LossError::Label { sample, label: labels[sample], classes }),
    }
}

/// Columns of logits with a row for each set, all classes of the sets being columns.
fn columns_of_sets(logits: &[f32], sets: &[Vec<usize>]) -> Result<usize, LossError> {
    let largest = |set: &Vec<usize>| set.iter().copied().max().unwrap_or(0);
    columns(logits, &sets.iter().map(largest).collect::<Vec<usize>>())
}

/// Rows of logits with `classes` columns; at least one.
fn rows(logits: &[f32], classes: usize) -> Result<usize, LossError> {
    match logits.len().checked_div(classes) {
        None | Some(0) => Err(LossError::Empty),
        Some(count) => same_size("logits", logits.len(), count * classes).map(|()| count),
    }
}

fn same_size(what: &'static str, found: usize, expected: usize) -> Result<(), LossError> {
    if found == expected { Ok(()) } else { Err(LossError::Size { what, found, expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, assert_close};
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Expected {
        #[serde(default)]
        option: f64,
        loss: f64,
        gradient: Vec<f32>,
    }

    #[derive(Deserialize)]
    struct Fixture {
        logits: Vec<f32>,
        teacher: Vec<f32>,
        labels: Vec<usize>,
        cross_entropy: Vec<Expected>,
        distillation: Vec<Expected>,
        squared_error: Expected,
    }

    type Loss<'a> = &'a dyn Fn(&[f32], &mut [f32]) -> Result<f64, LossError>;

    fn assert_agrees(expected: &Expected, logits: &[f32], loss: Loss) {
        let mut gradient = vec![f32::NAN; logits.len()];
        let found = loss(logits, &mut gradient).expect("loss");
        assert!((found - expected.loss).abs() <= 1e-6 * expected.loss, "{found}");
        assert_close(&gradient, &expected.gradient, 0.0);
    }

    #[test]
    fn agrees_with_pytorch() {
        let Fixture { logits, teacher, labels, .. } = fixture::read("losses");
        let expected: Fixture = fixture::read("losses");
        assert!(expected.cross_entropy.len() > 1 && expected.distillation.len() > 1);
        for case in &expected.cross_entropy {
            assert_agrees(case, &logits, &|z, g| cross_entropy(z, &labels, case.option, g));
        }
        for case in &expected.distillation {
            assert_agrees(case, &logits, &|z, g| distillation(z, &teacher, 5, case.option, g));
        }
        assert_agrees(&expected.squared_error, &logits, &|z, g| squared_error(z, &teacher, g));
    }

    /// The gradient against central differences with steps a float can represent.
    fn assert_slopes(logits: &[f32], loss: Loss) {
        let mut gradient = vec![0.0; logits.len()];
        loss(logits, &mut gradient).expect("loss");
        for (at, &slope) in gradient.iter().enumerate() {
            let at_offset = |offset: f32| {
                let mut moved = logits.to_vec();
                moved[at] += offset;
                let value = loss(&moved, &mut vec![0.0; logits.len()]).expect("loss");
                (f64::from(moved[at]), value)
            };
            let ((left, below), (right, above)) = (at_offset(-1e-2), at_offset(1e-2));
            let difference = (above - below) / (right - left);
            assert!((difference - f64::from(slope)).abs() < 2e-4, "{at}: {difference} {slope}");
        }
    }

    proptest! {
        #[test]
        fn gradients_are_slopes(
            logits in prop::collection::vec(-4.0_f32..4.0, 12),
            teacher in prop::collection::vec(-4.0_f32..4.0, 12),
            labels in prop::collection::vec(0_usize..4, 3),
            smoothing in 0.0_f64..=1.0,
            temperature in 0.5_f64..8.0,
        ) {
            assert_slopes(&logits, &|z, g| cross_entropy(z, &labels, smoothing, g));
            let sets: Vec<Vec<usize>> = labels.iter().map(|&label| (label..3).collect()).collect();
            assert_slopes(&logits, &|z, g| binary_cross_entropy(z, &sets, smoothing, g));
            assert_slopes(&logits, &|z, g| distillation(z, &teacher, 4, temperature, g));
            assert_slopes(&logits, &|z, g| squared_error(z, &teacher, g));
        }

        #[test]
        fn a_constant_added_to_a_row_changes_nothing(
            logits in prop::collection::vec(-40_i8..40, 6),
            label in 0_usize..6,
            constant in -1_000_000_i32..1_000_000,
        ) {
            let plain: Vec<f32> = logits.iter().map(|&x| x.into()).collect();
            let moved: Vec<f32> = plain.iter().map(|x| x + constant as f32).collect();
            let loss = |logits: &[f32]| {
                let mut gradient = vec![0.0; 6];
                let loss = cross_entropy(logits, &[label], 0.1, &mut gradient).expect("loss");
                (loss, gradient)
            };
            prop_assert_eq!(loss(&plain), loss(&moved));
        }
    }

    #[test]
    fn huge_logits_stay_finite() {
        let (logits, mut gradient) = ([3e38, -3e38], [0.0; 2]);
        let right = cross_entropy(&logits, &[0], 0.0, &mut gradient).expect("loss");
        assert_eq!((right, gradient), (0.0, [0.0, 0.0]));
        let wrong = cross_entropy(&logits, &[1], 0.0, &mut gradient).expect("loss");
        assert!((wrong / 6e38 - 1.0).abs() < 1e-6);
        assert_eq!(gradient, [1.0, -1.0]);
        let far = distillation(&logits, &[-3e38, 3e38], 2, 4.0, &mut gradient).expect("loss");
        assert!(far.is_finite() && gradient == [4.0, -4.0]);
        assert_eq!(distillation(&logits, &logits, 2, 4.0, &mut gradient), Ok(0.0));
    }

    #[test]
    fn every_class_is_decided_for_itself() {
        // torch.nn.functional.binary_cross_entropy_with_logits(
        //     torch.tensor([[1., -2.], [0.5, 3.]]), torch.tensor([[1., 0.], [1., 1.]]))
        let (logits, mut gradient) = ([1.0, -2.0, 0.5, 3.0], [0.0; 4]);
        let sets = [vec![0], vec![0, 1]];
        let loss = binary_cross_entropy(&logits, &sets, 0.0, &mut gradient).expect("loss");
        assert!((loss - 0.240_712_7).abs() < 1e-6, "{loss}");
        assert_eq!(decided(&logits, &sets), Ok(2));
        assert_eq!(decided(&logits, &[vec![0], vec![1]]), Ok(1));
        assert_eq!(decided(&[0.0, f32::NAN], &[vec![]]), Ok(1));
        assert_eq!(decided(&[], &[]), Ok(0));
        let far = binary_cross_entropy(&[3e38, -3e38], &[vec![1]], 0.0, &mut [0.0; 2]);
        assert!(far.is_ok_and(|loss| (loss / 3e38 - 1.0).abs() < 1e-6));
    }

    #[test]
    fn the_first_largest_logit_counts_and_nan_never() {
        let logits = [1.0, 3.0, 3.0, 0.0, f32::NAN, 5.0, f32::NAN, f32::NAN, 2.0];
        assert_eq!(correct(&logits, &[1, 2, 2]), Ok(1));
        assert_eq!(correct(&logits, &[2, 2, 0]), Ok(0));
        assert_eq!(correct(&logits[..3], &[0]), Ok(0));
        assert_eq!(correct(&[], &[]), Ok(0));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (logits, mut gradient) = ([0.0; 6], [0.0; 6]);
        let label = cross_entropy(&logits, &[0, 3], 0.0, &mut gradient).expect_err("refused");
        assert_eq!(label.to_string(), "sample 1 has label 3, but there are 3 classes, from 0");
        assert_eq!(correct(&logits, &[0, 3]), Err(label));
        assert_eq!(cross_entropy(&[], &[], 0.0, &mut []), Err(LossError::Empty));
        assert_eq!(distillation(&[], &[], 3, 1.0, &mut []), Err(LossError::Empty));
        assert_eq!(squared_error(&[], &[], &mut []), Err(LossError::Empty));
        let size = |result| matches!(result, Err(LossError::Size { .. }));
        assert!(size(cross_entropy(&logits, &[0; 4], 0.0, &mut gradient)));
        assert!(size(cross_entropy(&[], &[0], 0.0, &mut [])));
        assert!(size(cross_entropy(&logits, &[0; 2], 0.0, &mut gradient[1..])));
        assert!(size(distillation(&logits, &logits, 4, 1.0, &mut gradient)));
        assert!(size(distillation(&logits, &logits[1..], 3, 1.0, &mut gradient)));
        assert!(size(squared_error(&logits, &logits, &mut gradient[1..])));
        let option = |result| matches!(result, Err(LossError::Option { .. }));
        assert!(option(cross_entropy(&logits, &[0; 2], f64::NAN, &mut gradient)));
        assert!(option(cross_entropy(&logits, &[0; 2], 1.5, &mut gradient)));
        assert!(option(binary_cross_entropy(&logits, &[vec![], vec![]], -0.1, &mut gradient)));
        assert!(size(binary_cross_entropy(&logits, &[vec![], vec![]], 0.0, &mut gradient[1..])));
        assert!(binary_cross_entropy(&logits, &[vec![], vec![3]], 0.0, &mut gradient).is_err());
        assert!(option(distillation(&logits, &logits, 3, 0.0, &mut gradient)));
    }
}
