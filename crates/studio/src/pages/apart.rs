//! Taking a model apart: which classes, how small.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brickwork::load_profile;
use brickwork::verbs::{DataInput, Disassemble, ModelInput, Profile, Refitting, Share};
use maud::{Markup, html};

use super::bricks::{brick, thumbs};
use super::fields::Fields;
use super::frame;
use super::names::{listed, profile_of};
use crate::app::App;
use crate::failure::StudioError;
use crate::folder::{self, new_file, plain};
use crate::shelf::{Facts, Images};
use crate::work::Step;

pub(crate) fn page(app: &App, fields: &Fields) -> Result<Markup, StudioError> {
    let facts = app.shelf.model(fields.need("model")?)?;
    let sets = app.shelf.sets_of(&facts);
    let wanted = fields.get("data");
    let chosen = sets.iter().find(|set| Some(&set.path[..]) == wanted).or(sets.first());
    let body = html! {
        div.apart {
            (brick(&facts, app.shelf.accuracy(&facts).as_ref(), &html! {}))
            @match chosen {
                None => p.error { "There are no images of its classes in the folder, which are needed to see what channels do. \
                                   Put some there, one folder of pictures per class, and load this page again." },
                Some(images) => {
                    @if sets.len() > 1 { (which_images(&facts, &sets, images)) }
                    (choice(&facts, images))
                }
            }
        }
    };
    Ok(frame::page(app, "/", &format!("Take {} apart", facts.name), body))
}

/// Which images to look at.
fn which_images(facts: &Facts, sets: &[Arc<Images>], chosen: &Images) -> Markup {
    html! {
        form.inline method="get" action="/apart" {
            input type="hidden" name="model" value=(facts.file);
            label { "Images" select name="data" {
                @for set in sets { option value=(set.path) selected[set.path == chosen.path] { (set.path) } }
            } }
            button { "Use these" }
        }
    }
}

/// The form that says what to cut.
fn choice(facts: &Facts, images: &Images) -> Markup {
    let source = images.seen_by(&facts.numbered());
    let label_of =
        |class: usize| source.as_ref()?.class_of.iter().position(|&own| own == Some(class));
    html! {
        form.choice method="post" action="/apart" {
            input type="hidden" name="model" value=(facts.file);
            input type="hidden" name="data" value=(images.path);
            fieldset.cards {
                legend { "Which classes?" }
                @for (class, name) in facts.classes.iter().enumerate() {
                    label.card {
                        input type="checkbox" name="class" value=(class);
                        @if let Some(label) = label_of(class) { (thumbs(images, label, 3)) }
                        span { (name) }
                    }
                }
            }
            fieldset.sizes {
                legend { "How small?" }
                label { input type="radio" name="size" value="relevant" checked;
                    span { "Keep the channels that decide these classes" } }
                label { input type="radio" name="size" value="share";
                    span { "Keep this share of the multiply-accumulates: "
                        input type="number" name="share" value="40" min="2" max="100" step="any" aria-label="Share in percent"; " %" } }
                label { input type="radio" name="size" value="drop";
                    span { "The smallest that loses at most "
                        input type="number" name="drop" value="1" min="0" max="50" step="any" aria-label="Points"; " points of accuracy" } }
                label { input type="radio" name="size" value="frontier";
                    span { "Show me every size first, and what it costs" } }
            }
            div.last {
                label { "Name of the new brick" input type="text" name="name" placeholder="made of its classes" maxlength="64" autocomplete="off"; }
                button.main { "Cut" }
            }
        }
    }
}

/// Begins to cut.
pub(crate) fn cut(app: &App, fields: &Fields) -> Result<String, StudioError> {
    let facts = app.shelf.model(fields.need("model")?)?;
    let images = app.shelf.set(fields.need("data")?)?;
    let classes: Vec<usize> = fields.all("class").filter_map(|text| text.parse().ok()).collect();
    let names: Vec<&str> = classes
        .iter()
        .filter_map(|&class| facts.classes.get(class))
        .map(|name| &name[..])
        .collect();
    if names.is_empty() {
        return Err(StudioError::request("choose one class at least"));
    }
    let listed = listed(&facts.classes, &classes)?;
    let name = match fields.get("name") {
        Some(typed) => new_file(typed, ".onnx")?,
        None => free_name(&names),
    };
    let request = Disassemble {
        model: ModelInput::file(&facts.file),
        classes: listed,
        data: DataInput { data: vec![images.path.clone()], ..DataInput::default() },
        output: Some(PathBuf::from(&name)),
        ..Disassemble::default()
    };
    let title = format!("Cut {} out of {}", names.join(", "), facts.name);
    let steps = steps(app, fields, &facts, &images, request)?;
    app.jobs.begin(title, steps).map(|id| format!("/jobs/{id}"))
}

/// The steps of a cut, by how small it is to be.
fn steps(
    app: &App,
    fields: &Fields,
    facts: &Facts,
    images: &Images,
    request: Disassemble,
) -> Result<Vec<Step>, StudioError> {
    let measuring = Step::measuring(&request);
    Ok(match fields.need("size")? {
        "relevant" => {
            let profile = profile_of(&facts.file);
            let looking = (!is_of(&profile, facts, images)).then(|| {
                let (model, data) = (request.model.clone(), request.data.clone());
                Step::Profile(Box::new(Profile {
                    model,
                    data,
                    output: Some(profile.clone()),
                    ..Profile::default()
                }))
            });
            let cutting =
                Step::Disassemble(Box::new(Disassemble { profile: Some(profile), ..request }));
            looking.into_iter().chain([cutting, measuring]).collect()
        }
        "share" => {
            let macs =
                Some(format!("{}%", fields.need("share")?).parse().map_err(StudioError::Request)?);
            vec![Step::Disassemble(Box::new(Disassemble { macs, ..request })), measuring]
        }
        "drop" => {
            let max_drop = fields.number("drop")?;
            vec![Step::Disassemble(Box::new(Disassemble { max_drop, ..request })), measuring]
        }
        "frontier" => {
            // Nothing is written but the frontier: a size is picked when all are there.
            let (frontier, pick) = (Some(app.store.new_place("walk")), Some(Share(1.0)));
            // Moving all layers together at every size takes longer than anyone looks on.
            let refit = Refitting::Layers;
            let (output, dry_run) = (None, true);
            let walking = Disassemble { output, dry_run, frontier, pick, refit, ..request };
            vec![Step::Disassemble(Box::new(walking))]
        }
        other => return Err(StudioError::request(format!("there is no size `{other}`"))),
    })
}

/// Whether a profile is there already, of this model and these images.
fn is_of(profile: &Path, facts: &Facts, images: &Images) -> bool {
    load_profile(profile).is_ok_and(|profile| {
        let header = profile.header;
        header.fingerprint == facts.fingerprint && header.data == [images.shown.name()]
    })
}

/// A name for a brick of these classes that no file has.
fn free_name(classes: &[&str]) -> String {
    let mut name = classes.iter().take(4).map(|class| plain(class)).collect::<Vec<_>>().join("-");
    name = name.trim_matches('-').chars().take(48).collect();
    if name.is_empty() {
        "brick".clone_into(&mut name);
    }
    let free =
        |k: usize| format!("{name}{}.onnx", if k == 1 { String::new() } else { format!("-{k}") });
    (1..).map(free).find(|file| folder::stamp(file).is_none()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bricks_are_called_by_their_classes() {
        assert_eq!(free_name(&["cat", "big dog"]), "cat-big-dog.onnx");
        assert_eq!(free_name(&["/"]), "brick.onnx");
    }
}
