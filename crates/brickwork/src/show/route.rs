//! Decision routes: through which channels each class is decided, and how much the classes have in
//! common.
//!
//! [`route`] gives plain data. Drawings and pages are made of that data alone.

mod cluster;
mod columns;
mod data;
mod drawing;
mod figure;
mod layout;
mod links;
mod names;
mod net;
mod overlap;
mod page;
mod palette;
mod picture;

use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;
use crate::relevance::link::Relevance;
use crate::relevance::profile::Profile;
use crate::show::colours::written_out;

pub use cluster::Merge;
pub use data::{Ownership, Route, RouteLayer, RouteLink, RouteNode, RouteOptions, RouteRow};
use net::Net;
pub use overlap::{LayerOverlap, Overlap};

/// A drawing tells no more classes than this apart.
const MOST_CLASSES: usize = palette::CLASSES;

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

impl Route {
    /// The drawing: the routes, and below them how similar all profiled classes are.
    pub fn to_svg(&self) -> String {
        written_out(&figure::both(self).into_string())
    }

    /// All that is on that page below its title.
    pub fn parts(&self) -> maud::Markup {
        page::parts(self)
    }

    /// A page of its own: the drawing, the numbers of every layer, and the overlap of all classes
    /// at each layer.
    pub fn to_html(&self) -> String {
        page::of(self)
    }
}
