//! Colours that the colour-blind tell apart (Okabe and Ito).

use super::data::Ownership;

/// Of classes, in order.
pub(super) const CLASSES: [&str; 7] =
    ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442"];

const ALL: &str = "#767676";
const SOME: &str = "#b4b4b4";

pub(super) const INK: &str = "#222222";
pub(super) const SOFT: &str = "#5f5f5f";
pub(super) const LINE: &str = "#d5d5d5";
pub(super) const PAPER: &str = "#ffffff";

pub(super) fn color(kind: Ownership) -> &'static str {
    match kind {
        Ownership::Private(class) => CLASSES[class % CLASSES.len()],
        Ownership::Some => SOME,
        Ownership::All => ALL,
    }
}

/// From white to blue, and what is legible on it.
pub(super) fn heat(share: f64) -> (String, &'static str) {
    let share = share.clamp(0.0, 1.0);
    let mix = |end: f64| (255.0 + (end - 255.0) * share).round() as u8;
    let ground = format!("#{:02x}{:02x}{:02x}", mix(0.0), mix(114.0), mix(178.0));
    (ground, if share > 0.85 { PAPER } else { INK })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_runs_from_white_to_blue() {
        assert_eq!(heat(0.0), ("#ffffff".to_owned(), INK));
        assert_eq!(heat(1.0), (CLASSES[0].to_owned(), PAPER));
        assert_eq!(heat(0.5).0, "#80b9d9");
    }
}
