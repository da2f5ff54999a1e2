//! Looking at a model: what it is made of, what is kept, and how it decides.

use std::path::PathBuf;

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use brickwork::Inspection;
use brickwork::verbs::{Context, Inspect, InspectAnswer, ModelInput, Route, Verb};
use maud::{Markup, html};

use super::blocking;
use super::bricks::{brick, short};
use super::fields::Fields;
use super::frame::{self, escaped, link};
use crate::failure::StudioError;
use crate::server::App;
use crate::shelf::Facts;

pub(crate) fn page(app: &App, fields: &Fields) -> Result<Markup, StudioError> {
    let facts = app.shelf.model(fields.need("model")?)?;
    let asked = Inspect { model: ModelInput::file(&facts.file), ..Inspect::default() };
    let inspected = asked.run(&Context::default())?;
    let actions = html! {
        a.button href=(link("/model", "file", &facts.file)) download { "Save" }
        a.button href=(link("/try", "model", &facts.file)) { "Try" }
    };
    let body = html! {
        div.apart {
            (brick(&facts, app.shelf.accuracy(&facts).as_ref(), &actions))
            div {
                (came_from(&facts))
                (parts(&facts))
                (calibration(&facts))
                (routes_of(&facts))
                @if let InspectAnswer::Model(inspection) = &inspected { (layers(&facts, inspection)) }
            }
        }
    };
    Ok(frame::page(app, "/", &facts.name, body))
}

/// What it was cut out of.
fn came_from(facts: &Facts) -> Markup {
    let Some(origin) = facts.origin() else { return html! {} };
    html! { section {
        h2 { "Where it comes from" }
        p { "Cut out of " strong { (origin.source) } ": " (origin.classes.len()) " of its " (origin.of) " classes."
            @if let Some(refit) = &origin.refit { " Its weights were refitted in closed form on " (refit.images) " images." }
            @if origin.trained { " They were trained since." } }
    } }
}

/// What it was assembled of.
fn parts(facts: &Facts) -> Markup {
    let parts = &facts.card.parts;
    html! { @if !parts.is_empty() { section {
        h2 { "Its parts" }
        ul { @for part in parts { li { strong { (part.name) } ": " (part.classes.join(", ")) } } }
    } } }
}

/// How its scores were made comparable.
fn calibration(facts: &Facts) -> Markup {
    html! { @if let Some(note) = &facts.card.calibration { section {
        h2 { "Calibration" }
        p { "By the method " strong { (note.method) } " on " (note.images) " images." }
    } } }
}

/// Through which channels its classes are decided.
fn routes_of(facts: &Facts) -> Markup {
    html! { @if profile_of(&facts.file).exists() { section {
        h2 { "How classes are decided" }
        form.inline.routes {
            @for class in &facts.classes {
                a.button href={ (link("/routes.svg", "model", &facts.file)) "&class=" (escaped(class)) } target="_blank" { (class) }
            }
        }
    } } }
}

/// Its layers, and what is kept of them.
fn layers(facts: &Facts, inspection: &Inspection) -> Markup {
    html! { section {
        h2 { "Layers" }
        div.scroll { table {
            thead { tr { th scope="col" { "layer" } th scope="col" { "makes" } th scope="col" { "parameters" } th scope="col" { "MACs" }
                         @if facts.origin().is_some() { th scope="col" { "channels kept" } } } }
            tbody { @for row in inspection.layers.iter().filter(|row| row.params > 0) { tr {
                th scope="row" { (row.name) " " span.quiet { (row.op) } }
                td { (row.output) }
                td { (short(row.params as u64)) }
                td { (short(row.macs)) }
                @if let Some(origin) = facts.origin() { td { (origin.kept.get(&row.name).map_or(String::new(), |kept| kept.output.len().to_string())) } }
            } } }
        } }
    } }
}

/// Where the profile of a model lies.
pub(crate) fn profile_of(file: &str) -> PathBuf {
    PathBuf::from(file).with_extension("profile.safetensors")
}

/// The drawing of the route of a class.
pub(crate) async fn routes(
    State(app): State<App>,
    Query(fields): Query<Fields>,
) -> Result<Response, StudioError> {
    let svg = blocking(move || {
        let facts = app.shelf.model(fields.need("model")?)?;
        let class = fields.need("class")?;
        let place = facts.classes.iter().position(|own| own == class);
        let place = place
            .ok_or_else(|| StudioError::missing(format!("{} has no class {class}", facts.name)))?;
        let request = Route {
            profile: profile_of(&facts.file),
            model: ModelInput::file(&facts.file),
            classes: super::apart::listed(&facts.classes, &[place])?,
            ..Route::default()
        };
        Ok(request.run(&Context::default())?.route.to_svg())
    })
    .await?;
    // The drawing is a file of its own, with its style inside.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    Ok(([(header::CONTENT_TYPE, "image/svg+xml"), (header::CONTENT_SECURITY_POLICY, policy)], svg)
        .into_response())
}
