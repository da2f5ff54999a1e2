//! Jobs: how far they are, what came out, and what can be done with that.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use brickwork::show::thousands;
use brickwork::verbs::{Disassemble, Share};
use futures_util::stream::{self, Stream};
use maud::{Markup, html};
use serde_json::Value;
use tokio::sync::watch;

use super::answering::blocking;
use super::bricks::{brick, short};
use super::curve;
use super::fields::Fields;
use super::frame::{self, link};
use crate::app::App;
use crate::failure::StudioError;
use crate::folder::new_file;
use crate::jobs::{Job, Phase, Record, State as JobState};
use crate::work::Step;

/// How often a page is told of what is new, at most.
const PACE: Duration = Duration::from_millis(200);

/// All jobs, the newest first.
pub(crate) fn all(app: &App, _: &Fields) -> Result<Markup, StudioError> {
    let jobs = app.jobs.all();
    let body = html! {
        @if jobs.is_empty() { p.lead { "Nothing was asked for yet. Take a model apart, or join some on the baseplate." } }
        ol.jobs reversed { @for job in jobs.iter().rev() {
            @let record = job.record();
            li { a href={ "/jobs/" (record.id) } { (record.title) } " " (state(record.state)) }
        } }
    };
    Ok(frame::page(app, "/jobs", "Jobs", body))
}

fn state(state: JobState) -> Markup {
    html! { span class={ "state " (state.word()) } { (state.word()) } }
}

/// One job.
pub(crate) async fn page(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Markup, StudioError> {
    blocking(move || {
        let job = app.jobs.job(id)?;
        let record = job.record();
        let events = format!("/jobs/{id}/events");
        let body = html! {
            @if record.state.is_over() {
                div #job { (shown(&app, &job)) }
            } @else {
                div #job hx-ext="sse" sse-connect=(events) sse-swap="state" sse-close="over" { (shown(&app, &job)) }
            }
        };
        Ok(frame::page(&app, "/jobs", &record.title, body))
    })
    .await
}

/// What a job has to tell, whenever there is something new.
pub(crate) async fn events(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, StudioError> {
    let job = app.jobs.job(id)?;
    let changes = job.changes();
    let listener = Listener { app, job, changes, told: Told::Part };
    Ok(Sse::new(stream::unfold(listener, Listener::next)).keep_alive(KeepAlive::default()))
}

/// Somebody who looks on.
struct Listener {
    app: App,
    job: Arc<Job>,
    changes: watch::Receiver<u64>,
    told: Told,
}

impl Listener {
    /// What is told next, if anything is.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        match self.told {
            Told::End => None,
            Told::Whole => {
                self.told = Told::End;
                Some((Ok(Event::default().event("over").data("over")), self))
            }
            Told::Part => {
                let event = self.state().await;
                Some((Ok(event), self))
            }
        }
    }

    /// How the job is, once something about it is new.
    async fn state(&mut self) -> Event {
        self.changes.mark_unchanged();
        let (app, job, over) =
            (self.app.clone(), Arc::clone(&self.job), self.job.state().is_over());
        let draw = move || Ok(html! { (shown(&app, &job)) (frame::running(&app)) }.into_string());
        let drawn = blocking(draw).await.unwrap_or_default();
        if over {
            self.told = Told::Whole;
        } else {
            tokio::time::sleep(PACE).await;
            // The sender lives as long as the job.
            let _ = self.changes.changed().await;
        }
        Event::default().event("state").data(drawn)
    }
}

/// What a listener was told.
#[derive(Clone, Copy)]
enum Told {
    /// How far the job is.
    Part,
    /// What came of it.
    Whole,
    /// That there is no more.
    End,
}

/// All that is known of a job.
fn shown(app: &App, job: &Job) -> Markup {
    let record = job.record();
    let done = record.answers.len();
    html! {
        p role="status" { (state(record.state)) " "
            @if !record.state.is_over() { "step " (done + 1) " of " (record.steps.len()) } }
        @if let Some(error) = &record.error { p.error role="alert" { (error) } }
        ol.steps { @for (k, step) in record.steps.iter().enumerate() {
            li.done[k < done] aria-current=[(k == done && !record.state.is_over()).then_some("step")] {
                span { (step.title()) }
                @if k == done && record.state == JobState::Running { (progress(&job.phase())) }
                @if let Some(answer) = record.answers.get(k) { (facts(step, answer)) }
            }
        } }
        @if let Some(points) = record.found.get("frontier") { (curve::frontier(points)) }
        (choices(&record))
        (buttons(&record))
        @if record.state == JobState::Done { (made(app, &record)) }
        @if !record.notes.is_empty() {
            details { summary { "What was noted" } ul { @for note in &record.notes { li { (note) } } } }
        }
    }
}

