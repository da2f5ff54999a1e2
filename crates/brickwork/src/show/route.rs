//! Decision routes: through which channels each class is decided, and how much the classes have in
//! common.
//!
//! [`route`] gives plain data. Drawings and pages are made of that data alone.

mod cluster;
mod columns;
mod figure;
mod layout;
mod links;
mod names;
mod overlap;
mod page;
mod palette;
mod picture;

use brickwork_graph::{Channels, Graph, Label};
use brickwork_tensor::Tensor;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cut::plan::class_labels;
use crate::model::card::{Rule, Thresholds};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;
use crate::relevance::link::{Relevance, link, reference_masks};
use crate::relevance::profile::Profile;

pub use cluster::Merge;
pub use overlap::{LayerOverlap, Overlap};

/// A drawing tells no more classes than this apart.
const MOST_CLASSES: usize = palette::CLASSES.len();

/// What to draw.
#[derive(Clone, Debug, Default)]
pub struct RouteOptions {
    /// The classes, in the order of their colours.
    pub classes: Vec<usize>,
    /// How relevance is linked.
    pub rule: Rule,
    /// Its thresholds.
    pub thresholds: Thresholds,
    /// Draw only layers of these names, or whose names hold these words; all if there are none.
    pub layers: Vec<String>,
}

/// The routes of some classes through a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    /// The model's name.
    pub model: String,
    /// How relevance was linked.
    pub rule: Rule,
    /// The thresholds used.
    pub thresholds: Thresholds,
    /// The classes whose routes these are.
    pub classes: Vec<String>,
    /// The layers with relevant channels, in running order; depthwise layers, which only hand
    /// channels on, are not among them.
    pub layers: Vec<RouteLayer>,
    /// What links the nodes of drawn layers.
    pub links: Vec<RouteLink>,
    /// Of so many columns in a row only one is drawn, besides the first and the last.
    pub every: usize,
    /// What all profiled classes have in common.
    pub overlap: Overlap,
}

/// One layer's part in the routes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteLayer {
    /// Its node's name.
    pub name: String,
    /// Number of output channels.
    pub channels: usize,
    /// For each class, its relevant output channels.
    pub relevant: Vec<Vec<usize>>,
    /// The column it is drawn in, if it is.
    pub column: Option<usize>,
    /// What is drawn of it, from top to bottom.
    pub nodes: Vec<RouteNode>,
}

/// One channel, or a block of channels of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteNode {
    /// The channels.
    pub channels: Vec<usize>,
    /// Whose they are.
    pub kind: Kind,
    /// The classes that any of them is relevant to, by place among the routes' classes.
    pub classes: Vec<usize>,
}

/// Whose a channel or a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One class's, by its place among the routes' classes.
    Private(usize),
    /// Several classes', but not all.
    Some,
    /// All classes'.
    All,
}

/// A link between nodes of two layers. A layer is linked to the layers of the nearest column that
/// feeds it; across layers that are not drawn, links are joined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteLink {
    /// Layer and node it comes from.
    pub from: [usize; 2],
    /// Layer and node it goes to.
    pub to: [usize; 2],
    /// The relative contributions that count, added up, relative to the strongest link into the
    /// layer.
    pub strength: f64,
    /// The classes it counts for, by place among the routes' classes.
    pub classes: Vec<usize>,
}

/// One layer in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RouteRow {
    /// Its node's name.
    pub name: String,
    /// Number of output channels.
    pub channels: usize,
    /// For each class, how many are relevant to it.
    pub relevant: Vec<usize>,
    /// For each class, how many are relevant to no other class of the routes.
    pub private: Vec<usize>,
    /// How many are relevant to several classes.
    pub shared: usize,
    /// Jaccard similarity of the classes' channels: the mean over all pairs of classes.
    pub jaccard: Option<f64>,
}

impl Kind {
    /// Of something that belongs to `classes`, some of `all` classes.
    fn of(classes: &[usize], all: usize) -> Self {
        match *classes {
            [class] => Self::Private(class),
            _ if classes.len() == all => Self::All,
            _ => Self::Some,
        }
    }

    /// Its place from top to bottom: what is shared lies in the middle.
    fn rank(self, all: usize) -> usize {
        match self {
            Self::Private(class) if class < all.div_ceil(2) => class,
            Self::Some => all,
            Self::All => all + 1,
            Self::Private(class) => all + 2 + class,
        }
    }
}

