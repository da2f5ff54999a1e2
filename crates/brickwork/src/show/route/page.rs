//! The page: drawings, numbers of every layer, overlap at each layer.

use maud::{Markup, html};

use super::data::Route;
use super::figure::{alone, framed, hundredths, similarity_alone, title};
use super::overlap::LayerOverlap;
use crate::show::matrix::{Matrix, MatrixCell, MatrixRow, matrix};
use crate::show::page::Page;
use crate::show::table::table;

/// Matrices of more classes than this cannot be read.
const MOST_CLASSES: usize = 40;

pub(super) fn of(route: &Route) -> String {
    let mut page = Page::new(&title(route));
    page.kicker("decision routes");
    page.lead("Through which channels each class is decided, and what classes have in common.");
    page.add(parts(route));
    page.to_html()
}

/// The page without its title.
pub(super) fn parts(route: &Route) -> Markup {
    let rows = route.table();
    html! {
        (framed("The routes", &alone(route)))
        h2 { "Layer by layer" }
        p {
            "How many of each layer's channels are relevant, to one class alone (private) and to several \
             (shared). Jaccard: what is relevant to both of two classes as a share of what is relevant to \
             either; the mean over all pairs."
        }
        @if let Some((head, rows)) = rows.split_first() {
            (table("Relevant channels", &head.iter().map(String::as_str).collect::<Vec<_>>(), rows))
        }
        @if let Some(drawing) = similarity_alone(route) {
            h2 { "All profiled classes" }
            (framed("Similarity of the classes", &drawing))
        }
        (overlaps(route))
    }
}

fn overlaps(route: &Route) -> Markup {
    let overlap = &route.overlap;
    if overlap.layers.is_empty() || !(2..=MOST_CLASSES).contains(&overlap.classes.len()) {
        return html! {};
    }
    html! {
        h2 { "Overlap at each layer" }
        p {
            "For every two classes, the Jaccard similarity of their relevant channels, in hundredths; on the \
             diagonal, how many channels are relevant to the class."
        }
        @for (place, layer) in overlap.layers.iter().enumerate() {
            details.overlap name="overlap" open[place == 0] {
                summary { (layer.name) ", " (layer.channels) " channels" }
                (matrix(&matrix_of(route, layer)))
            }
        }
    }
}

fn matrix_of(route: &Route, layer: &LayerOverlap) -> Matrix {
    let (names, order) = (&route.overlap.classes, &route.overlap.order);
    let row = |a: usize| MatrixRow {
        name: names[a].clone(),
        cells: order.iter().map(|&b| cell(names, layer, a, b)).collect(),
    };
    Matrix {
        caption: format!("Overlap at {}", layer.name),
        of: "class".to_owned(),
        columns: order.iter().map(|&b| names[b].clone()).collect(),
        rows: order.iter().map(|&a| row(a)).collect(),
    }
}

fn cell(names: &[String], layer: &LayerOverlap, a: usize, b: usize) -> MatrixCell {
    let [both, of_a, of_b] = [layer.shared[a][b], layer.shared[a][a], layer.shared[b][b]];
    if a == b {
        let words = format!("{}: {both} of {}", names[a], layer.channels);
        return MatrixCell { text: both.to_string(), words, ..MatrixCell::default() };
    }
    let share = layer.jaccard[a][b];
    let words = format!("{}, {}: {both} of {of_a} and {of_b}", names[a], names[b]);
    MatrixCell { text: hundredths(share), share: Some(share), words, miss: false }
}
