//! The drawing of the routes: layers from left to right, their channels, and what links them.

use maud::{Markup, html};

use super::data::{Ownership, Route, RouteLink};
use super::drawing::{Drawing, number};
use super::layout::{BAND, LABEL, Layout, Mark, Stack, kind_name, room, text_width};
use super::names::fit;
use super::palette::{INK, LINE, PAPER, SOFT, color};

/// A link to a single channel is drawn if it is among so many strongest.
pub(super) const MOST_LINKS: usize = 6;
/// Weaker links are not drawn.
const WEAKEST: f64 = 0.03;
const BLOCK: f64 = 16.0;

/// The routes with names above and classes at the right.
pub(super) fn routes(route: &Route) -> Drawing {
    let longest = route.classes.iter().map(|name| text_width(name, 13.0)).fold(0.0, f64::max);
    let layout = Layout::new(route, longest + 34.0);
    let markup = html! {
        @for band in &layout.bands {
            rect x=(number(band.left)) y="0" width=(number(band.right - band.left)) height=(BAND)
                rx="5" fill="var(--soft)" {}
            text x=(number((band.left + band.right) / 2.0)) y="15" font-size="11"
                text-anchor="middle" fill=(SOFT) {
                (fit(&band.name, room(band.right - band.left - 6.0, 11.0)))
                title { (band.name) }
            }
        }
        @for stack in layout.stacks.iter().filter(|stack| stack.blocks) {
            rect x=(number(stack.x - BLOCK / 2.0)) y=(number(stack.top)) width=(BLOCK)
                height=(number(stack.height)) rx="2" fill="var(--soft)" stroke=(LINE) {}
        }
        (links(route, &layout))
        @for stack in &layout.stacks { (label(route, stack)) (nodes(route, stack)) }
    };
    Drawing { markup, width: layout.width, height: layout.height }
}

fn label(route: &Route, stack: &Stack) -> Markup {
    let layer = &route.layers[stack.layer];
    let drawn: usize = layer.nodes.iter().map(|node| node.channels.len()).sum();
    let (x, name) = (number(stack.x), fit(&stack.name, room(stack.pitch - 4.0, 12.0)));
    let numbers = format!("{drawn} of {}", layer.channels);
    let width = text_width(&name, 12.5).max(text_width(&numbers, 11.0));
    html! {
        // Links pass behind names.
        rect x=(number(stack.x - width / 2.0)) y=(number(stack.top - LABEL + 2.0)) width=(number(width))
            height=(number(LABEL - 5.0)) rx="4" fill=(PAPER) fill-opacity="0.8" {}
        text x=(x) y=(number(stack.top - LABEL + 14.0)) font-size="12" font-weight="600"
            text-anchor="middle" fill=(INK) {
            (name)
            title { (layer.name) }
        }
        text x=(x) y=(number(stack.top - LABEL + 28.0)) font-size="10.5" text-anchor="middle"
            fill=(SOFT) { (numbers) }
    }
}

fn nodes(route: &Route, stack: &Stack) -> Markup {
    let layer = &route.layers[stack.layer];
    let last = layer.column.map(|column| column + 1) == Some(route.columns());
    html! {
        @for (k, (node, mark)) in layer.nodes.iter().zip(&stack.marks).enumerate() {
            @if stack.blocks {
                rect x=(number(stack.x - BLOCK / 2.0)) y=(number(mark.y - mark.height / 2.0))
                    width=(BLOCK) height=(number(mark.height)) fill=(color(node.kind))
                    stroke=(PAPER) stroke-width="0.8" {
                    title { (describe(route, stack.layer, k)) }
                }
            } @else {
                circle cx=(number(stack.x)) cy=(number(mark.y)) r=(number(mark.height / 2.0))
                    fill=(color(node.kind)) stroke=(PAPER) stroke-width="1" {
                    title { (describe(route, stack.layer, k)) }
                }
                @if last && is_class(route, stack.layer, k) {
                    text x=(number(stack.x + 16.0)) y=(number(mark.y + 4.5)) font-size="13"
                        font-weight="600" fill=(INK) { (route.classes[node.classes[0]]) }
                }
            }
        }
    }
}

/// Whether a node is a class score.
fn is_class(route: &Route, layer: usize, node: usize) -> bool {
    let layer = &route.layers[layer];
    matches!(layer.nodes[node].kind, Ownership::Private(class) if layer.relevant[class].len() == 1)
}

/// A node in words.
fn describe(route: &Route, layer: usize, node: usize) -> String {
    let (name, node) = (&route.layers[layer].name, &route.layers[layer].nodes[node]);
    let kind = kind_name(route, node.kind);
    match node.channels[..] {
        [channel] => format!("{name}, channel {channel}: {kind}"),
        _ => format!("{name}, {} channels: {kind}", node.channels.len()),
    }
}

/// One end of a link.
#[derive(Clone, Copy)]
struct End {
    y: f64,
    thickness: f64,
}