/// Works out the routes of `options.classes`, and what all profiled classes have in common.
///
/// # Errors
/// If the profile is of another model or lacks a class, a layer is not found, or there are more
/// classes than a drawing can tell apart.
pub fn route(
    classifier: &Classifier,
    profile: &Profile,
    options: &RouteOptions,
    progress: &dyn Progress,
) -> Result<Route, Error> {
    profile.check_model(classifier)?;
    let drawn = options.classes.iter().map(|&class| profile.place(class));
    let drawn = drawn.collect::<Result<Vec<usize>, _>>()?;
    if drawn.is_empty() || drawn.len() > MOST_CLASSES {
        return Err(Error::options(format!(
            "a drawing tells 1 to {MOST_CLASSES} classes apart, not {}; name fewer (the overlap is \
             that of all profiled classes anyway)",
            drawn.len()
        )));
    }
    let net = Net::new(classifier.graph(), options.thresholds)?;
    let contributions = profile.contributions_to(net.graph, &net.layers);
    let samples = &profile.header.samples;
    progress.begin("linking classes", samples.len() as u64);
    let found = samples.iter().enumerate().map(|(place, entry)| {
        let scale = profile.count(place) as f32;
        let found = net.relevance(entry.class, options.rule, scale, |k| contributions(place, k));
        progress.advance(1)?;
        Ok(found)
    });
    let found = found.collect::<Result<Vec<Relevance>, Error>>()?;
    let names: Vec<String> =
        samples.iter().map(|entry| profile.header.classes[entry.class].clone()).collect();
    let mut route = Route {
        model: classifier.name.clone(),
        rule: options.rule,
        thresholds: options.thresholds,
        classes: drawn.iter().map(|&place| names[place].clone()).collect(),
        layers: Vec::new(),
        links: Vec::new(),
        every: 1,
        overlap: Overlap::new(names, net.overlaps(&found)),
    };
    let chosen: Vec<&Relevance> = drawn.iter().map(|&place| &found[place]).collect();
    links::draw(&net, &mut route, &chosen, options, |class, k| contributions(drawn[class], k))?;
    Ok(route)
}

/// A network as the routes see it.
struct Net<'a> {
    graph: &'a Graph,
    channels: Channels,
    layers: Vec<LayerInfo>,
    classes: Vec<Label>,
    thresholds: Thresholds,
}

impl<'a> Net<'a> {
    fn new(graph: &'a Graph, thresholds: Thresholds) -> Result<Self, Error> {
        let channels = Channels::of(graph);
        let classes = class_labels(graph, &channels)?;
        Ok(Self { graph, channels, layers: layers(graph), classes, thresholds })
    }

    /// Labels of the layer's inputs.
    fn inputs(&self, layer: usize) -> &[Label] {
        self.channels.layer(self.layers[layer].node).map_or(&[], |ends| &ends.inputs)
    }

    /// Labels of the layer's outputs; none for a depthwise layer, whose outputs are its inputs.
    fn outputs(&self, layer: usize) -> &[Label] {
        match self.channels.layer(self.layers[layer].node) {
            Some(ends) if !self.layers[layer].weighted.is_depthwise() => &ends.outputs,
            _ => &[],
        }
    }

    /// The layer's outputs that are relevant.
    fn relevant(&self, layer: usize, found: &Relevance) -> Vec<usize> {
        let labels = self.outputs(layer).iter().enumerate();
        labels.filter(|(_, label)| found.labels[**label as usize]).map(|(k, _)| k).collect()
    }

    fn relevance(
        &self,
        class: usize,
        rule: Rule,
        samples: f32,
        contributions: impl Fn(usize) -> Tensor,
    ) -> Relevance {
        let (layers, thresholds) = (&self.layers, &self.thresholds);
        match rule {
            Rule::Graph => {
                link(self.graph, &self.channels, layers, class, thresholds, contributions)
            }
            Rule::Reference => {
                let sums = |layer: usize| contributions(layer).map(|v| v * samples);
                let mut inputs = reference_masks(layers, class, thresholds, sums);
                // Inputs beyond a mask are kept, as in a cut by this rule.
                for (mask, layer) in inputs.iter_mut().zip(layers) {
                    mask.resize(layer.weighted.inputs, true);
                }
                Relevance { labels: self.marked(class, &inputs), inputs, score: Vec::new() }
            }
        }
    }

