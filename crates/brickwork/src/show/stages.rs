//! A network drawn from top to bottom, and the channels of every layer that are left.

use std::fmt::Write;

use maud::{Markup, html};

use super::table::{Bar, bars};
use super::words::{tenths, thousands};
use crate::measure::diff::LayerDifference;
use crate::measure::stages::Stage;
use crate::model::card::KeptLayer;
use crate::model::percent::Percent;

const WIDTH: f64 = 430.0;
/// Heights of a layer and of what only joins layers.
const LAYER: f64 = 16.0;
const JOIN: f64 = 12.0;
/// Where stages are, and how far a connection bends away from them.
const SPINE: f64 = 60.0;
const BEND: f64 = 54.0;
const NAMES: f64 = 70.0;
/// Where channels begin, how far those of the widest layer go, and how high they are.
const CHANNELS: f64 = 226.0;
const WIDEST: f64 = 130.0;
const HIGH: f64 = 9.0;
const NUMBERS: f64 = 364.0;
/// Letters of a name that there is room for.
const LETTERS: usize = 23;
/// Channels are told apart up to so many; more are drawn together.
const CELLS: usize = 64;
/// How many shades tell how much of a cell is left.
const SHADES: usize = 4;

/// The layers of the first network, what reads what, and which of their output channels the second has; the bare shares
/// where it was not cut from the first.
pub fn kept_channels(caption: &str, stages: &[Stage], layers: &[LayerDifference]) -> Markup {
    if layers.iter().all(|layer| layer.kept.is_none()) {
        return shares(caption, layers);
    }
    let rows = rows(stages, layers);
    let height = rows.last().map_or(0.0, |row| row.y + LAYER);
    let widest = rows.iter().filter_map(|row| row.layer).filter_map(|layer| layer.outputs[0]).max();
    let left = |layer: &LayerDifference| Some([layer.outputs[0]?, layer.outputs[1]?]);
    let sums = layers.iter().filter_map(left).fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
    let [before, after] = sums.map(|count| thousands(count as u64));
    let words = format!("{caption}: {after} of {before} in all.");
    html! {
        figure.chart {
            figcaption { (caption) }
            svg role="img" aria-label=(words) viewBox={ "0 0 " (WIDTH) " " (tenths(height)) } width=(WIDTH)
                height=(tenths(height)) font-size="11"
                font-family="system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif" {
                g fill="none" stroke="var(--faint)" { (connections(stages, &rows)) }
                @for row in &rows { (row.drawing(widest.unwrap_or(1))) }
            }
        }
        details { summary { "The same in numbers" } (shares("Output channels that are left", layers)) }
    }
}

/// For every layer that both networks have, the share of its output channels that is left.
fn shares(caption: &str, layers: &[LayerDifference]) -> Markup {
    let bar = |layer: &LayerDifference| {
        let [before, after] = [layer.outputs[0]?, layer.outputs[1]?].map(|count| count as u64);
        let share = Percent::ratio(after, before).share();
        let words = format!("{} of {}", thousands(after), thousands(before));
        Some(Bar { name: layer.name.clone(), share, words, ..Bar::default() })
    };
    bars(caption, &layers.iter().filter_map(bar).collect::<Vec<_>>())
}

/// A stage where it is drawn.
struct Row<'a> {
    stage: &'a Stage,
    layer: Option<&'a LayerDifference>,
    /// Its middle.
    y: f64,
}

fn rows<'a>(stages: &'a [Stage], layers: &'a [LayerDifference]) -> Vec<Row<'a>> {
    let mut end = 2.0;
    let row = |stage: &'a Stage| {
        let layer = layers.iter().find(|layer| stage.is_layer && layer.name == stage.name);
        let height = if stage.is_layer { LAYER } else { JOIN };
        end += height;
        Row { stage, layer, y: end - height / 2.0 }
    };
    stages.iter().map(row).collect()
}

/// A line to every stage from each that it reads, the further to the side the longer it is.
fn connections(stages: &[Stage], rows: &[Row<'_>]) -> Markup {
    let longest = stages.iter().enumerate().flat_map(|(to, s)| s.reads.iter().map(move |f| to - f));
    let longest = (longest.max().unwrap_or(1) as f64).sqrt();
    let line = |from: usize, to: usize| {
        let [a, b] = [from, to].map(|place| tenths(rows[place].y));
        if to == from + 1 {
            return format!("M{SPINE} {a}V{b}");
        }
        let side = tenths(SPINE - BEND * ((to - from) as f64).sqrt() / longest);
        format!("M{SPINE} {a}C{side} {a} {side} {b} {SPINE} {b}")
    };
    let all = stages.iter().enumerate().flat_map(|(to, s)| s.reads.iter().map(move |&f| (f, to)));
    html! { path d=(all.map(|(from, to)| line(from, to)).collect::<String>()) {} }
}

impl Row<'_> {
    fn drawing(&self, widest: usize) -> Markup {
        let (y, stage) = (self.y, self.stage);
        let base = tenths(y + 4.0);
        let Some(layer) = self.layer else {
            return html! {
                circle cx=(SPINE) cy=(tenths(y)) r="2.5" fill="var(--paper)" stroke="var(--faint)" {}
                text x=(NAMES) y=(base) font-size="9" fill="var(--muted)" { (stage.op) }
            };
        };
        let [before, after] = layer.outputs.map(|count| count.unwrap_or(0));
        let words = format!("{} of {}", thousands(after as u64), thousands(before as u64));
        html! {
            g {
                title { (layer.name) ": " (words) " output channels" }
                circle cx=(SPINE) cy=(tenths(y)) r="3.5" fill="var(--accent)" {}
                text x=(NAMES) y=(base) fill="var(--ink)" { (ending(&layer.name, &stage.op)) }
                (strip(layer.kept.as_ref(), before, y - HIGH / 2.0, widest))
                text x=(NUMBERS) y=(base) fill="var(--muted)" { (words) }
            }
        }
    }
}

