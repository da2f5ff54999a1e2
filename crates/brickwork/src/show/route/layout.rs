//! Where everything stands in the drawing of the routes.

use super::data::{Ownership, Route, RouteLayer};
use super::names::{shorten, split};

/// The drawing in numbers, in pixels from its top left.
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Modules that span columns.
    pub(super) bands: Vec<Band>,
    /// The drawn layers.
    pub(super) stacks: Vec<Stack>,
}

/// A module above the columns of its layers.
pub(super) struct Band {
    pub(super) name: String,
    pub(super) left: f64,
    pub(super) right: f64,
}

/// One drawn layer.
pub(super) struct Stack {
    /// Its place among the routes' layers.
    pub(super) layer: usize,
    /// What it is called below its band.
    pub(super) name: String,
    /// Its middle.
    pub(super) x: f64,
    pub(super) top: f64,
    pub(super) height: f64,
    /// Room to its sides.
    pub(super) pitch: f64,
    /// Whether its nodes are blocks whose heights are their share of all channels.
    pub(super) blocks: bool,
    /// One for every node.
    pub(super) marks: Vec<Mark>,
}

/// One drawn node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    /// Its middle.
    pub(super) y: f64,
    pub(super) height: f64,
}

/// Height of the line of bands.
pub(super) const BAND: f64 = 22.0;
/// Height of a layer's name and numbers.
pub(super) const LABEL: f64 = 36.0;
const SIDE: f64 = 46.0;
const GAP: f64 = 14.0;

impl Layout {
    /// Of the routes, with as much room at the right as names of classes need.
    pub(super) fn new(route: &Route, right: f64) -> Self {
        let columns = route.columns();
        let pitch = (1150.0 / (columns.max(2) - 1) as f64).clamp(78.0, 190.0);
        let x = |column: usize| SIDE + column as f64 * pitch;
        let in_column = |column: usize| {
            let layers = route.layers.iter().enumerate();
            layers.filter(move |(_, layer)| layer.column == Some(column)).map(|(k, _)| k)
        };
        let tallest = (0..columns).map(|c| in_column(c).count()).max().unwrap_or(1).max(1);
        let slot = [430.0, 220.0, 150.0, 118.0, 100.0][tallest.min(5) - 1];
        let step = slot + LABEL + GAP;
        let inner = step * tallest as f64 - GAP;
        let names = Names::new(route);
        let bands = names.bands(columns, in_column, x, pitch * 0.45);
        let start = if bands.is_empty() { 0.0 } else { BAND + 8.0 };
        let mut centres = vec![inner / 2.0; route.layers.len()];
        for column in (0..columns).rev() {
            let layers: Vec<usize> = in_column(column).collect();
            let wanted: Vec<f64> = layers.iter().map(|&k| wanted(route, &centres, k)).collect();
            let range = (step - GAP) / 2.0..=inner - (step - GAP) / 2.0;
            let found = spread(&wanted, step, (*range.start(), *range.end()));
            layers.iter().zip(found).for_each(|(&k, y)| centres[k] = y);
        }
        let mut stacks = Vec::new();
        for column in 0..columns {
            for layer in in_column(column) {
                let top = start + centres[layer] - (slot + LABEL) / 2.0 + LABEL;
                let (blocks, marks) = marks(&route.layers[layer], top, slot);
                let (name, x) = (names.below(layer, column, in_column), x(column));
                stacks.push(Stack { layer, name, x, top, height: slot, pitch, blocks, marks });
            }
        }
        let width = SIDE + columns.saturating_sub(1) as f64 * pitch + right;
        Self { width, height: start + inner, bands, stacks }
    }
}

/// The height at which a layer best stands: in the middle of the layers it feeds.
fn wanted(route: &Route, centres: &[f64], layer: usize) -> f64 {
    let fed = route.links.iter().filter(|link| link.from[0] == layer).map(|link| link.to[0]);
    let mut fed: Vec<usize> = fed.collect();
    fed.dedup();
    if fed.is_empty() {
        return centres[layer];
    }
    fed.iter().map(|&k| centres[k]).sum::<f64>() / fed.len() as f64
}

/// Heights near the wanted ones, at least `step` apart, in their order, within the range if that
/// is possible.
fn spread(wanted: &[f64], step: f64, (low, high): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut found = vec![0.0; wanted.len()];
    let mut last = f64::NEG_INFINITY;
    for &k in &order {
        found[k] = wanted[k].max(last + step);
        last = found[k];
    }
    let excess: f64 = found.iter().zip(wanted).map(|(y, w)| y - w).sum();
    let shift = excess / wanted.len().max(1) as f64;
    let mut floor = low;
    for &k in &order {
        found[k] = (found[k] - shift).max(floor);
        floor = found[k] + step;
    }
    let mut ceiling = high;
    for &k in order.iter().rev() {
        found[k] = found[k].min(ceiling);
        ceiling = found[k] - step;
    }
    found
}

