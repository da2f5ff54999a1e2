//! The page: drawings, numbers of every layer, overlap at each layer.

use maud::{Markup, PreEscaped, html};

use super::data::Route;
use super::figure::{alone, framed, hundredths, similarity_alone, title};
use super::overlap::LayerOverlap;
use super::palette::heat;
use crate::show::report::Page;

/// Matrices of more classes than this cannot be read.
const MOST_CLASSES: usize = 40;

/// Shows the chosen layer's matrix; without scripts all are shown, one after the other.
const PICK: &str = "
const pick = document.getElementById('layer'), layers = document.querySelectorAll('.overlap');
const show = () => layers.forEach((layer, k) => layer.hidden = k != pick.value);
pick.closest('p').hidden = false; pick.oninput = show; show();
";

pub(super) fn of(route: &Route) -> String {
    let mut page = Page::new(&title(route));
    page.add(framed(&alone(route)));
    page.heading("Layer by layer");
    page.text(
        "How many of each layer's channels are relevant, to one class alone (private) and to several \
         (shared). Jaccard: what is relevant to both of two classes as a share of what is relevant to \
         either; the mean over all pairs.",
    );
    page.table(&route.table());
    if let Some(drawing) = similarity_alone(route) {
        page.heading("All profiled classes");
        page.add(framed(&drawing));
    }
    overlaps(route, &mut page);
    page.to_html()
}

fn overlaps(route: &Route, page: &mut Page) {
    let overlap = &route.overlap;
    if overlap.layers.is_empty() || !(2..=MOST_CLASSES).contains(&overlap.classes.len()) {
        return;
    }
    page.heading("Overlap at each layer");
    page.text(
        "For every two classes, the Jaccard similarity of their relevant channels, in hundredths; on the \
         diagonal, how many channels are relevant to the class.",
    );
    page.add(html! {
        p hidden { label { "Layer " select id="layer" {
            @for (k, layer) in overlap.layers.iter().enumerate() { option value=(k) { (layer.name) } }
        } } }
        @for layer in &overlap.layers { (matrix(route, layer)) }
        script { (PreEscaped(PICK)) }
    });
}

fn matrix(route: &Route, layer: &LayerOverlap) -> Markup {
    let (names, order) = (&route.overlap.classes, &route.overlap.order);
    html! {
        figure.overlap {
            figcaption { (layer.name) ", " (layer.channels) " channels" }
            div.scroll { table.heat {
                tr { th {} @for &b in order { th { span { (names[b]) } } } }
                @for &a in order {
                    tr { th { (names[a]) } @for &b in order { (cell(names, layer, a, b)) } }
                }
            } }
        }
    }
}

fn cell(names: &[String], layer: &LayerOverlap, a: usize, b: usize) -> Markup {
    let [both, of_a, of_b] = [layer.shared[a][b], layer.shared[a][a], layer.shared[b][b]];
    if a == b {
        return html! { td title={ (names[a]) ": " (both) " of " (layer.channels) } { (both) } };
    }
    let (ground, ink) = heat(layer.jaccard[a][b]);
    let words = format!("{}, {}: {both} of {of_a} and {of_b}", names[a], names[b]);
    html! {
        td title=(words) style={ "background:" (ground) ";color:" (ink) } {
            (hundredths(layer.jaccard[a][b]))
        }
    }
}
