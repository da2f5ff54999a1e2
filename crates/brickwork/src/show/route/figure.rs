//! Whole drawings: title, legend, routes, similarity of the classes.

use maud::{Markup, html};

use super::cluster::Merge;
use super::data::{Ownership, Route};
use super::drawing::{Drawing, number};
use super::layout::{kind_name, room, text_width};
use super::names::fit;
use super::overlap::Overlap;
use super::palette::{INK, LINE, PAPER, SOFT, color, heat};
use super::picture::{MOST_LINKS, routes};

const MARGIN: f64 = 24.0;

/// Everything below each other.
pub(super) fn both(route: &Route) -> Markup {
    let mut parts = vec![titled(route)];
    parts.extend(similarity(route));
    svg(&title(route), parts)
}

/// The routes alone.
pub(super) fn alone(route: &Route) -> Markup {
    svg(&title(route), vec![titled(route)])
}

/// The similarity of the classes alone.
pub(super) fn similarity_alone(route: &Route) -> Option<Markup> {
    Some(svg("Similarity of the classes", vec![similarity(route)?]))
}

pub(super) fn title(route: &Route) -> String {
    let (last, others) = route.classes.split_last().map_or(("", &[][..]), |(a, b)| (a, b));
    let names = if others.is_empty() {
        last.to_owned()
    } else {
        format!("{} and {last}", others.join(", "))
    };
    format!("Decision routes of {names}")
}

fn svg(title: &str, parts: Vec<Drawing>) -> Markup {
    let width = parts.iter().map(|part| part.width).fold(0.0, f64::max) + 2.0 * MARGIN;
    let height = parts.iter().map(|part| part.height + MARGIN).sum::<f64>() + MARGIN;
    let mut y = 0.0;
    let mut placed = Vec::new();
    for part in parts {
        y += MARGIN;
        placed.push((y, part.markup));
        y += part.height;
    }
    let (width, height) = (number(width), number(height));
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(title)
            viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height)
            font-family="system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif" {
            title { (title) }
            rect width="100%" height="100%" fill=(PAPER) {}
            @for (y, markup) in placed {
                g transform={ "translate(" (MARGIN) " " (number(y)) ")" } { (markup) }
            }
        }
    }
}

/// The routes with title and legend above and remarks below.
fn titled(route: &Route) -> Drawing {
    let routes = routes(route);
    let (legend, remarks) = (legend(route), remarks(route));
    let below = 84.0 + routes.height + 14.0;
    let longest = remarks.iter().map(|line| text_width(line, 11.0)).fold(legend.width, f64::max);
    let markup = html! {
        text x="0" y="20" font-size="20" font-weight="600" fill=(INK) { (title(route)) }
        text x="0" y="40" font-size="12" fill=(SOFT) { (subtitle(route)) }
        g transform="translate(0 52)" { (legend.markup) }
        g transform="translate(0 84)" { (routes.markup) }
        @for (k, line) in remarks.iter().enumerate() {
            text x="0" y=(number(below + 16.0 * (k + 1) as f64)) font-size="11" fill=(SOFT) { (line) }
        }
    };
    let height = below + 16.0 * remarks.len() as f64 + 4.0;
    Drawing { markup, width: routes.width.max(longest), height }
}

fn subtitle(route: &Route) -> String {
    let t = &route.thresholds;
    let rule = serde_json::to_value(route.rule).ok();
    let rule = rule.as_ref().and_then(|rule| rule.as_str()).unwrap_or_default().to_owned();
    format!(
        "{} · rule {rule} · convolutions α {} β {} · linear layers α {} β {}",
        route.model, t.alpha_conv, t.beta_conv, t.alpha_linear, t.beta_linear
    )
}

/// The kinds that channels and links of these routes can be of.
fn kinds(route: &Route) -> Vec<Ownership> {
    let count = route.classes.len();
    let mut kinds: Vec<Ownership> = (0..count).map(Ownership::Private).collect();
    kinds.extend((count > 2).then_some(Ownership::Some));
    kinds.extend((count > 1).then_some(Ownership::All));
    kinds
}

