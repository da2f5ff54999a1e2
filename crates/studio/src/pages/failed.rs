//! How a browser is told what went wrong.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::frame;
use crate::failure::StudioError;

impl IntoResponse for StudioError {
    fn into_response(self) -> Response {
        let page = frame::bare(
            "That did not work",
            html! {
                p.error role="alert" { (self) }
                p { a href="/" { "To the box" } }
            },
        );
        (status(&self), page).into_response()
    }
}

fn status(error: &StudioError) -> StatusCode {
    match error {
        StudioError::Library(_) | StudioError::Data(_) | StudioError::Request(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        StudioError::Missing(_) => StatusCode::NOT_FOUND,
        StudioError::Forbidden(_) => StatusCode::FORBIDDEN,
        StudioError::Place { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
