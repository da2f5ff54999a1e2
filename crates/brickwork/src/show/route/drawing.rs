//! A part of a drawing, and how coordinates are written.

use maud::Markup;

pub(super) use crate::show::words::tenths as number;

/// A part of a drawing.
pub(super) struct Drawing {
    pub(super) markup: Markup,
    pub(super) width: f64,
    pub(super) height: f64,
}
