//! The baseplate: bricks are put together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use brickwork::OnDuplicate;
use brickwork::verbs::{Assemble, Calibrate, DataInput, Eval, ModelInput};
use maud::{Markup, html};

use super::bricks::brick;
use super::fields::Fields;
use super::frame;
use crate::app::App;
use crate::failure::StudioError;
use crate::folder::{new_file, unused};
use crate::shelf::Facts;
use crate::work::Step;

/// What may be done about classes that several parts have: the value, in words.
const SETTLING: &[(OnDuplicate, &str, &str)] = &[
    (OnDuplicate::Max, "max", "They are one class: the larger score counts"),
    (OnDuplicate::Mean, "mean", "They are one class: the mean of the scores counts"),
    (OnDuplicate::KeepBoth, "keep-both", "They stay apart, each under its part's name"),
];

pub(crate) fn page(app: &App, _: &Fields) -> Result<Markup, StudioError> {
    let plate = app.plate().clone();
    let parts: Vec<Arc<Facts>> =
        plate.parts.iter().filter_map(|file| app.shelf.model(file).ok()).collect();
    let others: Vec<Arc<Facts>> = app
        .shelf
        .usable()
        .filter(|facts| facts.card.parts.is_empty() && !plate.parts.contains(&facts.file))
        .collect();
    let body = html! {
        div #plate {
            p.lead { "Drag bricks onto the plate, or use their buttons. What lies on it becomes one classifier of all their classes: \
                      nothing is trained, its scores are made comparable on training images, and it is measured on test images." }
            (lying(app, &parts))
            (settling(&parts, plate.on_duplicate))
            (joining(app, &parts))
            section {
                h2 { "In the box" }
                @if others.is_empty() { p { "Every brick is on the plate." } }
                div.shelf { @for facts in &others { (brick(facts, app.shelf.accuracy(facts).as_ref(), &putting(facts))) } }
            }
        }
    };
    Ok(frame::page(app, "/plate", "Baseplate", body))
}

fn putting(facts: &Facts) -> Markup {
    html! { form method="post" action="/plate/put" hx-post="/plate/put" hx-target="#plate" hx-select="#plate" hx-swap="outerHTML" {
        input type="hidden" name="file" value=(facts.file);
        button { "Put on" span.hidden { " " (facts.name) } }
    } }
}

/// The plate with the bricks on it.
fn lying(app: &App, parts: &[Arc<Facts>]) -> Markup {
    html! {
        section.baseplate data-drop="/plate/put" aria-label="Baseplate" {
            @if parts.is_empty() { p.empty { "The plate is empty." } }
            @for (place, facts) in parts.iter().enumerate() {
                div.part data-place=(place) {
                    (brick(facts, app.shelf.accuracy(facts).as_ref(), &moving(facts, place, parts.len())))
                }
            }
        }
    }
}

/// Buttons of a brick on the plate.
fn moving(facts: &Facts, place: usize, all: usize) -> Markup {
    let form = |address: &str, at: Option<usize>, label: &str| {
        html! {
            form method="post" action=(address) hx-post=(address) hx-target="#plate" hx-select="#plate" hx-swap="outerHTML" {
                input type="hidden" name="file" value=(facts.file);
                @if let Some(at) = at { input type="hidden" name="at" value=(at); }
                button { (label) span.hidden { " " (facts.name) } }
            }
        }
    };
    html! {
        @if place > 0 { (form("/plate/put", Some(place - 1), "Earlier")) }
        @if place + 1 < all { (form("/plate/put", Some(place + 2), "Later")) }
        (form("/plate/take", None, "Take off"))
    }
}

/// Classes that several parts have, with the parts.
fn shared(parts: &[Arc<Facts>]) -> Vec<(&str, Vec<&str>)> {
    let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for part in parts {
        part.classes.iter().for_each(|class| of.entry(class).or_default().push(&part.name));
    }
    of.into_iter().filter(|(_, parts)| parts.len() > 1).collect()
}

/// What to do about classes that several parts have.
fn settling(parts: &[Arc<Facts>], chosen: OnDuplicate) -> Markup {
    let shared = shared(parts);
    html! { @if !shared.is_empty() {
        fieldset.sizes.warned {
            legend { "Several bricks have the same classes" }
            ul { @for (class, parts) in &shared { li { strong { (class) } " in " (parts.join(", ")) } } }
            @for (how, value, words) in SETTLING {
                label { input type="radio" name="on_duplicate" value=(value) form="join" required checked[*how == chosen]; span { (words) } }
            }
        }
    } }
}