fn legend(route: &Route) -> Drawing {
    let mut x = 0.0;
    let mut entries = Vec::new();
    for kind in kinds(route) {
        let name = match kind {
            Ownership::Private(class) if route.classes.len() == 1 => route.classes[class].clone(),
            _ => kind_name(route, kind),
        };
        let next = x + 36.0 + text_width(&name, 12.0);
        entries.push((x, kind, name));
        x = next;
    }
    let markup = html! {
        @for (x, kind, name) in entries {
            circle cx=(number(x + 7.0)) cy="8" r="7" fill=(color(kind)) {}
            text x=(number(x + 20.0)) y="12.5" font-size="12" fill=(INK) { (name) }
        }
    };
    Drawing { markup, width: x, height: 16.0 }
}

fn remarks(route: &Route) -> Vec<String> {
    let drawn = || route.layers.iter().filter(|layer| layer.column.is_some());
    let blocks = drawn().any(|layer| layer.nodes.iter().any(|node| node.channels.len() > 1));
    let mut lines = vec![format!(
        "A mark is a channel that is relevant to a class; a link, the thicker the stronger, a contribution \
         that counts. Of the links to one channel the {MOST_LINKS} strongest are drawn."
    )];
    if blocks {
        lines.push(
            "A bar is a layer of more channels: its blocks are their shares of all its channels, its empty \
             part is what no class here needs."
                .to_owned(),
        );
    }
    if (0..route.layers.len()).any(|layer| reads_on(route, layer)) {
        lines.push(
            "Links lead to a layer from the nearest ones that feed it; a channel without links to its right is \
             read only further on."
                .to_owned(),
        );
    }
    if route.every > 1 {
        let every = route.every;
        lines.push(format!(
            "The network is deep: one column of {every} is drawn and the links are joined across the others; \
             name layers to draw others."
        ));
    }
    lines
}

/// Whether some of the layer's channels have no links to their right.
fn reads_on(route: &Route, layer: usize) -> bool {
    let drawn = &route.layers[layer];
    let linked = |node: usize| route.links.iter().any(|link| link.from == [layer, node]);
    drawn.column.is_some_and(|column| column + 1 < route.columns())
        && !(0..drawn.nodes.len()).all(linked)
}

/// Widest tree of merges.
const TREE: f64 = 190.0;

/// How similar all profiled classes are: a tree of merges beside the matrix, in its order. None
/// for a single class, and for more classes than can be read.
fn similarity(route: &Route) -> Option<Drawing> {
    let overlap = &route.overlap;
    let count = overlap.classes.len();
    if !(2..=200).contains(&count) {
        return None;
    }
    let cell = match count {
        ..=12 => 34.0,
        13..=40 => 22.0,
        _ => 11.0,
    };
    let size = f64::min(cell - 1.0, 12.0);
    let longest = overlap.classes.iter().map(|name| text_width(name, size)).fold(0.0, f64::max);
    let longest = longest.min(150.0);
    let left = TREE + longest + 34.0;
    let top = 58.0 + longest * 0.72 + 12.0;
    let side = cell * count as f64;
    let y = |k: usize| top + cell * (k as f64 + 0.5);
    let letters = room(longest, size);
    let markup = html! {
        text x="0" y="16" font-size="16" font-weight="600" fill=(INK) { "Similarity of the classes" }
        text x="0" y="36" font-size="12" fill=(SOFT) {
            "Jaccard similarity of relevant channels, mean over " (overlap.layers.len())
            " layers; colours span the values; average linkage"
        }
        g transform={ "translate(0 " (number(top)) ")" } { (tree(overlap, cell)) }
        @for (k, &class) in overlap.order.iter().enumerate() {
            (swatch(route, class, TREE + 14.0, y(k), cell))
            text x=(number(TREE + 24.0)) y=(number(y(k) + size * 0.36)) font-size=(size) fill=(INK) {
                (fit(&overlap.classes[class], letters))
            }
            text font-size=(size) fill=(INK)
                transform={ "translate(" (number(left + cell * (k as f64 + 0.6))) " " (number(top - 7.0)) ") rotate(-45)" } {
                (fit(&overlap.classes[class], letters))
            }
            @for (j, &other) in overlap.order.iter().enumerate() {
                (square(overlap, [class, other], [left + cell * j as f64, y(k) - cell / 2.0], cell))
            }
        }
    };
    let height = top + side + 26.0;
    Some(Drawing { markup, width: left + side + longest * 0.8, height })
}