/// The end of a name, which tells layers apart, without what exporters put behind it of the operator.
fn ending(name: &str, op: &str) -> String {
    let name = name.strip_suffix(op).and_then(|rest| rest.strip_suffix('/')).unwrap_or(name);
    let name = name.trim_start_matches('/');
    let letters = name.chars().count();
    if letters <= LETTERS {
        return name.to_owned();
    }
    let end: String = name.chars().skip(letters - LETTERS + 1).collect();
    format!("…{end}")
}

/// The channels of a layer from left to right, the first leftmost, those that are left filled. It is as wide as the
/// square root of their number.
fn strip(kept: Option<&KeptLayer>, channels: usize, top: f64, widest: usize) -> Markup {
    let width = WIDEST * (channels as f64 / widest.max(1) as f64).sqrt();
    let cells = channels.clamp(1, CELLS);
    let mut left = vec![0; cells];
    let mut all = vec![0; cells];
    (0..channels).for_each(|channel| all[channel * cells / channels] += 1);
    for &channel in kept.iter().flat_map(|kept| &kept.output).filter(|&&c| c < channels) {
        left[channel * cells / channels] += 1;
    }
    let shade = |k: usize| (left[k] * SHADES).div_ceil(all[k].max(1));
    let each = width / cells as f64;
    let run = |shades: usize| {
        let mut path = String::new();
        let mut k = 0;
        while k < cells {
            let end = (k..cells).find(|&other| shade(other) != shades).unwrap_or(cells);
            if end > k {
                let (x, wide) = (CHANNELS + each * k as f64, each * (end - k) as f64);
                let _ = write!(path, "M{x:.2} {top:.1}h{wide:.2}v{HIGH}h-{wide:.2}z");
            }
            k = end + 1;
        }
        path
    };
    html! {
        rect x=(CHANNELS) y=(tenths(top)) width=(tenths(width)) height=(HIGH) fill="var(--plate)" {}
        @for (shades, path) in (1..=SHADES).map(|shades| (shades, run(shades))) {
            @if !path.is_empty() {
                path d=(path) fill="var(--accent)" fill-opacity=[(shades < SHADES).then(|| shades as f64 / SHADES as f64)] {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, before: usize, kept: &[usize]) -> LayerDifference {
        let kept = KeptLayer { input: Vec::new(), output: kept.to_vec() };
        LayerDifference {
            name: name.to_owned(),
            inputs: [None; 2],
            outputs: [Some(before), Some(kept.output.len())],
            macs: [None; 2],
            kept: Some(kept),
            weights: None,
        }
    }

    fn stage(name: &str, is_layer: bool, reads: &[usize]) -> Stage {
        let op = if is_layer { "Conv" } else { "Add" };
        Stage { name: name.to_owned(), op: op.to_owned(), is_layer, reads: reads.to_vec() }
    }

    #[test]
    fn channels_that_are_left_are_filled_and_skips_bend() {
        let stages = [stage("a", true, &[]), stage("b<", true, &[0]), stage("sum", false, &[0, 1])];
        let layers = [layer("a", 4, &[0, 1, 3]), layer("b<", 4, &[])];
        let text = kept_channels("Kept", &stages, &layers).into_string();
        assert!(text.contains("Kept: 3 of 8 in all."), "{text}");
        assert!(text.contains("b&lt;: 0 of 4 output channels"));
        assert!(text.contains(">Add<") && text.contains('C'));
        // Two runs of kept channels in one path, each a quarter of the width a channel.
        let quarter = WIDEST / 4.0;
        let runs = format!("h{:.2}v", 2.0 * quarter);
        assert!(text.contains(&runs) && text.contains(&format!("h{quarter:.2}v")), "{text}");
    }

    #[test]
    fn of_many_channels_a_cell_is_as_dark_as_its_share() {
        let half: Vec<usize> = (0..256).step_by(2).collect();
        let text = strip(Some(&KeptLayer { input: vec![], output: half }), 256, 0.0, 256);
        let text = text.into_string();
        assert!(text.contains("fill-opacity=\"0.5\"") && text.matches("<path").count() == 1);
        assert_eq!(ending("a/very/long/name/of/a/layer/conv1", "Conv").chars().count(), LETTERS);
        assert_eq!(ending("/layer1/conv1/Conv", "Conv"), "layer1/conv1");
    }
}
