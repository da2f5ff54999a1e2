//! Trying a model: pictures are dropped or pasted, and it says what they show.

use std::path::PathBuf;

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brickwork::verbs::{Context, ModelInput, PixelInput, Predict, Prediction, Verb};
use brickwork_data::Fit;
use maud::{Markup, html};

use super::bricks::brick;
use super::fields::{Fields, Upload};
use super::frame::{self, escaped};
use super::names::profile_of;
use crate::app::App;
use crate::failure::StudioError;
use crate::shelf::{Facts, Suited};

/// How many classes are named of every picture.
const TOP: usize = 5;

pub(crate) fn page(app: &App, fields: &Fields) -> Result<Markup, StudioError> {
    let models: Vec<_> = app.shelf.usable().collect();
    let wanted = fields.get("model");
    let chosen = models.iter().find(|facts| Some(&facts.file[..]) == wanted).or(models.last());
    let body = html! {
        @match chosen {
            None => p.lead { "There is no model in the box yet." },
            Some(facts) => {
                form.inline method="get" action="/try" {
                    label { "Model" select name="model" {
                        @for other in &models { option value=(other.file) selected[other.file == facts.file] { (other.name) } }
                    } }
                    button { "Take this one" }
                }
                div.apart {
                    (brick(facts, app.shelf.accuracy(facts).as_ref(), &html! {}))
                    div {
                        form.drop #try method="post" action="/try" enctype="multipart/form-data"
                            hx-post="/try" hx-encoding="multipart/form-data" hx-target="#answers" hx-swap="afterbegin" {
                            input type="hidden" name="model" value=(facts.file);
                            label { "Drop pictures here, paste one, or choose some"
                                input type="file" name="image" accept="image/*" multiple; }
                            button.main { "What is this?" }
                        }
                        (examples(app, facts))
                        div #answers aria-live="polite" {}
                    }
                }
            }
        }
    };
    Ok(frame::page(app, "/try", "Try it", body))
}

/// Pictures from the folder, one of each class, to try with one click.
fn examples(app: &App, facts: &Facts) -> Markup {
    let sets = app.shelf.suited(facts);
    html! { div.examples { @for Suited { images: set, classes, .. } in &sets { @if let Some(source) = set.seen_by(classes) {
        @for (label, class) in source.class_of.iter().enumerate() { @if let Some(class) = class {
            button type="button" data-example={ "/thumb?data=" (escaped(&set.path)) "&label=" (label) "&k=1" }
                aria-label={ "Try a picture of " (classes.names[*class]) } {
                img src={ "/thumb?data=" (escaped(&set.path)) "&label=" (label) "&k=1" } alt="" width="44" height="44";
            }
        } }
    } } } }
}

/// What a model says of the pictures.
pub(crate) fn answer(
    app: &App,
    fields: &Fields,
    files: Vec<Upload>,
) -> Result<Response, StudioError> {
    let facts = app.shelf.model(fields.need("model")?)?;
    let body = match predicted(app, &facts, &files) {
        Ok(answers) => {
            html! { @for (file, answer) in files.iter().zip(&answers) { (said(app, &facts, file, answer)) } }
        }
        Err(error) => html! { p.error role="alert" { (error) } },
    };
    Ok(body.into_response())
}

fn predicted(app: &App, facts: &Facts, files: &[Upload]) -> Result<Vec<Prediction>, StudioError> {
    if files.is_empty() {
        return Err(StudioError::request("choose a picture first"));
    }
    let folder = tempfile::tempdir_in(app.store.place("tried"))
        .map_err(|error| StudioError::Place { place: "pictures to try".to_owned(), error })?;
    let mut images = Vec::new();
    for (k, file) in files.iter().enumerate() {
        let ending = std::path::Path::new(&file.name)
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or("png");
        let ending: String = ending.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let path: PathBuf = folder.path().join(format!("{k}.{ending}"));
        std::fs::write(&path, &file.bytes)
            .map_err(|error| StudioError::Place { place: path.display().to_string(), error })?;
        images.push(path);
    }
    // Pictures from anywhere have any size.
    let fit = facts
        .card
        .preprocess
        .as_ref()
        .is_none_or(|known| known.fit == Fit::Exact)
        .then_some(Fit::Cover);
    let pixels = PixelInput { fit, ..PixelInput::default() };
    let request =
        Predict { model: ModelInput::file(&facts.file), images, pixels, top: TOP, csv: None };
    Ok(request.run(&Context::default())?.images)
}

/// One picture with what is said of it.
fn said(app: &App, facts: &Facts, file: &Upload, answer: &Prediction) -> Markup {
    let picture = format!("data:{};base64,{}", kind(&file.bytes), STANDARD.encode(&file.bytes));
    html! { article.said {
        img src=(picture) alt={ "The picture " (file.name) } width="112" height="112";
        div {
            @if let Some(error) = &answer.error { p.error role="alert" { (error) } }
            @if let Some(first) = answer.classes.first() {
                p.first { strong { (first.class) } " " (first.score)
                    @if let Some(part) = &answer.part { span.tag { "answered by " (part) } }
                    @if answer.accepted == Some(false) { span.tag.bad { "below the model's threshold: probably none of its classes" } }
                }
                ol.scores { @for guess in &answer.classes { li {
                    span { (guess.class) }
                    meter min="0" max="100" value=(format!("{:.2}", guess.score.number())) {}
                    span.number { (guess.score) }
                } } }
                @if let Some((model, class)) = route(app, facts, answer) {
                    details {
                        summary { "Through which channels " (class) " is decided in " (model) }
                        img.route src={ "/routes.svg?model=" (escaped(&model)) "&class=" (escaped(&class)) } loading="lazy"
                            alt={ "Channels of " (model) " that decide " (class) ", layer by layer" };
                    }
                }
            }
        }
    } }
}

/// The model whose profile tells through which channels the answer came, and the class there.
fn route(app: &App, facts: &Facts, answer: &Prediction) -> Option<(String, String)> {
    let guess = answer.classes.first()?;
    let part = facts.card.parts.iter().find(|part| Some(&part.name) == answer.part.as_ref());
    let (origin, place) = match part {
        Some(part) => {
            (part.origin.as_ref()?, part.logits.iter().position(|&logit| logit == guess.index)?)
        }
        None => match facts.origin() {
            Some(origin) => (origin, guess.index),
            None => {
                return profiled(&facts.file).then(|| (facts.file.clone(), guess.class.clone()));
            }
        },
    };
    let source = app.shelf.usable().find(|other| other.fingerprint == origin.fingerprint)?;
    let class = source.classes.get(*origin.classes.get(place)?)?;
    profiled(&source.file).then(|| (source.file.clone(), class.clone()))
}

fn profiled(file: &str) -> bool {
    profile_of(file).exists()
}

/// The type of a picture, by its first bytes.
fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        [b'B', b'M', ..] => "image/bmp",
        _ => "image/tiff",
    }
}
