//! Tables: of anything, of facts before and after, of shares as bars.

use maud::{Markup, html};

/// Names that are no longer than this stay on one line.
const SHORT: usize = 22;

/// A table; its first column says what each row is of. Columns of numbers stand to the right.
pub fn table<Row: AsRef<[String]>>(caption: &str, head: &[&str], rows: &[Row]) -> Markup {
    marked_table(caption, head, rows, None)
}

/// The same, with one row that stands out.
pub fn marked_table<Row: AsRef<[String]>>(
    caption: &str,
    head: &[&str],
    rows: &[Row],
    chosen: Option<usize>,
) -> Markup {
    let numeric = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.as_ref().get(column));
        column > 0 && cells.all(|cell| is_number(cell))
    };
    let side = |column: usize| numeric(column).then_some("number");
    let whole = are_short(rows.iter().filter_map(|row| row.as_ref().first()));
    scrolling(
        caption,
        &html! {
            table {
                caption { (caption) }
                thead { tr {
                    @for (column, cell) in head.iter().enumerate() {
                        th scope="col" class=[side(column)] { @if cell.is_empty() { span.hidden { "what" } } @else { (cell) } }
                    }
                } }
                tbody { @for (place, row) in rows.iter().enumerate() {
                    tr.chosen[chosen == Some(place)] { @for (column, cell) in row.as_ref().iter().enumerate() {
                        @if column == 0 { th.whole[whole] scope="row" { (cell) } }
                        @else { td class=[side(column)] { (cell) } }
                    } }
                } }
            }
        },
    )
}

/// Whether names have room on one line each.
fn are_short<'a>(mut names: impl Iterator<Item = &'a String>) -> bool {
    names.all(|name| name.chars().count() <= SHORT)
}

/// Something wide, which moves under the finger or by the keys where there is no room for it.
pub(super) fn scrolling(name: &str, wide: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(name) tabindex="0" { (wide) } }
}

/// Whether a cell is a number, perhaps with its unit, or is missing one.
fn is_number(cell: &str) -> bool {
    let start = cell.trim_start_matches(['-', '+', '−']);
    start.is_empty() || start == "–" || start.starts_with(|c: char| c.is_ascii_digit())
}

/// One fact about something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fact {
    /// What it is about.
    pub name: String,
    /// How it is.
    pub value: String,
    /// How it was before.
    pub before: Option<String>,
    /// What is left of that, from 0 to 1.
    pub left: Option<f64>,
}

impl Fact {
    /// How something is.
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.into(), ..Self::default() }
    }

    /// How it was before.
    pub fn was(self, before: impl Into<String>) -> Self {
        Self { before: Some(before.into()), ..self }
    }

    /// What is left of what it was, from 0 to 1.
    pub fn left(self, share: f64) -> Self {
        Self { left: Some(share), ..self }
    }
}

/// Facts, one below the other; where any has a before, all have room for it.
pub fn facts(caption: &str, facts: &[Fact]) -> Markup {
    let changed = facts.iter().any(|fact| fact.before.is_some());
    let bars = facts.iter().any(|fact| fact.left.is_some());
    scrolling(
        caption,
        &html! {
            table.facts.changed[changed] {
                caption { (caption) }
                @if changed {
                    thead { tr {
                        th scope="col" { span.hidden { "what" } }
                        th scope="col" { "before" }
                        th scope="col" { "after" }
                        @if bars { th scope="col" { "left" } }
                    } }
                }
                tbody { @for fact in facts { (fact_row(fact, changed, bars)) } }
            }
        },
    )
}

fn fact_row(fact: &Fact, changed: bool, bars: bool) -> Markup {
    html! {
        tr {
            th scope="row" { (fact.name) }
            @if let Some(before) = fact.before.as_ref().filter(|_| changed) {
                td.was { (before) }
                td.is { (fact.value) }
                @if bars { td.left { @if let Some(share) = fact.left {
                    (bar(share, None)) span { (format!("{:.1} %", 100.0 * share)) }
                } } }
            } @else {
                @if changed { td.was {} }
                td.is colspan=[(changed && bars).then_some(2)] { (fact.value) }
            }
        }
    }
}

/// A share of something, and what to say about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// The share, from 0 to 1.
    pub share: f64,
    /// The share in words.
    pub words: String,
    /// Between which shares it lies, if that is not sure.
    pub interval: Option<[f64; 2]>,
    /// Its colour.
    pub tone: Tone,
}

/// The colour of a bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// That of what a page is about.
    #[default]
    Own,
    /// That of what it is held against.
    Quiet,
    /// The hue at this place.
    Hue(usize),
}

impl Tone {
    fn class(self) -> String {
        match self {
            Self::Own => "own".to_owned(),
            Self::Quiet => "quiet".to_owned(),
            Self::Hue(place) => format!("hue-{}", place % super::colours::HUES),
        }
    }
}

/// Shares as bars.
pub fn bars(caption: &str, bars: &[Bar]) -> Markup {
    let whole = are_short(bars.iter().map(|one| &one.name));
    html! {
        table.bars {
            caption { (caption) }
            tbody { @for one in bars {
                tr {
                    th.whole[whole] scope="row" { (one.name) }
                    td class={ "length " (one.tone.class()) } {
                        (bar(one.share, one.interval))
                    }
                    td.number { (one.words) }
                }
            } }
        }
    }
}

/// One bar, with a lighter stretch where its end may lie.
fn bar(share: f64, interval: Option<[f64; 2]>) -> Markup {
    let width = |share: f64| format!("{:.2}", 100.0 * share.clamp(0.0, 1.0));
    html! {
        svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect.track width="100" height="8" {}
            rect.fill width=(width(share)) height="8" {}
            @if let Some([low, high]) = interval {
                rect.doubt x=(width(low)) y="3" width=(width(high - low)) height="2" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn numbers_stand_to_the_right_and_rows_have_heads() {
        let rows = [row(&["conv1", "1,200", "relu"]), row(&["fc", "–", "none & <b>"])];
        let text = table("layers", &["layer", "MACs", "kind"], &rows).into_string();
        assert!(
            text.contains(
                "<th class=\"whole\" scope=\"row\">conv1</th><td class=\"number\">1,200</td><td>relu</td>"
            )
        );
        assert!(text.contains("<td>none &amp; &lt;b&gt;</td>"));
    }

    #[test]
    fn a_fact_without_a_before_stands_where_others_are_now() {
        let all = [Fact::new("MACs", "50").was("100").left(0.5), Fact::new("classes", "cat")];
        let text = facts("size", &all).into_string();
        assert!(text.contains("<td class=\"was\">100</td><td class=\"is\">50</td>"));
        assert!(text.contains("<rect class=\"fill\" width=\"50.00\""));
        assert!(text.contains("<td class=\"was\"></td><td class=\"is\" colspan=\"2\">cat</td>"));
        let plain = facts("size", &all[1..]).into_string();
        assert!(!plain.contains("before") && plain.contains("<td class=\"is\">cat</td>"));
    }

    #[test]
    fn bars_are_cut_off_at_their_ends() {
        let one = Bar { name: "a".into(), share: 1.4, words: "all".into(), ..Bar::default() };
        assert!(bars("x", &[one]).into_string().contains("class=\"fill\" width=\"100.00\""));
    }
}
