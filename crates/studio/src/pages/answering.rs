//! From functions of what is asked to addresses.

use axum::extract::{Form, Multipart, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use maud::Markup;

use super::fields::{Fields, Upload, uploaded};
use crate::app::App;
use crate::failure::StudioError;

/// Does what may take long without holding up others.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StudioError> + Send + 'static,
) -> Result<T, StudioError> {
    let failed =
        |_| StudioError::request("this page could not be made; the studio's terminal says why");
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// An address that shows something.
pub(super) fn page(make: fn(&App, &Fields) -> Result<Markup, StudioError>) -> MethodRouter<App> {
    get(move |State(app): State<App>, Query(fields): Query<Fields>| async move {
        blocking(move || make(&app, &fields)).await
    })
}

/// An address that does something, and says where to go.
pub(super) fn form(act: fn(&App, &Fields) -> Result<String, StudioError>) -> MethodRouter<App> {
    post(move |State(app): State<App>, Form(fields): Form<Fields>| async move {
        blocking(move || act(&app, &fields)).await.map(|next| Redirect::to(&next))
    })
}

/// An address that takes files.
pub(super) fn files(
    take: fn(&App, &Fields, Vec<Upload>) -> Result<Response, StudioError>,
) -> MethodRouter<App> {
    post(move |State(app): State<App>, form: Multipart| async move {
        let (fields, files) = uploaded(form).await?;
        blocking(move || take(&app, &fields, files)).await
    })
}

/// An answer that leads to another page.
pub(super) fn to(address: &str) -> Response {
    Redirect::to(address).into_response()
}
