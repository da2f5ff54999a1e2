//! A recipe as a drawing: what is made of what.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use maud::{Markup, html};

use super::place::{Placed, place};
use super::text::Recipe;

/// Width and height of a box, and the gaps between boxes, in pixels.
const BOX: [usize; 2] = [168, 46];
const GAP: [usize; 2] = [56, 18];

/// What is drawn of a recipe.
#[derive(Default)]
struct Drawn {
    nodes: Vec<Node>,
    /// From node to node, by place.
    arrows: Vec<Arrow>,
}

struct Node {
    name: String,
    /// The verb; none for what is there before.
    verb: Option<&'static str>,
    /// How many arrows at most lead to it.
    depth: usize,
}

#[derive(PartialEq)]
struct Arrow {
    from: usize,
    to: usize,
}

fn drawn(recipe: &Recipe) -> Drawn {
    let (placed, _) = place(recipe, Path::new(""));
    let mut found = Drawn::default();
    let mut outside: BTreeMap<String, usize> = BTreeMap::new();
    for step in &placed {
        for input in step.inputs.iter().filter(|input| input.from.is_none()) {
            let name = input.path.file_name().unwrap_or(input.path.as_os_str());
            let name = name.to_string_lossy().into_owned();
            outside.entry(name.clone()).or_insert_with(|| {
                found.nodes.push(Node { name, verb: None, depth: 0 });
                found.nodes.len() - 1
            });
        }
    }
    let first = found.nodes.len();
    let node =
        |step: &Placed| Node { name: step.name.clone(), verb: Some(step.verb.name), depth: 0 };
    found.nodes.extend(placed.iter().map(node));
    for (k, step) in placed.iter().enumerate() {
        for input in &step.inputs {
            let name = input.path.file_name().unwrap_or(input.path.as_os_str()).to_string_lossy();
            let from = match input.from {
                Some(from) => placed.iter().position(|other| other.step == from).map(|k| first + k),
                None => outside.get(&*name).copied(),
            };
            let arrow = from.map(|from| Arrow { from, to: first + k });
            found.arrows.extend(arrow.filter(|arrow| !found.arrows.contains(arrow)));
        }
    }
    found.sink();
    found
}

impl Drawn {
    /// Puts every node behind those that lead to it.
    fn sink(&mut self) {
        // As many rounds as there are nodes: a circle ends, too.
        for _ in 0..self.nodes.len() {
            for Arrow { from, to } in &self.arrows {
                let depth = self.nodes[*from].depth + 1;
                let target = &mut self.nodes[*to].depth;
                *target = depth.max(*target).min(self.arrows.len());
            }
        }
    }
}

/// The recipe in the language of Graphviz.
pub(super) fn dot(recipe: &Recipe) -> String {
    let Drawn { nodes, arrows } = drawn(recipe);
    let mut text =
        "digraph recipe {\n    rankdir=LR;\n    node [shape=box, fontname=\"sans-serif\"];\n"
            .to_owned();
    for (k, Node { name, verb, .. }) in nodes.iter().enumerate() {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = match verb {
            Some(verb) => writeln!(text, "    n{k} [label=\"{quoted}\\n{verb}\"];"),
            None => writeln!(text, "    n{k} [label=\"{quoted}\", style=dashed];"),
        };
    }
    for Arrow { from, to } in arrows {
        let _ = writeln!(text, "    n{from} -> n{to};");
    }
    text.push_str("}\n");
    text
}

/// The recipe as a picture.
pub(super) fn svg(recipe: &Recipe) -> String {
    let Drawn { nodes, arrows } = drawn(recipe);
    let mut rows = BTreeMap::new();
    let places: Vec<[usize; 2]> = nodes
        .iter()
        .map(|node| {
            let row = rows.entry(node.depth).or_insert(0);
            *row += 1;
            [GAP[1] + node.depth * (BOX[0] + GAP[0]), GAP[1] + (*row - 1) * (BOX[1] + GAP[1])]
        })
        .collect();
    let end = |axis: usize| {
        places.iter().map(|place| place[axis] + BOX[axis]).max().unwrap_or(0) + GAP[1]
    };
    let [width, height] = [end(0), end(1)];
    let style = "text{font:14px system-ui,sans-serif;fill:#1f2328}.verb{font-size:12px;fill:#59636e}\
                 rect{fill:#fff;stroke:#59636e;rx:6px}.there{stroke-dasharray:4 3}path{fill:none;stroke:#818b98}\
                 @media(prefers-color-scheme:dark){text{fill:#e6edf3}.verb{fill:#9198a1}rect{fill:#161b22;stroke:#9198a1}}";
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="img" {
            title { "What is made of what" }
            style { (maud::PreEscaped(style)) }
            @for arrow in &arrows { (line(places[arrow.from], places[arrow.to])) }
            @for (node, place) in nodes.iter().zip(&places) { (boxed(node, *place)) }
        }
    }
    .into_string()
}

/// A line from the right of one box to the left of another.
fn line(from: [usize; 2], to: [usize; 2]) -> Markup {
    let (x, y) = (from[0] + BOX[0], from[1] + BOX[1] / 2);
    let (end_x, end_y) = (to[0], to[1] + BOX[1] / 2);
    let middle = (x + end_x) / 2;
    html! { path d=(format!("M{x} {y}C{middle} {y} {middle} {end_y} {end_x} {end_y}")) {} }
}

fn boxed(node: &Node, [x, y]: [usize; 2]) -> Markup {
    let letters = 20;
    let short = match node.name.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &node.name[..end]),
        None => node.name.clone(),
    };
    let class = if node.verb.is_some() { "made" } else { "there" };
    html! {
        g {
            title { (node.name) }
            rect class=(class) x=(x) y=(y) width=(BOX[0]) height=(BOX[1]) {}
            text x=(x + 10) y=(y + 20) { (short) }
            text class="verb" x=(x + 10) y=(y + 37) { (node.verb.unwrap_or("there already")) }
        }
    }
}