fn links(route: &Route, layout: &Layout) -> Markup {
    let stack_of = |layer: usize| layout.stacks.iter().find(|stack| stack.layer == layer);
    let drawn: Vec<(&RouteLink, &Stack, &Stack)> = shown(route, layout)
        .into_iter()
        .filter_map(|link| Some((link, stack_of(link.from[0])?, stack_of(link.to[0])?)))
        .collect();
    let from =
        ends(&drawn, |(link, from, _)| (*from, link.from), |(link, _, to)| to.marks[link.to[1]]);
    let to =
        ends(&drawn, |(link, _, to)| (*to, link.to), |(link, from, _)| from.marks[link.from[1]]);
    let mut order: Vec<usize> = (0..drawn.len()).collect();
    let private = |k: usize| drawn[k].0.classes.len() == 1;
    order.sort_by(|&a, &b| {
        private(a).cmp(&private(b)).then(drawn[a].0.strength.total_cmp(&drawn[b].0.strength))
    });
    html! {
        @for k in order {
            @let (link, a, b) = drawn[k];
            @let kind = Ownership::of(&link.classes, route.classes.len());
            path d=(band(edge(a, 1.0), from[k], edge(b, -1.0), to[k])) fill=(color(kind))
                fill-opacity=(format!("{:.2}", opacity(kind, link.strength))) {
                title { (describe_link(route, link)) }
            }
        }
    }
}

fn edge(stack: &Stack, side: f64) -> f64 {
    if stack.blocks { stack.x + side * BLOCK / 2.0 } else { stack.x }
}

fn opacity(kind: Ownership, strength: f64) -> f64 {
    match kind {
        Ownership::Private(_) => 0.2 + 0.55 * strength,
        _ => 0.1 + 0.34 * strength,
    }
}

/// The links worth drawing.
fn shown<'a>(route: &'a Route, layout: &Layout) -> Vec<&'a RouteLink> {
    let blocks = |layer: usize| layout.stacks.iter().any(|s| s.layer == layer && s.blocks);
    let mut links: Vec<&RouteLink> =
        route.links.iter().filter(|link| link.strength >= WEAKEST).collect();
    links.sort_by(|a, b| a.to.cmp(&b.to).then(b.strength.total_cmp(&a.strength)));
    let mut seen = 0;
    let mut before = None;
    links.retain(|link| {
        seen = if before == Some(link.to) { seen + 1 } else { 0 };
        before = Some(link.to);
        blocks(link.to[0]) || seen < MOST_LINKS
    });
    links
}

/// Where the links begin or end: stacked along the edge of a block, in the middle of a channel.
fn ends<'a, L>(
    links: &[L],
    own: impl Fn(&L) -> (&'a Stack, [usize; 2]),
    other: impl Fn(&L) -> Mark,
) -> Vec<End>
where
    L: Linked,
{
    let mut order: Vec<usize> = (0..links.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |k: usize| own(&links[k]).1;
        key(a).cmp(&key(b)).then(other(&links[a]).y.total_cmp(&other(&links[b]).y))
    });
    let mut found = vec![End { y: 0.0, thickness: 0.0 }; links.len()];
    for same in order.chunk_by(|&a, &b| own(&links[a]).1 == own(&links[b]).1) {
        let (stack, [_, node]) = own(&links[same[0]]);
        let mark = stack.marks[node];
        let total: f64 = same.iter().map(|&k| links[k].strength()).sum();
        let mut y = mark.y - mark.height / 2.0;
        for &k in same {
            let strength = links[k].strength();
            found[k] = if stack.blocks {
                let thickness = mark.height * strength / total;
                y += thickness;
                End { y: y - thickness / 2.0, thickness }
            } else {
                End { y: mark.y, thickness: 0.5 + 3.0 * strength }
            };
        }
    }
    found
}

trait Linked {
    fn strength(&self) -> f64;
}

impl Linked for (&RouteLink, &Stack, &Stack) {
    fn strength(&self) -> f64 {
        self.0.strength
    }
}

/// A band between two ends.
fn band(x0: f64, a: End, x1: f64, b: End) -> String {
    let middle = number((x0 + x1) / 2.0);
    let (x0, x1) = (number(x0), number(x1));
    let edges =
        |end: End| (number(end.y - end.thickness / 2.0), number(end.y + end.thickness / 2.0));
    let ((top0, low0), (top1, low1)) = (edges(a), edges(b));
    format!(
        "M{x0} {top0}C{middle} {top0} {middle} {top1} {x1} {top1}V{low1}C{middle} {low1} {middle} {low0} \
         {x0} {low0}Z"
    )
}

fn describe_link(route: &Route, link: &RouteLink) -> String {
    let end = |[layer, node]: [usize; 2]| {
        let (layer, node) = (&route.layers[layer], &route.layers[layer].nodes[node]);
        match node.channels[..] {
            [channel] => format!("{} {channel}", layer.name),
            _ => format!("{} ({})", layer.name, kind_name(route, node.kind)),
        }
    };
    let classes: Vec<&str> = link.classes.iter().map(|&k| route.classes[k].as_str()).collect();
    format!(
        "{} → {}: {}, strength {:.2}",
        end(link.from),
        end(link.to),
        classes.join(", "),
        link.strength
    )
}
