//! The pages: each a function from what is asked to what is shown, or to where to go next.

mod answering;
mod apart;
mod assets;
mod bricks;
mod curve;
mod failed;
mod fields;
mod frame;
mod job;
mod kept;
mod look;
mod names;
mod plate;
mod recipe;
mod shelf;
mod try_out;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::failure::StudioError;
use answering::{files, form, page};

/// All addresses.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", page(shelf::page))
        .route("/box/upload", files(shelf::upload))
        .route("/box/samples", form(shelf::samples))
        .route("/box/fetch", form(kept::fetch))
        .route("/box/keep", form(kept::keep))
        .route("/apart", page(apart::page).merge(form(apart::cut)))
        .route("/plate", page(plate::page))
        .route("/plate/put", form(plate::put))
        .route("/plate/take", form(plate::take))
        .route("/plate/join", form(plate::join))
        .route("/try", page(try_out::page).merge(files(try_out::answer)))
        .route("/look", page(look::page))
        .route("/diff", page(look::diff))
        .route("/report", get(look::read).merge(form(look::report)))
        .route("/routes.svg", get(look::routes))
        .route("/recipe", page(recipe::page))
        .route("/recipe.toml", get(recipe::file))
        .route("/jobs", page(job::all))
        .route("/jobs/{id}", get(job::page))
        .route("/jobs/{id}/events", get(job::events))
        .route("/jobs/{id}/stop", post(job::stop))
        .route("/jobs/{id}/go-on", post(job::go_on))
        .route("/jobs/{id}/pick", post(job::pick))
        .route("/thumb", get(assets::thumb))
        .route("/model", get(assets::model))
        .route("/assets/{name}", get(assets::asset))
        .fallback(|| async { StudioError::missing("there is no such page") })
}