fn marks(layer: &RouteLayer, top: f64, slot: f64) -> (bool, Vec<Mark>) {
    let blocks = layer.nodes.iter().any(|node| node.channels.len() > 1);
    if blocks {
        let mut y = top;
        let marks = layer.nodes.iter().map(|node| {
            let height = slot * node.channels.len() as f64 / layer.channels as f64;
            y += height;
            Mark { y: y - height / 2.0, height }
        });
        return (true, marks.collect());
    }
    let count = layer.nodes.len();
    let step = (slot / count.max(1) as f64).min(27.0);
    let height = (step * 0.72).min(17.0);
    let first = top + (slot - step * (count as f64 - 1.0)) / 2.0;
    (false, (0..count).map(|k| Mark { y: first + step * k as f64, height }).collect())
}

/// Short names of layers, and the modules they are in.
struct Names {
    short: Vec<String>,
}

impl Names {
    fn new(route: &Route) -> Self {
        let names: Vec<&str> = route.layers.iter().map(|layer| layer.name.as_str()).collect();
        Self { short: shorten(&names) }
    }

    /// The module that all these layers are in.
    fn module(&self, layers: impl Iterator<Item = usize>) -> String {
        let mut common: Option<Vec<&str>> = None;
        for layer in layers {
            let parts: Vec<&str> = split(&self.short[layer]).0.split('.').collect();
            common = Some(match common {
                None => parts,
                Some(known) => {
                    let same = known.iter().zip(&parts).take_while(|(a, b)| a == b).count();
                    known[..same].to_vec()
                }
            });
        }
        common.unwrap_or_default().join(".")
    }

    /// What a layer is called within its column's module.
    fn below<I: Iterator<Item = usize>>(
        &self,
        layer: usize,
        column: usize,
        in_column: impl Fn(usize) -> I,
    ) -> String {
        let (short, module) = (&self.short[layer], self.module(in_column(column)));
        let rest = short.strip_prefix(&module).and_then(|rest| rest.strip_prefix('.'));
        rest.unwrap_or(short).to_owned()
    }

    /// Neighbouring columns of one module, with `half` of a column's room to each side.
    fn bands<I: Iterator<Item = usize>>(
        &self,
        columns: usize,
        in_column: impl Fn(usize) -> I,
        x: impl Fn(usize) -> f64,
        half: f64,
    ) -> Vec<Band> {
        let mut bands: Vec<Band> = Vec::new();
        let mut before = String::new();
        for column in 0..columns {
            let name = self.module(in_column(column));
            let right = x(column) + half;
            match bands.last_mut().filter(|_| name == before && !name.is_empty()) {
                Some(band) => band.right = right,
                None if name.is_empty() => {}
                None => bands.push(Band { name: name.clone(), left: x(column) - half, right }),
            }
            before = name;
        }
        bands
    }
}

/// Room for a text of this size.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.58
}

/// How many characters of this size fit.
pub(super) fn room(width: f64, size: f64) -> usize {
    (width / (size * 0.58)) as usize
}

/// How the kinds of the routes are called.
pub(super) fn kind_name(route: &Route, kind: Ownership) -> String {
    match kind {
        Ownership::Private(class) => format!("only {}", route.classes[class]),
        Ownership::Some => "shared by some".to_owned(),
        Ownership::All if route.classes.len() == 2 => "shared".to_owned(),
        Ownership::All => "shared by all".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_in_a_column_keep_their_distance() {
        assert_eq!(spread(&[50.0], 40.0, (20.0, 80.0)), [50.0]);
        assert_eq!(spread(&[50.0, 50.0, 50.0], 20.0, (0.0, 100.0)), [30.0, 50.0, 70.0]);
        assert_eq!(spread(&[95.0, 90.0], 20.0, (0.0, 100.0)), [100.0, 80.0]);
        assert_eq!(spread(&[0.0, 10.0], 20.0, (0.0, 100.0)), [0.0, 20.0]);
    }

    fn layer(name: &str, channels: usize, sizes: &[usize], column: usize) -> RouteLayer {
        let mut next = 0;
        let nodes = sizes.iter().map(|&size| {
            next += size;
            let channels = (next - size..next).collect();
            super::super::data::RouteNode { channels, kind: Ownership::All, classes: vec![0] }
        });
        let nodes = nodes.collect();
        RouteLayer {
            name: name.to_owned(),
            channels,
            relevant: vec![(0..next).collect()],
            column: Some(column),
            nodes,
        }
    }

    #[test]
    fn blocks_are_their_share_of_the_channels() {
        let (blocks, found) = marks(&layer("l", 100, &[50, 25], 0), 10.0, 200.0);
        assert!(blocks);
        let expected = [Mark { y: 60.0, height: 100.0 }, Mark { y: 135.0, height: 50.0 }];
        assert_eq!(found, expected);
    }

    #[test]
    fn single_channels_stand_evenly_around_the_middle() {
        let (blocks, found) = marks(&layer("l", 100, &[1, 1, 1], 0), 0.0, 60.0);
        assert!(!blocks);
        assert_eq!(found.iter().map(|mark| mark.y).collect::<Vec<_>>(), [10.0, 30.0, 50.0]);
    }
}