/// The colour of a class whose route is drawn.
fn swatch(route: &Route, class: usize, x: f64, y: f64, cell: f64) -> Markup {
    let name = &route.overlap.classes[class];
    let place = route.classes.iter().position(|other| other == name);
    html! {
        @if let Some(place) = place {
            circle cx=(number(x)) cy=(number(y)) r=(number((cell * 0.3).min(5.0))) fill=(color(Ownership::Private(place))) {}
        }
    }
}

fn square(overlap: &Overlap, [a, b]: [usize; 2], [x, y]: [f64; 2], cell: f64) -> Markup {
    let value = overlap.similarity[a][b];
    let (low, high) = overlap.range();
    let share = 0.05 + 0.85 * (value - low) / (high - low).max(0.01);
    let (ground, ink) = if a == b { ("var(--soft)".to_owned(), INK) } else { heat(share) };
    html! {
        rect x=(number(x)) y=(number(y)) width=(number(cell - 1.0)) height=(number(cell - 1.0))
            fill=(ground) stroke=(LINE) stroke-width="0.4" {
            title { (overlap.classes[a]) ", " (overlap.classes[b]) ": " (format!("{value:.3}")) }
        }
        @if cell > 30.0 {
            text x=(number(x + cell / 2.0 - 0.5)) y=(number(y + cell / 2.0 + 3.5)) font-size="10.5"
                text-anchor="middle" fill=(ink) pointer-events="none" { (hundredths(value)) }
        }
    }
}

/// 0.5349 as .53.
pub(super) fn hundredths(share: f64) -> String {
    let text = format!("{share:.2}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}

/// The merges, leaves at the right, one in every row.
fn tree(overlap: &Overlap, cell: f64) -> Markup {
    let count = overlap.classes.len();
    let widest = overlap.merges.iter().map(|merge| merge.height).fold(0.05, f64::max);
    let x = |height: f64| TREE - height / widest * (TREE - 10.0);
    let mut places: Vec<(f64, f64)> = vec![(0.0, 0.0); count];
    for (row, &class) in overlap.order.iter().enumerate() {
        places[class] = (x(0.0), cell * (row as f64 + 0.5));
    }
    let mut lines = Vec::new();
    for Merge { parts: [a, b], height, size } in &overlap.merges {
        let ((xa, ya), (xb, yb), at) = (places[*a], places[*b], x(*height));
        places.push((at, (ya + yb) / 2.0));
        let path =
            format!("M{} {}H{}V{}H{}", number(xa), number(ya), number(at), number(yb), number(xb));
        lines.push((path, format!("{size} classes merge at similarity {:.3}", 1.0 - height)));
    }
    let floor = cell * count as f64 + 4.0;
    let ticks: Vec<f64> = (0..=10).map(|k| f64::from(k) / 10.0).filter(|t| *t <= widest).collect();
    let sparse = ticks.len() > 5;
    html! {
        @for (path, words) in lines {
            path d=(path) fill="none" stroke=(INK) stroke-width="1.3" { title { (words) } }
        }
        path d={ "M" (number(x(widest))) " " (number(floor)) "H" (TREE) } stroke=(SOFT) {}
        @for (k, &tick) in ticks.iter().enumerate() {
            path d={ "M" (number(x(tick))) " " (number(floor)) "v4" } stroke=(SOFT) {}
            @if !sparse || k % 2 == 0 {
                text x=(number(x(tick))) y=(number(floor + 15.0)) font-size="10" text-anchor="middle"
                    fill=(SOFT) { (number_of_similarity(1.0 - tick)) }
            }
        }
    }
}

fn number_of_similarity(similarity: f64) -> String {
    format!("{similarity:.1}")
}

/// A drawing as it stands in a page: it moves where there is no room for it.
pub(super) fn framed(name: &str, markup: &Markup) -> Markup {
    html! { div.drawing role="region" aria-label=(name) tabindex="0" { (markup) } }
}