/// The form that joins what lies on the plate.
fn joining(app: &App, parts: &[Arc<Facts>]) -> Markup {
    html! { @if parts.len() > 1 {
        form.panel.choice #join method="post" action="/plate/join" {
            h2 { "Join them" }
            @for part in parts {
                @let sets = app.shelf.sets_of(part);
                label { "Images of " (part.name) select name={ "data " (part.name) } {
                    @for set in &sets { option value=(set.path) { (set.path) } }
                    option value="" { "none" }
                } }
            }
            div.last {
                label { "Name of the new classifier" input type="text" name="name" required maxlength="64" placeholder="everything" autocomplete="off"; }
                button.main { "Join, calibrate and measure" }
            }
        }
    } @else if parts.len() == 1 { p { "One more brick, and they can be joined." } } }
}

/// Puts a brick on the plate.
pub(crate) fn put(app: &App, fields: &Fields) -> Result<String, StudioError> {
    let facts = app.shelf.model(fields.need("file")?)?;
    if !facts.card.parts.is_empty() {
        return Err(StudioError::request(format!(
            "{} is assembled already; put its parts on the plate",
            facts.name
        )));
    }
    let at = fields.number("at")?;
    let mut plate = app.plate();
    plate.put(&facts.file, at);
    plate.keep(&app.store)?;
    Ok("/plate".to_owned())
}

/// Takes a brick off the plate.
pub(crate) fn take(app: &App, fields: &Fields) -> Result<String, StudioError> {
    let mut plate = app.plate();
    plate.take(fields.need("file")?);
    plate.keep(&app.store)?;
    Ok("/plate".to_owned())
}

/// Begins to join what lies on the plate.
pub(crate) fn join(app: &App, fields: &Fields) -> Result<String, StudioError> {
    let on_duplicate = settled(app, fields)?;
    let files = app.plate().parts.clone();
    let parts: Vec<Arc<Facts>> =
        files.iter().map(|file| app.shelf.model(file)).collect::<Result<_, _>>()?;
    if parts.len() < 2 {
        return Err(StudioError::request("put two bricks on the plate at least"));
    }
    let name = new_file(fields.need("name")?, ".onnx")?;
    let joined = unused(name.replace(".onnx", "-uncalibrated.onnx"))?;
    let mut sets = Vec::new();
    for part in &parts {
        if let Some(path) = fields.get(&format!("data {}", part.name)) {
            sets.push(format!("{}={}", part.name, app.shelf.set(path)?.path));
        }
    }
    let names: Vec<&str> = parts.iter().map(|part| &part.name[..]).collect();
    let title = format!("Join {}", names.join(", "));
    let steps = steps(files, sets, &name, &joined, on_duplicate);
    app.jobs.begin(title, steps).map(|id| format!("/jobs/{id}"))
}

/// What is to be done about classes that several parts have; remembered.
fn settled(app: &App, fields: &Fields) -> Result<OnDuplicate, StudioError> {
    let Some(value) = fields.get("on_duplicate") else { return Ok(OnDuplicate::Refuse) };
    let found = SETTLING.iter().find(|(_, own, _)| *own == value);
    let (how, _, _) =
        found.ok_or_else(|| StudioError::request(format!("there is no way `{value}`")))?;
    let mut plate = app.plate();
    plate.on_duplicate = *how;
    plate.keep(&app.store)?;
    Ok(*how)
}

/// The steps of a join: without images, scores are compared by what was noted of them when the parts were cut.
fn steps(
    files: Vec<String>,
    data: Vec<String>,
    name: &str,
    joined: &str,
    on_duplicate: OnDuplicate,
) -> Vec<Step> {
    let parts = files.into_iter().map(PathBuf::from).collect();
    let (model, output) = (PathBuf::from(joined), Some(PathBuf::from(name)));
    let data = DataInput { data, ..DataInput::default() };
    let measuring = |file: &str| {
        let (model, data) = (ModelInput::file(file), data.clone());
        Step::Eval(Box::new(Eval { model, data, ..Eval::default() }))
    };
    let assembling =
        Assemble { parts, output: Some(model.clone()), on_duplicate, ..Assemble::default() };
    let calibrating = Calibrate { model, data: data.clone(), output, ..Calibrate::default() };
    let before = (!data.is_empty()).then(|| measuring(joined));
    let after = (!data.is_empty()).then(|| measuring(name));
    [Step::Assemble(Box::new(assembling))]
        .into_iter()
        .chain(before)
        .chain([Step::Calibrate(Box::new(calibrating))])
        .chain(after)
        .collect()
}
