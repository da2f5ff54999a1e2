//! The layout as parallel branches: every part as it is, nodes that several have once.

use brickwork_graph::{Builder, Graph};

use super::assembly::{Assembly, Placed};
use super::head::flat;
use super::shared::Trunk;

/// Adds the parts; returns the names of their logits.
pub(super) fn build(builder: &mut Builder, assembly: &Assembly<'_>) -> Vec<String> {
    let graphs: Vec<&Graph> = assembly.parts.iter().map(|part| part.graph).collect();
    let mut trunk = Trunk::of(&graphs, assembly.same_input);
    let mut branch = |(place, part): (usize, &Placed<'_>)| {
        let image = assembly.adapted_input(builder, part);
        let logits = trunk.import(builder, place, &part.name, part.graph, &image);
        flat(builder, part.graph, logits)
    };
    assembly.parts.iter().enumerate().map(&mut branch).collect()
}
