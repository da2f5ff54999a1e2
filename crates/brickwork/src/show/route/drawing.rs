//! A part of a drawing, and how coordinates are written.

use maud::Markup;

/// A part of a drawing.
pub(super) struct Drawing {
    pub(super) markup: Markup,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Coordinates need no more than tenths.
pub(super) fn number(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
