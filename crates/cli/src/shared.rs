//! Verbs asked by name whose work several processes share.

use brickwork::Error;
use brickwork::reports::fields_of;
use brickwork::verbs::{
    Context, Divisible, Eval, Partial, Portion, Profile, RefitLayer, RefitLayerAnswer, Verb, plain,
    refused, understood,
};
use serde_json::Value;

use crate::command::{Answered, Shown, told};

/// A verb whose work several processes share.
struct Shared {
    name: &'static str,
    partial: fn(Value, Option<Portion>, &Context<'_>) -> Result<Partial, Error>,
    finish: fn(Value, Partial, &Context<'_>) -> Result<Answered, Error>,
}

const ALL: &[Shared] = &[
    shared::<Profile>(),
    shared::<Eval>(),
    Shared { name: RefitLayer::NAME, partial: partial_of::<RefitLayer>, finish: finish_layer },
];

const fn shared<V: Shown + Divisible>() -> Shared {
    Shared { name: V::NAME, partial: partial_of::<V>, finish: finish_of::<V> }
}

fn partial_of<V: Divisible>(
    request: Value,
    portion: Option<Portion>,
    context: &Context<'_>,
) -> Result<Partial, Error> {
    understood::<V>(request).map_err(refused)?.partial(portion, context)
}

fn finish_of<V: Shown + Divisible>(
    request: Value,
    whole: Partial,
    context: &Context<'_>,
) -> Result<Answered, Error> {
    let request: V = understood(request).map_err(refused)?;
    let answer = request.finish(whole, context)?;
    told(&request, &answer)
}

/// Of the verb that no command is for.
fn finish_layer(request: Value, whole: Partial, context: &Context<'_>) -> Result<Answered, Error> {
    let request: RefitLayer = understood(request).map_err(refused)?;
    let answer = request.finish(whole, context)?;
    let RefitLayerAnswer { layer, images, rows, .. } = &answer;
    let text = format!("{layer} refitted from {rows} rows of {images} images");
    let json = plain(&answer)?;
    let html = fields_of(&format!("{layer}, refitted"), &json).body().into_string();
    Ok(Answered { json, text, html, succeeded: true })
}

fn find(name: &str) -> Result<&'static Shared, Error> {
    let unknown = || {
        let known: Vec<&str> = ALL.iter().map(|shared| shared.name).collect();
        let known = known.join(", ");
        Error::Options(
            format!("the work of `{name}` cannot be shared, only that of: {known}").into(),
        )
    };
    ALL.iter().find(|shared| shared.name == name).ok_or_else(unknown)
}

/// What is found for the request `request` to the verb `name` on a portion of the images that it names, or on all of
/// them.
///
/// # Errors
/// If there is no such verb, its work cannot be shared, options cannot be understood (all are named), or as
/// [`Divisible::partial`] says.
pub fn partial(
    name: &str,
    request: Value,
    portion: Option<Portion>,
    context: &Context<'_>,
) -> Result<Partial, Error> {
    (find(name)?.partial)(request, portion, context)
}

/// Answers the request from what was found on all images.
///
/// # Errors
/// As [`partial`], or as [`Divisible::finish`] says.
pub fn finish(
    name: &str,
    request: Value,
    whole: Partial,
    context: &Context<'_>,
) -> Result<Answered, Error> {
    (find(name)?.finish)(request, whole, context)
}
