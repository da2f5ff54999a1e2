//! From relevant channels to nodes and links.

use std::collections::BTreeMap;

use brickwork_tensor::Tensor;

use super::columns::{columns, drawn};
use super::data::{Ownership, Route, RouteLayer, RouteLink, RouteNode, RouteOptions, owners};
use super::names::shorten;
use super::net::Net;
use crate::model::error::Error;
use crate::relevance::link::{Relevance, counted};

/// A drawing has no more columns than this.
const MOST_COLUMNS: usize = 24;

/// A column shows no more channels one by one than this.
const MOST_NODES: usize = 40;

/// Fills in layers, nodes and links. `found` holds what is relevant to the routes' classes, and
/// `contributions` gives those of a class to a layer of the network.
pub(super) fn draw(
    net: &Net<'_>,
    route: &mut Route,
    found: &[&Relevance],
    options: &RouteOptions,
    contributions: impl Fn(usize, usize) -> Tensor,
) -> Result<(), Error> {
    let mut draft = Draft::new(net, route, found);
    draft.place(route, &options.layers)?;
    for layer in 0..route.layers.len() {
        let place = draft.places[layer];
        draft.link(layer, |class| contributions(class, place));
    }
    for (layer, hidden) in route.layers.iter_mut().enumerate().filter(|(_, l)| l.column.is_none()) {
        (0..hidden.nodes.len()).for_each(|node| draft.bridge(draft.first[layer] + node));
        hidden.nodes.clear();
    }
    route.links = draft.links(route);
    Ok(())
}

/// A channel of a layer of the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Made {
    layer: usize,
    channel: usize,
}

struct Draft<'a> {
    net: &'a Net<'a>,
    found: &'a [&'a Relevance],
    /// The routes' layers, by their place in the network.
    places: Vec<usize>,
    /// For every label, the channels it is made of.
    sources: Vec<Vec<Made>>,
    /// For every layer, those that feed it.
    feeders: Vec<Vec<usize>>,
    columns: Vec<usize>,
    /// For every layer, the number of its first node among all nodes.
    first: Vec<usize>,
    /// For every layer and channel, the number of its node; none for channels nobody needs.
    nodes: Vec<Vec<Option<usize>>>,
    /// For every node, the nodes that contribute to it, and how much for every class.
    into: Vec<BTreeMap<usize, Vec<f64>>>,
}