/// How far the running step is.
fn progress(phase: &Phase) -> Markup {
    let seconds = phase.since.map_or(0.0, |since| since.elapsed().as_secs_f64());
    let left = (phase.done > 0 && phase.total > phase.done)
        .then(|| seconds / phase.done as f64 * (phase.total - phase.done) as f64);
    html! { div.progress {
        label { (phase.name) " "
            @if phase.total > 0 { progress value=(phase.done) max=(phase.total) {} }
        }
        @if let Some(left) = left { span.quiet { "about " (left.ceil()) " s left" } }
    } }
}

/// What is worth knowing of an answer.
fn facts(step: &Step, answer: &Value) -> Markup {
    let percent = |path: &str| {
        answer.pointer(path).and_then(Value::as_f64).map(|number| format!("{number:.2} %"))
    };
    let shrunk = |name: &str| {
        let number =
            |when: &str| answer.pointer(&format!("/{name}/{when}")).and_then(Value::as_u64);
        let (before, after) = (number("before")?, number("after")?);
        Some(format!("{} of {}", short(after), short(before)))
    };
    let of = |path: &str| answer.pointer(path).and_then(Value::as_u64).map(short);
    let count = |path: &str| answer.pointer(path).and_then(Value::as_u64).map(thousands);
    let interval = match (percent("/accuracy_interval/0"), percent("/accuracy_interval/1")) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}")),
        _ => None,
    };
    let all = match step {
        Step::Profile(_) | Step::Report(_) => vec![],
        Step::Disassemble(_) => {
            vec![("parameters", shrunk("params")), ("multiply-accumulates", shrunk("macs"))]
        }
        Step::Assemble(_) => {
            vec![("parameters", of("/params")), ("multiply-accumulates", of("/macs"))]
        }
        Step::Calibrate(_) => vec![("images", count("/calibration/images"))],
        Step::Eval(_) => vec![
            ("right", percent("/accuracy_per_image")),
            ("95 % interval", interval),
            ("source, same classes", percent("/base_restricted/per_image")),
            ("if every image went to its own part", percent("/parts/perfect_routing/per_image")),
            ("test images", count("/images")),
        ],
    };
    html! { dl.numbers { @for (name, value) in all { @if let Some(value) = value { div { dt { (name) } dd { (value) } } } } } }
}

/// What can be done about a job.
fn buttons(record: &Record) -> Markup {
    html! { div.actions { @match record.state {
        JobState::Waiting | JobState::Running => form method="post" action={ "/jobs/" (record.id) "/stop" } { button { "Stop" } },
        JobState::Stopped | JobState::Failed | JobState::Interrupted => {
            form method="post" action={ "/jobs/" (record.id) "/go-on" } { button.main { "Go on" } }
        },
        JobState::Done => {},
    } } }
}

/// The bricks that a job made.
fn made(app: &App, record: &Record) -> Markup {
    if let Some(Step::Report(request)) = record.steps.last() {
        let address = link("/report", "model", &request.model.model.to_string_lossy());
        return html! { div.actions { a.button.main href=(address) target="_blank" { "Open the report" } } };
    }
    let file = record.steps.iter().rev().filter_map(Step::output).find_map(|path| {
        let path = path.to_string_lossy().into_owned();
        path.ends_with(".onnx").then_some(path)
    });
    let Some(facts) = file.and_then(|file| app.shelf.model(&file).ok()) else { return html! {} };
    let part = facts.card.parts.is_empty();
    let actions = html! {
        @if part {
            form method="post" action="/plate/put" {
                input type="hidden" name="file" value=(facts.file);
                button.main { "To the baseplate" }
            }
        }
        a.button href=(link("/try", "model", &facts.file)) { "Try it" }
        a.button href=(link("/look", "model", &facts.file)) { "Look at it" }
        a.button href=(link("/model", "file", &facts.file)) download { "Save" }
    };
    html! { section.made { h2 { "The new brick" } (brick(&facts, app.shelf.accuracy(&facts).as_ref(), &actions)) } }
}

/// The walk that a job went, if it is one to choose from.
fn walk(record: &Record) -> Option<&Disassemble> {
    match record.steps.last()? {
        Step::Disassemble(request) if request.dry_run => Some(request),
        _ => None,
    }
}

