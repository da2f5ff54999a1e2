//! Charts, as SVG that names its colours: curves, dots, bars, a guide to hold them against.

mod scale;

use maud::{Markup, html};

use super::colours::{HUES, hue, written_out};
use super::words::tenths;
use scale::Scale;

pub use scale::Axis;

/// A chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// The same for whoever cannot see it, with the figures that matter.
    pub description: String,
    /// What runs to the right.
    pub across: Axis,
    /// What runs upwards.
    pub up: Axis,
    /// What is drawn, the first below.
    pub series: Vec<Series>,
}

/// Points that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What they are of.
    pub name: String,
    /// How they are drawn.
    pub form: Form,
    /// The points.
    pub points: Vec<Spot>,
}

/// A point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spot {
    /// To the right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// What it says when it is pointed at.
    pub words: String,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Joined by a line.
    #[default]
    Line,
    /// Joined by a line, each with a dot.
    Dots,
    /// Each with a bar below it, as wide as there is room.
    Bars,
    /// Each with a ring around it, since it is chosen.
    Ring,
    /// Joined by a thin dashed line, to hold others against.
    Guide,
}

impl Spot {
    /// A point that says nothing.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, words: String::new() }
    }

    /// What it says when it is pointed at.
    pub fn says(self, words: impl Into<String>) -> Self {
        Self { words: words.into(), ..self }
    }
}

/// Width of a drawing; it grows and shrinks with the page.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 250.0;
/// Room on the left beside numbers.
const GAP: f64 = 8.0;
const RIGHT: f64 = 14.0;
/// Room above: a line for what runs upwards, one for names.
const ABOVE: f64 = 30.0;
const NAMES: f64 = 26.0;
const BELOW: f64 = 40.0;
/// Room for the title of a chart that stands alone.
const TITLE: f64 = 26.0;
/// Points of text are about this much wider than their number of letters.
const LETTER: f64 = 6.8;

/// What a file says that holds SVG; a page need not.
const NAMESPACE: &str = "http://www.w3.org/2000/svg";

/// A chart as part of a page.
pub fn chart(chart: &Chart) -> Markup {
    html! { figure.chart { figcaption { (chart.title) } (drawing(chart, false)) } }
}

/// A chart as an SVG file.
pub fn chart_file(chart: &Chart) -> String {
    written_out(&drawing(chart, true).into_string()) + "\n"
}

/// Charts beside each other as an SVG file.
pub fn charts_file(title: &str, charts: &[Chart]) -> String {
    let (width, height) = (WIDTH * charts.len() as f64, HEIGHT + TITLE);
    let whole = html! {
        svg xmlns=(NAMESPACE) role="img" aria-label=(title)
            viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) {
            title { (title) }
            @for (place, chart) in charts.iter().enumerate() {
                g transform={ "translate(" (WIDTH * place as f64) ")" } { (drawing(chart, true)) }
            }
        }
    };
    written_out(&whole.into_string()) + "\n"
}

/// The drawing; one that stands alone has paper behind it and its title above.
fn drawing(chart: &Chart, alone: bool) -> Markup {
    let plot = Plot::of(chart);
    let above = if alone { TITLE } else { 0.0 };
    let height = HEIGHT + above;
    html! {
        svg xmlns=[alone.then_some(NAMESPACE)] role="img" aria-label={ (chart.title) ". " (chart.description) }
            viewBox={ "0 " (-above) " " (WIDTH) " " (height) } width=(WIDTH) height=(height) font-size="12"
            font-family="system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif" {
            @if alone {
                title { (chart.title) }
                desc { (chart.description) }
                rect y=(-above) width=(WIDTH) height=(height) fill="var(--paper)" {}
                text x="10" y="-4" font-size="13" font-weight="600" fill="var(--ink)" { (chart.title) }
            }
            (plot.frame(chart))
            @for (place, series) in chart.series.iter().enumerate() { (plot.series(chart, place, series)) }
            (names(chart, plot.left))
        }
    }
}

