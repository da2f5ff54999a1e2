//! The recipe: the text of what was done.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use brickwork::recipe::Recipe;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::answering::blocking;
use super::fields::Fields;
use super::frame;
use crate::app::App;
use crate::failure::StudioError;
use crate::folder;
use crate::shelf::Shelf;
use crate::work::Step;

pub(crate) fn page(app: &App, _: &Fields) -> Result<Markup, StudioError> {
    let text = text(app)?;
    if text.is_empty() {
        let nothing = html! { p.lead { "Nothing was made yet. Whatever you make here stands on this page as a text that makes it again." } };
        return Ok(frame::page(app, "/recipe", "Recipe", nothing));
    }
    let body = html! {
        p.lead { "Everything that was made here, as a recipe. Saved in this folder as recipe.toml, "
            code { "brickwork build recipe.toml" } " makes the same files again." }
        pre.recipe tabindex="0" { (text) }
        a.button.main href="/recipe.toml" download { "Save the recipe" }
    };
    Ok(frame::page(app, "/recipe", "Recipe", body))
}

/// The recipe as a file.
pub(crate) async fn file(State(app): State<App>) -> Result<Response, StudioError> {
    let text = blocking(move || text(&app)).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Everything that was made, in the order it was: every file that was there before by its name, every result by that of its
/// step. Looking at every size makes nothing.
fn text(app: &App) -> Result<String, StudioError> {
    let mut recipe = Recipe::default();
    let mut made = BTreeMap::new();
    for record in app.jobs.all().iter().map(|job| job.record()) {
        for step in record.steps.iter().take(record.answers.len()) {
            let Some((name, own)) = named(step) else { continue };
            let mut request = step.request();
            let files = Files { made: &made, shelf: &app.shelf };
            files.refer(&mut request, &mut recipe)?;
            match own {
                Some(file) if file != format!("{name}.onnx") => request["output"] = json!(file),
                _ => drop(request.as_object_mut().map(|options| options.remove("output"))),
            }
            // What was measured twice is measured once.
            if recipe.step(&name).is_none() {
                recipe.add(&name, step.verb(), &request)?;
            }
            own.map(|file| made.insert(file.to_owned(), name));
        }
    }
    Ok(recipe.to_toml().to_owned())
}

/// What a step's result is called, and the file that it writes; nothing if it makes nothing that lasts.
fn named(step: &Step) -> Option<(String, Option<&str>)> {
    match step {
        Step::Eval(request) => {
            Some((format!("{}-measured", plain(request.model.model.to_str()?)), None))
        }
        _ => {
            let file = step.output()?.to_str()?;
            Some((plain(file), Some(file)))
        }
    }
}

/// A file's name as a name in recipes.
fn plain(file: &str) -> String {
    let ending = |ending: &&str| file.strip_suffix(ending);
    let stem = [".onnx", ".safetensors"].iter().find_map(ending);
    folder::plain(stem.unwrap_or(file))
}

/// What files are called in the recipe.
struct Files<'a> {
    /// Names of results, by the files they are in.
    made: &'a BTreeMap<String, String>,
    shelf: &'a Shelf,
}

impl Files<'_> {
    /// Puts names in place of the files that a request reads.
    fn refer(&self, request: &mut Value, recipe: &mut Recipe) -> Result<(), StudioError> {
        for option in ["model", "source", "profile"] {
            if let Some(file) = request[option].as_str() {
                request[option] = json!(self.name(file));
            }
        }
        for file in request["parts"].as_array_mut().into_iter().flatten() {
            *file = json!(self.name(file.as_str().unwrap_or_default()));
        }
        for data in request["data"].as_array_mut().into_iter().flatten() {
            let text = data.as_str().unwrap_or_default();
            let (part, path) =
                text.rsplit_once('=').map_or(("", text), |(part, path)| (part, path));
            let name = plain(&self.shelf.set(path)?.path);
            if !recipe.data().iter().any(|known| known.name == name) {
                recipe.add_data(&name, path)?;
            }
            *data =
                json!(if part.is_empty() { format!("@{name}") } else { format!("{part}=@{name}") });
        }
        Ok(())
    }

    fn name(&self, file: &str) -> String {
        self.made.get(file).map_or_else(|| file.to_owned(), |name| format!("@{name}"))
    }
}
