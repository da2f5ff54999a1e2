//! The factors and shifts of an assembled model's logits.

use std::sync::Arc;

use brickwork_graph::{Patch, ValueId};
use brickwork_tensor::Tensor;

use super::method::Method;
use crate::join::head::{SCALE, SHIFT};
use crate::model::card::{CalibrationNote, Card};
use crate::model::classifier::Classifier;
use crate::model::error::Error;

/// Refuses a model that has no factors and shifts to set, or whose weights a calibration has changed.
///
/// # Errors
/// If it is one.
pub(super) fn check(model: &Classifier) -> Result<(), Error> {
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
pub(super) fn with_factors(
    model: &Classifier,
    note: Option<CalibrationNote>,
) -> Result<Classifier, Error> {
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

/// The value that holds the parts' logits before calibration.
pub(super) fn raw_logits(model: &Classifier) -> Result<ValueId, Error> {
    let scale = model.graph().find_value(SCALE);
    let reader = model.graph().nodes().iter().find(|node| node.inputs.contains(&scale));
    reader.and_then(|node| node.input(0)).ok_or_else(|| {
        Error::model(format!(
            "the calibration nodes of `{}` are gone; assemble it again",
            model.name
        ))
    })
}