/// The hue and the dashes of a series: its place among those that have one.
fn place_of(chart: &Chart, place: usize) -> usize {
    chart.series[..place].iter().filter(|series| series.form.has_hue()).count()
}

impl Form {
    fn has_hue(self) -> bool {
        !matches!(self, Self::Guide | Self::Ring)
    }
}

const DASHES: [&str; 4] = ["none", "6 3", "2 2", "8 3 2 3"];

/// Names of series, if there are several, each behind a stroke as it is drawn.
fn names(chart: &Chart, left: f64) -> Markup {
    let named = chart.series.iter().enumerate().filter(|(_, series)| !series.name.is_empty());
    let named: Vec<_> = named.collect();
    if named.len() < 2 {
        return html! {};
    }
    let mut x = left;
    let placed = named.into_iter().map(|(place, series)| {
        let at = x;
        x += 30.0 + LETTER * series.name.chars().count() as f64;
        (at, place, series)
    });
    html! {
        @for (x, place, series) in placed {
            g transform={ "translate(" (tenths(x)) " " (ABOVE + 4.0) ")" } {
                (stroke(chart, place, series))
                text x="22" y="4" fill="var(--ink)" { (series.name) }
            }
        }
    }
}

fn stroke(chart: &Chart, place: usize, series: &Series) -> Markup {
    let nth = place_of(chart, place);
    match series.form {
        Form::Ring => {
            html! { circle cx="8" cy="0" r="5" fill="none" stroke="var(--ink)" stroke-width="2" {} }
        }
        Form::Guide => html! { line x2="16" stroke="var(--faint)" stroke-dasharray="3 3" {} },
        Form::Bars => html! { rect y="-5" width="12" height="10" fill=(hue(nth)) {} },
        _ => html! {
            line x2="16" stroke=(hue(nth)) stroke-width="2" stroke-dasharray=(DASHES[nth % DASHES.len()]) {}
        },
    }
}

/// Where values lie.
struct Plot {
    across: Scale,
    up: Scale,
    /// Where the plot begins, behind its numbers.
    left: f64,
    /// Half the distance of neighbouring bars.
    half: f64,
}

impl Plot {
    fn of(chart: &Chart) -> Self {
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let several = chart.series.iter().filter(|series| !series.name.is_empty()).count() > 1;
        let top = ABOVE + if several { NAMES } else { 0.0 };
        let bars = chart.series.iter().any(|series| series.form == Form::Bars);
        let from_zero = Axis { low: chart.up.low.or(bars.then_some(0.0)), ..chart.up.clone() };
        let up = Scale::of(&from_zero, points().map(|spot| spot.y), [HEIGHT - BELOW, top]);
        let longest = up.ticks().iter().map(|tick| tick.words.chars().count()).max().unwrap_or(0);
        let left = GAP + LETTER * longest.max(2) as f64 + 6.0;
        let across = Scale::of(&chart.across, points().map(|spot| spot.x), [left, WIDTH - RIGHT]);
        let most = chart.series.iter().map(|series| series.points.len()).max().unwrap_or(1);
        Self { half: (WIDTH - left - RIGHT) / most.max(1) as f64 / 2.0, left, across, up }
    }

    /// Axes with their numbers and what they are of.
    fn frame(&self, chart: &Chart) -> Markup {
        let (bottom, right) = (HEIGHT - BELOW, WIDTH - RIGHT);
        html! {
            text x="0" y="14" fill="var(--muted)" { (chart.up.label) }
            text x=(right) y=(HEIGHT - 4.0) text-anchor="end" fill="var(--muted)" { (chart.across.label) }
            @for tick in self.up.ticks() {
                line x1=(tenths(self.left)) x2=(right) y1=(tick.at) y2=(tick.at) stroke="var(--line)" {}
                text x=(tenths(self.left - GAP)) y=(tenths(tick.place + 4.0)) text-anchor="end" fill="var(--muted)" { (tick.words) }
            }
            @for tick in self.across.ticks() {
                line x1=(tick.at) x2=(tick.at) y1=(bottom) y2=(bottom + 4.0) stroke="var(--muted)" {}
                text x=(tick.at) y=(bottom + 17.0) text-anchor="middle" fill="var(--muted)" { (tick.words) }
            }
            line x1=(tenths(self.left)) x2=(right) y1=(bottom) y2=(bottom) stroke="var(--muted)" {}
        }
    }