impl<'a> Draft<'a> {
    fn new(net: &'a Net<'a>, route: &mut Route, found: &'a [&'a Relevance]) -> Self {
        let mut places = Vec::new();
        for (place, layer) in net.layers.iter().enumerate() {
            let relevant: Vec<Vec<usize>> = found.iter().map(|f| net.relevant(place, f)).collect();
            if relevant.iter().any(|set| !set.is_empty()) {
                let (name, channels) = (layer.name.clone(), net.outputs(place).len());
                let nodes = Vec::new();
                route.layers.push(RouteLayer { name, channels, relevant, column: None, nodes });
                places.push(place);
            }
        }
        let sources = sources(net, &places);
        let feeders: Vec<Vec<usize>> = places
            .iter()
            .map(|&place| {
                let inputs = net.inputs(place).iter();
                let mut feeders: Vec<usize> =
                    inputs.flat_map(|&label| &sources[label as usize]).map(|m| m.layer).collect();
                feeders.sort_unstable();
                feeders.dedup();
                feeders
            })
            .collect();
        let columns = columns(&feeders);
        let (first, nodes, into) = (Vec::new(), Vec::new(), Vec::new());
        Self { net, found, places, sources, feeders, columns, first, nodes, into }
    }

    /// Chooses the layers to draw and what to draw of each.
    fn place(&mut self, route: &mut Route, words: &[String]) -> Result<(), Error> {
        let chosen = chosen(&route.layers, words)?;
        let (held, every) = drawn(&self.columns, &chosen, MOST_COLUMNS);
        route.every = every;
        for (layer, &chosen) in chosen.iter().enumerate() {
            let column = held.binary_search(&self.columns[layer]).ok();
            route.layers[layer].column = column.filter(|_| chosen);
        }
        let mut tallest = vec![0; held.len()];
        route.layers.iter().filter_map(|layer| layer.column).for_each(|k| tallest[k] += 1);
        let room = MOST_NODES / tallest.into_iter().max().unwrap_or(1).max(1);
        for layer in &mut route.layers {
            layer.nodes = nodes(&layer.relevant, layer.channels, room);
            let mut of = vec![None; layer.channels];
            for (k, node) in layer.nodes.iter().enumerate() {
                node.channels.iter().for_each(|&c| of[c] = Some(self.into.len() + k));
            }
            self.nodes.push(of);
            self.first.push(self.into.len());
            self.into.resize(self.into.len() + layer.nodes.len(), BTreeMap::new());
        }
        Ok(())
    }

    /// Adds up, for every class, the contributions that count at a layer.
    fn link(&mut self, layer: usize, contributions: impl Fn(usize) -> Tensor) {
        let (net, place) = (self.net, self.places[layer]);
        let Some(nearest) = self.feeders[layer].iter().map(|&k| self.columns[k]).max() else {
            return;
        };
        let (inputs, outputs) = (net.inputs(place), net.outputs(place));
        let near = |made: &&Made| self.columns[made.layer] == nearest;
        let from: Vec<Vec<usize>> = inputs
            .iter()
            .map(|&label| {
                let made = self.sources[label as usize].iter().filter(near);
                made.filter_map(|m| self.nodes[m.layer][m.channel]).collect()
            })
            .collect();
        let groups = net.layers[place].weighted.groups;
        let (each_in, each_out) = (inputs.len() / groups, outputs.len() / groups);
        for (class, found) in self.found.iter().enumerate() {
            let (alpha, _) = net.thresholds.of(&net.layers[place]);
            let values = contributions(class);
            for output in net.relevant(place, found) {
                let Some(node) = self.nodes[layer][output] else { continue };
                let base = output / each_out * each_in;
                let row = &values.data()[output * each_in..(output + 1) * each_in];
                for (k, strength) in counted(row, alpha).enumerate() {
                    let Some(strength) = strength.filter(|_| found.inputs[place][base + k]) else {
                        continue;
                    };
                    for &from in &from[base + k] {
                        let sums = self.into[node].entry(from);
                        let sums = sums.or_insert_with(|| vec![0.0; self.found.len()]);
                        sums[class] += f64::from(strength);
                    }
                }
            }
        }
    }

    /// Takes a node out and joins the links into it with those out of it: who reads the node
    /// reads, in proportion, what it was made of.
    fn bridge(&mut self, node: usize) {
        let sources = std::mem::take(&mut self.into[node]);
        let mut totals = vec![0.0; self.found.len()];
        for sums in sources.values() {
            totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
        for into in &mut self.into {
            let Some(read) = into.remove(&node) else { continue };
            for (&from, sums) in &sources {
                let through: Vec<f64> = (0..totals.len())
                    .map(|k| if totals[k] > 0.0 { read[k] * sums[k] / totals[k] } else { 0.0 })
                    .collect();
                if through.iter().any(|&x| x > 0.0) {
                    let known = into.entry(from).or_insert_with(|| vec![0.0; totals.len()]);
                    known.iter_mut().zip(through).for_each(|(x, y)| *x += y);
                }
            }
        }
    }

    fn links(&self, route: &Route) -> Vec<RouteLink> {
        let layer_of = |node: usize| self.first.partition_point(|&first| first <= node) - 1;
        let strongest = |sums: &Vec<f64>| sums.iter().copied().fold(0.0, f64::max);
        let mut links = Vec::new();
        for (layer, drawn) in route.layers.iter().enumerate() {
            let first = self.first[layer];
            let into = &self.into[first..first + drawn.nodes.len()];
            let top = into.iter().flat_map(BTreeMap::values).map(strongest).fold(0.0, f64::max);
            for (node, into) in into.iter().enumerate() {
                links.extend(into.iter().map(|(&from, sums)| RouteLink {
                    from: [layer_of(from), from - self.first[layer_of(from)]],
                    to: [layer, node],
                    strength: strongest(sums) / top,
                    classes: (0..sums.len()).filter(|&class| sums[class] > 0.0).collect(),
                }));
            }
        }
        links
    }
}

