//! The box: all models and images of the folder.

use axum::response::Response;
use brickwork::{Classifier, HeadOptions};
use brickwork_formats::onnx::ReadOptions;
use brickwork_formats::write_atomically;
use maud::{Markup, html};

use super::answering::to;
use super::bricks::brick;
use super::fields::{Fields, Upload};
use super::frame::{self, link};
use super::kept;
use crate::app::{App, unpack};
use crate::failure::StudioError;
use crate::folder;
use crate::shelf::{Entry, Facts};

pub(crate) fn page(app: &App, _: &Fields) -> Result<Markup, StudioError> {
    let models = app.shelf.models();
    let body = html! {
        p.lead { @if models.is_empty() {
            "There is no model in this folder yet. Send one from your disk, or begin with two small ones and their images. \
             Then take them apart, class by class, and join what you like on the baseplate."
        } @else {
            "Every brick is a classifier, with a stud for each class. Take one apart to get a smaller brick for the classes you \
             choose. Put bricks on the baseplate to join them into one new classifier, without training."
        } }
        section.shelf aria-label="Models" { @for entry in &models { (shown(app, entry)) } }
        div.side-by-side {
            form.panel method="post" action="/box/upload" enctype="multipart/form-data" {
                h2 { "Add a model" }
                label { "An ONNX file" input type="file" name="model" accept=".onnx" required; }
                button { "Send" }
            }
            @if models.is_empty() && !app.samples.is_empty() {
                form.panel method="post" action="/box/samples" {
                    h2 { "Nothing at hand?" }
                    p { "Two small classifiers, of digits and of garments, with images of both." }
                    button.main { "Put them in the box" }
                }
            }
        }
        (images(app))
        @let here: Vec<&Facts> = models.iter().filter_map(|entry| entry.facts.as_deref().ok()).collect();
        (kept::section(app, &here))
    };
    Ok(frame::page(app, "/", "The box", body))
}

/// One file of the box.
fn shown(app: &App, entry: &Entry) -> Markup {
    match &entry.facts {
        Ok(facts) => brick(facts, app.shelf.accuracy(facts).as_ref(), &actions(app, facts)),
        Err(why) => html! { article.brick.broken { div.face {
            h3 { (entry.file) }
            p.kind { "cannot be used" }
            details { summary { "Why" } p { (why) } }
        } } },
    }
}

/// What can be done with a model.
fn actions(app: &App, facts: &Facts) -> Markup {
    html! {
        @if facts.card.parts.is_empty() {
            a.button href=(link("/apart", "model", &facts.file)) { "Take apart" span.hidden { " " (facts.name) } }
            form method="post" action="/plate/put" {
                input type="hidden" name="file" value=(facts.file);
                button { "To the baseplate" span.hidden { ": " (facts.name) } }
            }
        }
        a.button href=(link("/try", "model", &facts.file)) { "Try" span.hidden { " " (facts.name) } }
        a.button href=(link("/look", "model", &facts.file)) { "Look" span.hidden { " at " (facts.name) } }
        (kept::keeping(app, facts))
    }
}

/// The images of the folder.
fn images(app: &App) -> Markup {
    let sets = app.shelf.sets();
    html! {
        section {
            h2 { "Images" }
            @if sets.is_empty() {
                p { "There are no labelled images in this folder. Put a folder with one folder of pictures per class into it, or any \
                     other data that the command reads, and load this page again." }
            } @else {
                ul.sets { @for set in &sets { li {
                    strong { (set.path) } " "
                    @for (part, images) in [("to learn from", &set.train), ("to measure on", &set.test)] {
                        @if let Some(images) = images { span.tag { (images.len()) " " (part) } " " }
                    }
                    span.quiet { (set.shown.classes().len()) " classes" }
                } } }
            }
        }
    }
}

/// Takes a model in. It is read before it is kept, so that no file is left that cannot be used.
pub(crate) fn upload(_: &App, _: &Fields, files: Vec<Upload>) -> Result<Response, StudioError> {
    let file = files.into_iter().next().ok_or_else(|| StudioError::request("no file was sent"))?;
    let stem = file.name.strip_suffix(".onnx").unwrap_or(&file.name);
    let name = folder::new_file(folder::plain(stem).trim_start_matches(['-', '_']), ".onnx")?;
    Classifier::decode_as(
        name.clone(),
        &file.bytes,
        &ReadOptions::default(),
        None,
        &HeadOptions::default(),
    )
    .map_err(|error| StudioError::request(format!("{}: {error}", file.name)))?;
    write_atomically(name.as_ref(), &file.bytes).map_err(brickwork::Error::from)?;
    Ok(to("/"))
}

/// Puts the samples into the folder.
pub(crate) fn samples(app: &App, _: &Fields) -> Result<String, StudioError> {
    unpack(app.samples)?;
    Ok("/".to_owned())
}
