//! Models as bricks: a stud for every class.

use brickwork::show::{self, Brick};
use brickwork_data::Dataset;
use maud::{Markup, html};

use super::frame::escaped;
use crate::shelf::{Facts, Images, Measured, source_of};

/// A model as a brick that can be dragged. `actions` stand at its foot.
pub(crate) fn brick(facts: &Facts, measured: Option<&Measured>, actions: &Markup) -> Markup {
    let mut shown = Brick::new(&facts.name, &facts.classes, hue(facts))
        .fact("kind", facts.kind())
        .fact("parameters", short(facts.params as u64))
        .fact("multiply-accumulates", short(facts.macs))
        .fact("file", bytes(facts.bytes));
    if let Some(measured) = measured {
        shown = shown.fact(&format!("right of {} images", measured.images), &measured.accuracy[..]);
    }
    html! { div.held draggable="true" data-file=(facts.file) { (show::brick(&shown)) div.actions { (actions) } } }
}

/// The hues that bricks have.
const HUES: [usize; 5] = [0, 1, 2, 3, 6];

/// The hue of a model: that of what it was cut from.
pub(crate) fn hue(facts: &Facts) -> usize {
    let name = source_of(facts.origin(), &facts.name);
    HUES[name.bytes().fold(7, |sum, byte| (31 * sum + usize::from(byte)) % HUES.len())]
}

/// Pictures of a class as the data shows it.
pub(crate) fn thumbs(images: &Images, label: usize, count: usize) -> Markup {
    let data = escaped(&images.path);
    html! { span.thumbs { @for k in 0..count.min(of_label(&images.shown, label)) {
        img src={ "/thumb?data=" (data) "&label=" (label) "&k=" (k) } alt="" loading="lazy" width="44" height="44";
    } } }
}

fn of_label(images: &Dataset, label: usize) -> usize {
    images.labels().iter().filter(|&&own| own == label).count()
}

/// A number with three digits: 4.65 M.
pub(crate) fn short(number: u64) -> String {
    let (factor, unit) = match number {
        0..1_000 => return number.to_string(),
        1_000..1_000_000 => (1e3, "k"),
        1_000_000..1_000_000_000 => (1e6, "M"),
        _ => (1e9, "G"),
    };
    let value = number as f64 / factor;
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// A size in bytes.
pub(crate) fn bytes(number: u64) -> String {
    if number < 1000 { format!("{number} B") } else { format!("{}B", short(number)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let all: Vec<String> = [0, 999, 1000, 12_345, 999_400, 4_650_000].map(short).into();
        assert_eq!(all, ["0", "999", "1.00 k", "12.3 k", "999 k", "4.65 M"]);
        assert_eq!([12, 1234].map(bytes), ["12 B", "1.23 kB"]);
    }
}
