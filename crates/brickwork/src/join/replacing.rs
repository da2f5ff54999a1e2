//! Which component a class is taken from: classes are left out, or taken from another component.

use crate::cut::class_removal::without;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Refusal};

/// Classes that a component gives in place of those that have them.
#[derive(Clone, Debug)]
pub struct Substitute {
    /// The component.
    pub component: Classifier,
    /// The names of the classes taken from it.
    pub classes: Vec<String>,
}

/// `parts` without the classes of `removed` and those that substitutes give, then the substitutes,
/// which keep no other class. A part without a class left is gone. All other scores stay as they are,
/// to the bit.
///
/// # Errors
/// If no part has one of the classes, one is named twice, a substitute lacks one it is to give, or a
/// class cannot be taken out of a part.
pub fn replaced(
    parts: &[Classifier],
    removed: &[String],
    substitutes: &[Substitute],
) -> Result<Vec<Classifier>, Error> {
    let given = substitutes.iter().flat_map(|substitute| &substitute.classes);
    let gone: Vec<&String> = removed.iter().chain(given).collect();
    let all: Vec<String> = parts.iter().flat_map(Classifier::class_names).collect();
    if let Some(name) = gone.iter().find(|name| !all.contains(name)) {
        let message = format!("no part has a class {name}; they have {}", all.join(", "));
        return Err(about_class(name, message));
    }
    if let Some(name) = named_twice(&gone) {
        return Err(about_class(name, format!("class {name} is removed or replaced twice")));
    }
    let mut joined = Vec::new();
    for part in parts {
        joined.extend(with_classes(part, |name| !gone.contains(&name))?);
    }
    for Substitute { component, classes } in substitutes {
        component.indices_of(classes)?;
        joined.extend(with_classes(component, |name| classes.contains(name))?);
    }
    Ok(joined)
}

/// The first name that stands twice among `names`.
pub(crate) fn named_twice<'a>(names: &[&'a String]) -> Option<&'a String> {
    let again = |(place, name): &(usize, &&String)| names[..*place].contains(name);
    names.iter().enumerate().find(again).map(|(_, name)| *name)
}

/// The model with those of its classes that `stays` is true of; `None` if no class is left.
fn with_classes(
    model: &Classifier,
    stays: impl Fn(&String) -> bool,
) -> Result<Option<Classifier>, Error> {
    let lost: Vec<String> = model.class_names().into_iter().filter(|name| !stays(name)).collect();
    if lost.is_empty() { Ok(Some(model.clone())) } else { without(model, &lost) }
}

fn about_class(class: &str, message: String) -> Error {
    Error::Classes(Refusal { message, class: Some(class.to_owned()), ..Refusal::default() })
}
