//! A model that has given up some classes, and nothing else.

use crate::cut::kept_channels::within;
use crate::cut::plan::{Choice, Plan};
use crate::model::card::Card;
use crate::model::classifier::Classifier;
use crate::model::error::Error;

/// `model` without the classes of these names: the rows of its head are gone, every other score is
/// what it was, to the bit. `None` if no class is left.
///
/// # Errors
/// If the model does not have a class, was assembled, or its head cannot be cut.
pub fn without(model: &Classifier, lost: &[String]) -> Result<Option<Classifier>, Error> {
    let lost = model.indices_of(lost)?;
    if !model.card().parts.is_empty() {
        return Err(Error::options(format!(
            "`{}` is assembled; take the classes from its parts and assemble these again",
            model.name
        )));
    }
    let rest: Vec<usize> = (0..model.class_count()).filter(|k| !lost.contains(k)).collect();
    if rest.is_empty() {
        return Ok(None);
    }
    let plan = Plan::new(model, &rest, &Choice::Everything, 1)?;
    let (graph, checked) = plan.cut(model, 0)?;
    let fresh = plan.card(model, &Choice::Everything, checked);
    let origin = match &model.card().origin {
        None => fresh.origin,
        Some(origin) => {
            let mut origin = origin.clone();
            origin.classes = rest.iter().map(|&k| origin.classes[k]).collect();
            origin.kept = within(&origin.kept, &plan.kept);
            origin.samples.retain(|note| origin.classes.contains(&note.class));
            Some(origin)
        }
    };
    let card = Card {
        classes: fresh.classes,
        head: fresh.head,
        origin,
        moments: None,
        reject: None,
        ..model.card().clone()
    };
    Classifier::described(model.name.clone(), graph, card).map(Some)
}
