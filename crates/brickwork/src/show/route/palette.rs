//! Which colour says what: hues are of classes, greys of what several share.

use super::data::Ownership;
use crate::show::colours::{hue, on_heat};

/// So many classes can be told apart beside what they share.
pub(super) const CLASSES: usize = 7;

pub(super) const INK: &str = "var(--ink)";
pub(super) const SOFT: &str = "var(--muted)";
pub(super) const LINE: &str = "var(--line)";
pub(super) const PAPER: &str = "var(--paper)";

pub(super) fn color(kind: Ownership) -> String {
    match kind {
        Ownership::Private(class) => hue(class % CLASSES),
        Ownership::Some => "var(--plate)".to_owned(),
        Ownership::All => "var(--faint)".to_owned(),
    }
}

/// What stands for a share, and what is legible on it.
pub(super) fn heat(share: f64) -> (String, &'static str) {
    let step = crate::show::colours::heat(share);
    (format!("var(--heat-{step})"), on_heat(step))
}