    /// The labels that masks of inputs stand for.
    fn marked(&self, class: usize, inputs: &[Vec<bool>]) -> Vec<bool> {
        let mut labels = vec![false; self.channels.len()];
        labels[self.classes[class] as usize] = true;
        for (layer, mask) in self.layers.iter().zip(inputs) {
            let Some(ends) = self.channels.layer(layer.node) else { continue };
            for (&label, _) in ends.inputs.iter().zip(mask).filter(|(_, kept)| **kept) {
                labels[label as usize] = true;
            }
        }
        for label in (0..self.channels.len()).rev().filter(|&label| label > 0) {
            if labels[label] {
                let parents = self.channels.depends(label as Label);
                parents.iter().for_each(|&parent| labels[parent as usize] = true);
            }
        }
        labels
    }

    /// What classes have in common at every layer. The head, whose outputs are the classes, says
    /// nothing about that.
    fn overlaps(&self, found: &[Relevance]) -> Vec<LayerOverlap> {
        let is_head = |layer: &usize| {
            self.outputs(*layer).first().is_some_and(|label| self.classes.contains(label))
        };
        (0..self.layers.len())
            .filter(|layer| !is_head(layer))
            .filter_map(|layer| {
                let sets: Vec<_> = found.iter().map(|f| self.relevant(layer, f)).collect();
                let count = self.outputs(layer).len();
                sets.iter()
                    .any(|set| !set.is_empty())
                    .then(|| LayerOverlap::of(self.layers[layer].name.clone(), count, &sets))
            })
            .collect()
    }
}

impl Route {
    /// The layers in numbers.
    pub fn rows(&self) -> Vec<RouteRow> {
        self.layers.iter().map(RouteLayer::row).collect()
    }

    /// The same as a table; the first row is its head.
    pub fn table(&self) -> Vec<Vec<String>> {
        let mut head = vec!["layer".to_owned(), "channels".to_owned()];
        head.extend(self.classes.iter().cloned());
        head.extend(["private", "shared", "Jaccard"].map(str::to_owned));
        let rows = self.rows().into_iter().map(|row| {
            let mut cells = vec![row.name, row.channels.to_string()];
            cells.extend(row.relevant.iter().map(usize::to_string));
            cells.push(row.private.iter().sum::<usize>().to_string());
            cells.push(row.shared.to_string());
            cells.push(row.jaccard.map_or("-".to_owned(), |jaccard| format!("{jaccard:.2}")));
            cells
        });
        std::iter::once(head).chain(rows).collect()
    }

    /// The drawing: the routes, and below them how similar all profiled classes are.
    pub fn to_svg(&self) -> String {
        figure::both(self).into_string()
    }

    /// A page of its own: the drawing, the numbers of every layer, and the overlap of all classes
    /// at each layer.
    pub fn to_html(&self) -> String {
        page::of(self)
    }

    /// Number of drawn columns.
    fn columns(&self) -> usize {
        self.layers.iter().filter_map(|layer| layer.column).max().map_or(0, |last| last + 1)
    }
}

impl RouteLayer {
    fn row(&self) -> RouteRow {
        let owners = owners(&self.relevant, self.channels);
        let private = |class| owners.iter().filter(|of| ***of == [class]).count();
        let overlap = LayerOverlap::of(String::new(), self.channels, &self.relevant);
        RouteRow {
            name: self.name.clone(),
            channels: self.channels,
            relevant: self.relevant.iter().map(Vec::len).collect(),
            private: (0..self.relevant.len()).map(private).collect(),
            shared: owners.iter().filter(|of| of.len() > 1).count(),
            jaccard: overlap.mean_jaccard(),
        }
    }
}

/// For every channel, the classes it is relevant to.
fn owners(relevant: &[Vec<usize>], channels: usize) -> Vec<Vec<usize>> {
    let mut owners = vec![Vec::new(); channels];
    for (class, set) in relevant.iter().enumerate() {
        set.iter().for_each(|&channel| owners[channel].push(class));
    }
    owners
}
