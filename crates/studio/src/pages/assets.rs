//! Files that pages load: the studio's own, pictures of classes, models.

use axum::extract::{Path, Query, State};
use axum::http::header::{self, HeaderName};
use axum::response::{IntoResponse, Response};
use brickwork::show::{png, style};

use super::answering::blocking;
use super::fields::Fields;
use crate::app::App;
use crate::failure::StudioError;
use crate::folder::plain;

/// The studio's files: name, type, content.
const ASSETS: &[(&str, &str, &str)] = &[
    ("studio.css", "text/css", include_str!("../../assets/studio.css")),
    ("studio.js", "text/javascript", include_str!("../../assets/studio.js")),
    ("brick.svg", "image/svg+xml", include_str!("../../assets/brick.svg")),
    ("htmx.min.js", "text/javascript", include_str!("../../assets/vendor/htmx.min.js")),
    ("htmx-sse.min.js", "text/javascript", include_str!("../../assets/vendor/htmx-sse.min.js")),
];

/// What is loaded once a day.
const KEPT: (HeaderName, &str) = (header::CACHE_CONTROL, "private, max-age=86400");

/// One of the studio's files. Its look is that of all pages, and what only the studio has.
pub(crate) async fn asset(Path(name): Path<String>) -> Result<Response, StudioError> {
    let found = ASSETS.iter().find(|(own, _, _)| *own == name);
    let (_, kind, text) =
        found.ok_or_else(|| StudioError::missing(format!("there is no file {name}")))?;
    let shared = if *kind == "text/css" { style() } else { "" };
    Ok(([(header::CONTENT_TYPE, *kind)], format!("{shared}{text}")).into_response())
}

/// A picture of a class of a model: the `k`-th of `class` in `data`, as PNG.
pub(crate) async fn thumb(
    State(app): State<App>,
    Query(fields): Query<Fields>,
) -> Result<Response, StudioError> {
    let bytes = blocking(move || {
        let set = app.shelf.set(fields.need("data")?)?;
        let label: usize = fields.number("label")?.unwrap_or(0);
        let place: usize = fields.number("k")?.unwrap_or(0);
        let images = &set.shown;
        let index = (0..images.len()).filter(|&index| images.label(index) == label).nth(place);
        let index = index.ok_or_else(|| StudioError::missing("there is no such image"))?;
        Ok(png(&images.image(index)?))
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, "image/png"), KEPT], bytes).into_response())
}

/// A model, to be kept elsewhere.
pub(crate) async fn model(
    State(app): State<App>,
    Query(fields): Query<Fields>,
) -> Result<Response, StudioError> {
    let (name, bytes) = blocking(move || {
        let facts = app.shelf.model(fields.need("file")?)?;
        let failed = |error| StudioError::Place { place: facts.file.clone(), error };
        Ok((facts.name.clone(), std::fs::read(&facts.file).map_err(failed)?))
    })
    .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.onnx\"", plain(&name))),
    ];
    Ok((headers, bytes).into_response())
}
