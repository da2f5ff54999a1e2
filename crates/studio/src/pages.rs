//! The pages: each a function from what is asked to what is shown, or to where to go next.

mod apart;
mod assets;
mod bricks;
mod curve;
mod fields;
pub(crate) mod frame;
mod job;
mod look;
mod plate;
mod recipe;
mod shelf;
mod try_out;

use axum::Router;
use axum::extract::{Form, Multipart, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use maud::Markup;

use crate::failure::StudioError;
use crate::server::App;
use fields::{Fields, Upload, uploaded};

/// All addresses.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", page(shelf::page))
        .route("/box/upload", files(shelf::upload))
        .route("/box/samples", form(shelf::samples))
        .route("/apart", page(apart::page).merge(form(apart::cut)))
        .route("/plate", page(plate::page))
        .route("/plate/put", form(plate::put))
        .route("/plate/take", form(plate::take))
        .route("/plate/join", form(plate::join))
        .route("/try", page(try_out::page).merge(files(try_out::answer)))
        .route("/look", page(look::page))
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

/// Does what may take long without holding up others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StudioError> + Send + 'static,
) -> Result<T, StudioError> {
    let failed =
        |_| StudioError::request("this page could not be made; the studio's terminal says why");
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// An address that shows something.
fn page(make: fn(&App, &Fields) -> Result<Markup, StudioError>) -> MethodRouter<App> {
    get(move |State(app): State<App>, Query(fields): Query<Fields>| async move {
        blocking(move || make(&app, &fields)).await
    })
}

/// An address that does something, and says where to go.
fn form(act: fn(&App, &Fields) -> Result<String, StudioError>) -> MethodRouter<App> {
    post(move |State(app): State<App>, Form(fields): Form<Fields>| async move {
        blocking(move || act(&app, &fields)).await.map(|next| Redirect::to(&next))
    })
}

/// An address that takes files.
fn files(
    take: fn(&App, &Fields, Vec<Upload>) -> Result<Response, StudioError>,
) -> MethodRouter<App> {
    post(move |State(app): State<App>, form: Multipart| async move {
        let (fields, files) = uploaded(form).await?;
        blocking(move || take(&app, &fields, files)).await
    })
}

/// An answer that leads to another page.
fn to(address: &str) -> Response {
    Redirect::to(address).into_response()
}
