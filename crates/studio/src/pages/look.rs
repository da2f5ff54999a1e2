//! Looking at a model: what it is made of, what is kept, and how it decides.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use brickwork::reports::Reported;
use brickwork::verbs::{Context, DataInput, Diff, ModelInput, Report, Route, Verb};
use brickwork::{Classifier, inspect, show};
use brickwork_formats::onnx::ReadOptions;
use maud::{Markup, html};

use super::answering::blocking;
use super::fields::Fields;
use super::frame::{self, escaped, link};
use super::names::{listed, profile_of, report_of};
use crate::app::App;
use crate::failure::StudioError;
use crate::shelf::{Facts, Suited};
use crate::work::Step;

pub(crate) fn page(app: &App, fields: &Fields) -> Result<Markup, StudioError> {
    let facts = app.shelf.model(fields.need("model")?)?;
    let model = Classifier::load(facts.file.as_ref(), &ReadOptions::default(), None)?;
    let reported = report_of(&facts.file);
    let body = html! {
        div.actions {
            a.button href=(link("/model", "file", &facts.file)) download { "Save" }
            a.button href=(link("/try", "model", &facts.file)) { "Try" }
            (reporting(app, &facts))
            @if reported.exists() { a.button href=(link("/report", "model", &facts.file)) target="_blank" { "Open its report" } }
        }
        (comparing(app, &facts))
        (routes_of(&facts))
        (show::about(&model, &inspect(&model), None, false))
    };
    Ok(frame::page(app, "/", &facts.name, body))
}

/// A form that puts another model beside this one.
fn comparing(app: &App, facts: &Facts) -> Markup {
    let others: Vec<_> = app.shelf.usable().filter(|other| other.file != facts.file).collect();
    html! { @if !others.is_empty() {
        form.inline method="get" action="/diff" {
            input type="hidden" name="a" value=(facts.file);
            label { "Beside" select name="b" {
                @for other in &others { option value=(other.file) { (other.name) } }
            } }
            button { "Compare" }
        }
    } }
}

/// Two models side by side.
pub(crate) fn diff(app: &App, fields: &Fields) -> Result<Markup, StudioError> {
    let of = |name| app.shelf.model(fields.need(name)?).map(|facts| facts.file.clone().into());
    let request = Diff { a: of("a")?, b: of("b")?, ..Diff::default() };
    let answer = request.run(&Context::default())?;
    Ok(frame::page(app, "/", &request.title(&answer), request.body(&answer)))
}

/// A button to make a report with figures and pictures, where there are images.
fn reporting(app: &App, facts: &Facts) -> Markup {
    html! { @if !data_of(app, facts).is_empty() {
        form method="post" action="/report" {
            input type="hidden" name="model" value=(facts.file);
            button { "Measure it and make a report" }
        }
    } }
}

/// The images to measure a model on: for every part, or for the whole, those that suit it best.
fn data_of(app: &App, facts: &Facts) -> Vec<String> {
    let named = |suited: &Suited| match &suited.part {
        Some(part) => format!("{part}={}", suited.images.path),
        None => suited.images.path.clone(),
    };
    app.shelf.suited(facts).iter().map(named).collect()
}

/// Begins to make a report.
pub(crate) fn report(app: &App, fields: &Fields) -> Result<String, StudioError> {
    let facts = app.shelf.model(fields.need("model")?)?;
    let request = Report {
        model: ModelInput::file(&facts.file),
        data: DataInput { data: data_of(app, &facts), ..DataInput::default() },
        output: Some(report_of(&facts.file)),
        ..Report::default()
    };
    let steps = vec![Step::Report(Box::new(request))];
    app.jobs.begin(format!("Report on {}", facts.name), steps).map(|id| format!("/jobs/{id}"))
}

/// A report, which is a page of its own.
pub(crate) async fn read(
    State(app): State<App>,
    Query(fields): Query<Fields>,
) -> Result<Response, StudioError> {
    let page = blocking(move || {
        let facts = app.shelf.model(fields.need("model")?)?;
        let place = report_of(&facts.file);
        std::fs::read_to_string(&place)
            .map_err(|error| StudioError::missing(format!("{}: {error}", place.display())))
    })
    .await?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    Ok((headers, page).into_response())
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
            classes: listed(&facts.classes, &[place])?,
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