/// The sizes of a finished walk, to choose one.
fn choices(record: &Record) -> Markup {
    let points = record.answers.last().and_then(|answer| answer["frontier"].as_array());
    let (Some(points), Some(_)) = (points.filter(|_| record.state == JobState::Done), walk(record))
    else {
        return html! {};
    };
    let whole = points.first().and_then(|point| point["macs"].as_u64()).unwrap_or(1).max(1);
    html! {
        form.choice method="post" action={ "/jobs/" (record.id) "/pick" } {
            fieldset.sizes {
                legend { "Which size?" }
                table {
                    thead { tr { th scope="col" { "Choose" } th scope="col" { "MACs" } th scope="col" { "of the whole" } th scope="col" { "parameters" }
                                 th scope="col" { "right, held out" } } }
                    tbody { @for (k, point) in points.iter().enumerate() { tr {
                        @let macs = point["macs"].as_u64().unwrap_or(0);
                        td { input type="radio" name="place" value=(k) required aria-label={ "Size " (k + 1) }; }
                        td { (short(macs)) }
                        td { (format!("{:.1} %", 100.0 * macs as f64 / whole as f64)) }
                        td { (short(point["params"].as_u64().unwrap_or(0))) }
                        td { (point["accuracy"].as_f64().map_or("-".to_owned(), |right| format!("{right:.2} %"))) }
                    } } }
                }
            }
            div.last {
                label { "Name of the new brick" input type="text" name="name" required maxlength="64" autocomplete="off"; }
                button.main { "Cut this one" }
            }
        }
    }
}

/// Cuts the component of one of a walk's sizes.
pub(crate) async fn pick(
    State(app): State<App>,
    Path(id): Path<u64>,
    axum::extract::Form(fields): axum::extract::Form<Fields>,
) -> Result<Redirect, StudioError> {
    blocking(move || {
        let record = app.jobs.job(id)?.record();
        let request = walk(&record)
            .ok_or_else(|| StudioError::request(format!("job {id} has no sizes to choose from")))?;
        let place: usize =
            fields.number("place")?.ok_or_else(|| StudioError::request("choose a size"))?;
        let name = new_file(fields.need("name")?, ".onnx")?;
        let points = record.answers.last().and_then(|answer| answer["frontier"].as_array());
        let sizes: Vec<u64> =
            points.into_iter().flatten().filter_map(|point| point["macs"].as_u64()).collect();
        let pick =
            share_of(&sizes, place).ok_or_else(|| StudioError::request("there is no such size"))?;
        let (output, frontier) =
            (Some(name.clone().into()), Some(name.replace(".onnx", "-frontier.html").into()));
        let request =
            Disassemble { dry_run: false, pick: Some(pick), output, frontier, ..request.clone() };
        let measuring = Step::measuring(&request);
        let title = format!("{}, as {name}", record.title);
        let steps = vec![Step::Disassemble(Box::new(request)), measuring];
        app.jobs.begin(title, steps).map(|id| Redirect::to(&format!("/jobs/{id}")))
    })
    .await
}

/// A share of the multiply-accumulates by which the `place`-th of the falling `sizes` is the largest: in whole percent
/// where that tells it from the next larger one.
fn share_of(sizes: &[u64], place: usize) -> Option<Share> {
    let (whole, own) = (*sizes.first()? as f64, *sizes.get(place)? as f64);
    let above = place.checked_sub(1).map_or(f64::INFINITY, |above| sizes[above] as f64);
    let rounded =
        [1.0, 10.0, 100.0, 1e4].map(|unit| (own / whole * 100.0 * unit).ceil() / (100.0 * unit));
    let share = rounded.into_iter().find(|share| share * whole >= own && share * whole < above);
    Some(Share(share.unwrap_or(own / whole).min(1.0)))
}

/// Stops a job at the next batch.
pub(crate) async fn stop(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Response, StudioError> {
    app.jobs.job(id)?.stop();
    Ok(Redirect::to(&format!("/jobs/{id}")).into_response())
}

/// Goes on with a job.
pub(crate) async fn go_on(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Response, StudioError> {
    app.jobs.go_on(id)?;
    Ok(Redirect::to(&format!("/jobs/{id}")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_picks_the_size_that_was_chosen() {
        let sizes = [1000, 704, 703, 400, 12];
        for place in 0..sizes.len() {
            let share = share_of(&sizes, place).expect("there is such a size").0;
            let picked = sizes.iter().position(|&size| size as f64 <= share * 1000.0 + 1e-6);
            assert_eq!(picked, Some(place), "{share}");
        }
        assert_eq!(share_of(&sizes, 3), Some(Share(0.4)));
        assert!(share_of(&sizes, 5).is_none());
    }
}