/// For every label, the channels of `places` it is made of.
fn sources(net: &Net<'_>, places: &[usize]) -> Vec<Vec<Made>> {
    let mut sources: Vec<Vec<Made>> = vec![Vec::new(); net.channels.len()];
    for (layer, &place) in places.iter().enumerate() {
        for (channel, &label) in net.outputs(place).iter().enumerate() {
            sources[label as usize].push(Made { layer, channel });
        }
    }
    // What a label depends on was made before it.
    for label in 0..sources.len() {
        if sources[label].is_empty() {
            let parents = net.channels.depends(label as u32).iter();
            let mut made: Vec<Made> =
                parents.flat_map(|&parent| &sources[parent as usize]).copied().collect();
            made.sort_unstable();
            made.dedup();
            sources[label] = made;
        }
    }
    sources
}

/// The layers that the words name; all if there are none.
fn chosen(layers: &[RouteLayer], words: &[String]) -> Result<Vec<bool>, Error> {
    let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
    let short = shorten(&names);
    let mut chosen = vec![words.is_empty(); layers.len()];
    for word in words {
        let is = |k: &usize| names[*k] == word || short[*k] == *word;
        let holds = |k: &usize| names[*k].contains(word) || short[*k].contains(word);
        let mut found: Vec<usize> = (0..layers.len()).filter(is).collect();
        if found.is_empty() {
            found = (0..layers.len()).filter(holds).collect();
        }
        if found.is_empty() {
            return Err(Error::options(format!(
                "no layer on the routes is called `{word}` or has it in its name; they are {}",
                short.join(", ")
            )));
        }
        found.into_iter().for_each(|k| chosen[k] = true);
    }
    Ok(chosen)
}

/// The relevant channels of a layer one by one, or, if they are more than `room`, in blocks.
fn nodes(relevant: &[Vec<usize>], channels: usize, room: usize) -> Vec<RouteNode> {
    let all = relevant.len();
    let owners = owners(relevant, channels);
    let owned = || owners.iter().enumerate().filter(|(_, of)| !of.is_empty());
    let mut nodes: Vec<RouteNode> = Vec::new();
    let alone = owned().count() <= room;
    for (channel, of) in owned() {
        let kind = Ownership::of(of, all);
        match nodes.iter_mut().find(|node| !alone && node.kind == kind) {
            Some(node) => {
                node.channels.push(channel);
                node.classes.extend(of);
            }
            None => nodes.push(RouteNode { channels: vec![channel], kind, classes: of.clone() }),
        }
    }
    for node in &mut nodes {
        node.classes.sort_unstable();
        node.classes.dedup();
    }
    nodes.sort_by_key(|node| (node.kind.rank(all), node.channels[0]));
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(channels: &[usize], kind: Ownership, classes: &[usize]) -> RouteNode {
        RouteNode { channels: channels.to_vec(), kind, classes: classes.to_vec() }
    }

    #[test]
    fn what_is_shared_lies_between_what_is_not() {
        let relevant = [vec![0, 1, 4], vec![1, 2]];
        let expected = [
            node(&[0], Ownership::Private(0), &[0]),
            node(&[4], Ownership::Private(0), &[0]),
            node(&[1], Ownership::All, &[0, 1]),
            node(&[2], Ownership::Private(1), &[1]),
        ];
        assert_eq!(nodes(&relevant, 6, 4), expected);
    }

    #[test]
    fn too_many_channels_become_blocks() {
        let relevant = [vec![0, 1, 4, 5], vec![1, 2, 5], vec![2, 3, 5]];
        let expected = [
            node(&[0, 4], Ownership::Private(0), &[0]),
            node(&[1, 2], Ownership::Some, &[0, 1, 2]),
            node(&[5], Ownership::All, &[0, 1, 2]),
            node(&[3], Ownership::Private(2), &[2]),
        ];
        assert_eq!(nodes(&relevant, 6, 5), expected);
        assert_eq!(nodes(&relevant, 6, 6).len(), 6);
    }
}
