//! The routes as plain data, and their numbers.

use schemars::JsonSchema;
use serde::Serialize;

use super::overlap::{LayerOverlap, Overlap};
use crate::model::card::{Rule, Thresholds};

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
    pub kind: Ownership,
    /// The classes that any of them is relevant to, by place among the routes' classes.
    pub classes: Vec<usize>,
}

/// Whose a channel or a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
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

impl Ownership {
    /// Of something that belongs to `classes`, some of `all` classes.
    pub(super) fn of(classes: &[usize], all: usize) -> Self {
        match *classes {
            [class] => Self::Private(class),
            _ if classes.len() == all => Self::All,
            _ => Self::Some,
        }
    }

    /// Its place from top to bottom: what is shared lies in the middle.
    pub(super) fn rank(self, all: usize) -> usize {
        match self {
            Self::Private(class) if class < all.div_ceil(2) => class,
            Self::Some => all,
            Self::All => all + 1,
            Self::Private(class) => all + 2 + class,
        }
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

    /// Number of drawn columns.
    pub(super) fn columns(&self) -> usize {
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
pub(super) fn owners(relevant: &[Vec<usize>], channels: usize) -> Vec<Vec<usize>> {
    let mut owners = vec![Vec::new(); channels];
    for (class, set) in relevant.iter().enumerate() {
        set.iter().for_each(|&channel| owners[channel].push(class));
    }
    owners
}