    fn series(&self, chart: &Chart, place: usize, series: &Series) -> Markup {
        let nth = place_of(chart, place);
        let (colour, dashes) = (hue(nth), DASHES[nth % DASHES.len()]);
        let line = self.line(&series.points);
        html! {
            @match series.form {
                Form::Bars => { (self.bars(&series.points, &hue(nth % HUES))) }
                Form::Ring => { @for spot in &series.points { (self.dot(spot, "none", "var(--ink)", 6.0)) } }
                Form::Guide => { polyline points=(line) fill="none" stroke="var(--faint)" stroke-dasharray="3 3" {} }
                Form::Line | Form::Dots => {
                    polyline points=(line) fill="none" stroke=(colour) stroke-width="2" stroke-dasharray=(dashes)
                        stroke-linejoin="round" {}
                    @if series.form == Form::Dots || series.points.len() == 1 {
                        @for spot in &series.points { (self.dot(spot, &colour, "var(--paper)", 3.5)) }
                    }
                }
            }
        }
    }

    fn dot(&self, spot: &Spot, fill: &str, stroke: &str, radius: f64) -> Markup {
        let width = if fill == "none" { 2.0 } else { 1.0 };
        html! {
            circle cx=(self.across.at(spot.x)) cy=(self.up.at(spot.y)) r=(radius) fill=(fill) stroke=(stroke)
                stroke-width=(width) { @if !spot.words.is_empty() { title { (spot.words) } } }
        }
    }

    fn bars(&self, points: &[Spot], colour: &str) -> Markup {
        let width = (2.0 * self.half - 1.0).max(1.0);
        let bottom = HEIGHT - BELOW;
        html! {
            @for spot in points {
                rect x=(tenths(self.across.place(spot.x) - width / 2.0)) y=(self.up.at(spot.y)) width=(tenths(width))
                    height=(tenths((bottom - self.up.place(spot.y)).max(0.0))) fill=(colour) {
                    @if !spot.words.is_empty() { title { (spot.words) } }
                }
            }
        }
    }

    fn line(&self, points: &[Spot]) -> String {
        let finite = points.iter().filter(|spot| spot.x.is_finite() && spot.y.is_finite());
        let pairs = finite.map(|spot| format!("{},{}", self.across.at(spot.x), self.up.at(spot.y)));
        pairs.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Chart {
        let points =
            |shift: f64| (0..5).map(|k| Spot::new(f64::from(k), shift - f64::from(k))).collect();
        let series =
            |name: &str, form, shift| Series { name: name.to_owned(), form, points: points(shift) };
        Chart {
            title: "a & b".to_owned(),
            description: "Both fall.".to_owned(),
            across: Axis::new("epoch"),
            up: Axis::new("loss"),
            series: vec![series("train", Form::Line, 5.0), series("held out", Form::Dots, 6.0)],
        }
    }

    #[test]
    fn a_line_for_every_series_with_its_name() {
        let text = chart(&two()).into_string();
        assert_eq!(text.matches("<polyline").count(), 2);
        assert_eq!(text.matches("<circle").count(), 5);
        assert!(text.contains(">train<") && text.contains(">held out<"));
        assert!(text.contains("var(--hue-1)") && !text.contains("style="));
    }

    #[test]
    fn a_file_is_svg_with_colours_of_its_own() {
        let text = chart_file(&two());
        let svg = roxmltree::Document::parse(&text).expect("it is XML");
        let words: Vec<_> = svg.descendants().filter_map(|node| node.text()).collect();
        assert!(words.contains(&"a & b") && words.contains(&"Both fall."));
        assert!(!text.contains("var("));
    }

    #[test]
    fn nothing_to_draw_is_a_frame() {
        let text = chart(&Chart::default()).into_string();
        assert!(text.contains("<line") && !text.contains("NaN") && !text.contains("inf"));
    }
}
