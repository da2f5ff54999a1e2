//! The recipe: the text of what was done.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::blocking;
use super::fields::Fields;
use super::frame;
use crate::failure::StudioError;
use crate::server::App;

pub(crate) fn page(app: &App, _: &Fields) -> Result<Markup, StudioError> {
    let text = text(app)?;
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

fn text(_: &App) -> Result<String, StudioError> {
    Ok(String::new())
}
