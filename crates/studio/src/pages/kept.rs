//! The user's own box, whose models are there whatever folder the studio works on.

use std::path::Path;

use brickwork::show::{self, Brick};
use brickwork_box::{Addition, BoxError, Brick as KeptModel, BrickBox, Query};
use maud::{Markup, html};

use super::bricks::{bytes, short};
use super::fields::Fields;
use crate::app::App;
use crate::failure::StudioError;
use crate::folder;
use crate::shelf::Facts;

/// What is in the user's box, if there is one; `here` are the models of the folder.
pub(crate) fn section(app: &App, here: &[&Facts]) -> Markup {
    let Some(models) = listed(app) else { return html! {} };
    html! {
        section {
            h2 { "Kept for every folder" }
            p { "What is in your own box, which " code { "brickwork box" } " keeps for all folders, and commands call by names \
                 such as " code { "box:pets" } "." }
            @match models {
                Err(why) => p.problem { "It cannot be read: " (why) },
                Ok(models) if models.is_empty() => p { "Nothing yet." },
                Ok(models) => div.shelf { @for model in &models { (shown(model, here)) } },
            }
        }
    }
}

/// The models of the user's box; nothing if it was never made.
fn listed(app: &App) -> Option<Result<Vec<KeptModel>, BoxError>> {
    let place = app.user_box.as_deref().filter(|place| place.is_dir())?;
    Some(BrickBox::open(place).and_then(|store| store.list(&Query::default())))
}

fn shown(model: &KeptModel, here: &[&Facts]) -> Markup {
    let name = name_of(model);
    let mut brick = Brick::new(name, &model.facts.classes, 0)
        .fact("parameters", short(model.facts.params))
        .fact("multiply-accumulates", short(model.facts.macs))
        .fact("file", bytes(model.bytes));
    if let Some(accuracy) = model.facts.accuracy {
        brick = brick.fact("accuracy", format!("{accuracy:.2} %"));
    }
    if let Some(licence) = &model.facts.licence {
        brick = brick.fact("licence", licence.clone());
    }
    let same = here.iter().find(|own| own.fingerprint == model.facts.fingerprint);
    html! { div.held {
        (show::brick(&brick))
        div.actions {
            @match same {
                Some(own) => span.quiet { "here as " (own.file) },
                None => form method="post" action="/box/fetch" {
                    input type="hidden" name="model" value=(name);
                    button { "Into this folder" span.hidden { ": " (name) } }
                },
            }
        }
    } }
}

/// By what it is called: its first name, or its digest.
fn name_of(model: &KeptModel) -> &str {
    model.names.first().unwrap_or(&model.digest)
}

/// What keeps a model of the folder in the user's box.
pub(crate) fn keeping(app: &App, facts: &Facts) -> Markup {
    html! { @if app.user_box.is_some() {
        form method="post" action="/box/keep" {
            input type="hidden" name="file" value=(facts.file);
            button { "Keep" span.hidden { " " (facts.name) " in your own box" } }
        }
    } }
}

/// Puts a model of the user's box into the folder.
pub(crate) fn fetch(app: &App, fields: &Fields) -> Result<String, StudioError> {
    let name = fields.need("model")?;
    let file = folder::new_file(folder::plain(name).trim_start_matches(['-', '_']), ".onnx")?;
    opened(app)?.export(name, Path::new(&file)).map_err(refused)?;
    Ok("/".to_owned())
}

/// Keeps a model of the folder in the user's box, with its accuracy if it was measured here.
pub(crate) fn keep(app: &App, fields: &Fields) -> Result<String, StudioError> {
    let facts = app.shelf.model(fields.need("file")?)?;
    let measured = app.shelf.accuracy(&facts);
    let accuracy =
        measured.and_then(|found| found.accuracy.trim_end_matches([' ', '%']).parse().ok());
    let addition = Addition { accuracy, ..Addition::default() };
    opened(app)?.add(Path::new(&facts.file), &addition).map_err(refused)?;
    Ok("/".to_owned())
}

fn opened(app: &App) -> Result<BrickBox, StudioError> {
    let place = app.user_box.as_ref().ok_or_else(|| {
        StudioError::missing("this studio was started without a box; give it one (`--box DIR`)")
    })?;
    BrickBox::open(place).map_err(refused)
}

fn refused(error: BoxError) -> StudioError {
    StudioError::request(error.to_string())
}
