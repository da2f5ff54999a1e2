//! The invariants of a graph.
//!
//! 1. Inputs, outputs and operands name values that exist.
//! 2. Value names are unique and not empty; so are node names.
//! 3. Every value is made exactly once: it is an input, a constant, or a result of one node.
//! 4. Nodes stand in running order: what they read is made before.
//! 5. A constant's shape is its data's.
//! 6. The shapes of a node's results are what its operator derives from its operands.
//! 7. There is at least one output, and outputs are computed.
//! 8. No value is empty, has more than 16 axes or more than 2^28 elements per sample.
//! 9. Every value that is no constant has one axis that grows with the batch.

use std::collections::HashSet;

use crate::error::{OpError, Problem, Problems};
use crate::graph::{Graph, Node, ValueId};
use crate::op::Op;
use crate::shape::{Operands, Shape};

/// Checks every invariant of `graph`.
///
/// # Errors
/// All violations.
pub fn check(graph: &Graph) -> Result<(), Problems> {
    let mut problems = Vec::new();
    if ids_exist(graph, &mut problems) {
        names_are_unique(graph, &mut problems);
        values_are_made_once_in_order(graph, &mut problems);
        constants_fit(graph, &mut problems);
        shapes_are_sound(graph, &mut problems);
        shapes_agree(graph, &mut problems);
        outputs_are_computed(graph, &mut problems);
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

fn at_node(node: &Node, text: String) -> Problem {
    Problem { place: node.name.clone(), kind: Some(node.op.kind().to_owned()), text }
}

fn at_value(name: &str, text: impl Into<String>) -> Problem {
    Problem { place: name.to_owned(), kind: None, text: text.into() }
}

fn ids_exist(graph: &Graph, problems: &mut Vec<Problem>) -> bool {
    let count = graph.values.len();
    for node in &graph.nodes {
        let all = node.inputs.iter().flatten().chain(&node.outputs);
        if all.copied().any(|id| id.index() >= count) {
            problems.push(at_node(node, "it names a value that does not exist".to_owned()));
        }
    }
    if graph.inputs.iter().chain(&graph.outputs).any(|id| id.index() >= count) {
        problems
            .push(at_value(&graph.name, "an input or output names a value that does not exist"));
    }
    problems.is_empty()
}

fn names_are_unique(graph: &Graph, problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for value in &graph.values {
        if value.name.is_empty() || !seen.insert(&value.name) {
            problems.push(at_value(&value.name, "the value's name is empty or used twice"));
        }
    }
    let mut seen = HashSet::new();
    for node in &graph.nodes {
        if node.name.is_empty() || !seen.insert(&node.name) {
            problems.push(at_node(node, "the node's name is empty or used twice".to_owned()));
        }
    }
}

fn values_are_made_once_in_order(graph: &Graph, problems: &mut Vec<Problem>) {
    let mut made: Vec<bool> = graph.values.iter().map(|value| value.constant.is_some()).collect();
    let mut make = |id: ValueId, problems: &mut Vec<Problem>| {
        if std::mem::replace(&mut made[id.index()], true) {
            problems.push(at_value(&graph.value(id).name, "the value is made twice"));
        }
    };
    for &input in &graph.inputs {
        make(input, problems);
    }
    for node in &graph.nodes {
        for &output in &node.outputs {
            make(output, problems);
        }
    }
    let mut ready: Vec<bool> = graph.values.iter().map(|value| value.constant.is_some()).collect();
    graph.inputs.iter().for_each(|id| ready[id.index()] = true);
    for node in &graph.nodes {
        for input in node.inputs.iter().flatten() {
            if !ready[input.index()] {
                let name = &graph.value(*input).name;
                problems.push(at_node(node, format!("it reads `{name}` before that is made")));
            }
        }
        node.outputs.iter().for_each(|id| ready[id.index()] = true);
    }
}

fn constants_fit(graph: &Graph, problems: &mut Vec<Problem>) {
    for value in &graph.values {
        if let Some(data) = &value.constant
            && value.shape != Shape::fixed(data.shape())
        {
            let text = format!("shape {} does not match its data {:?}", value.shape, data.shape());
            problems.push(at_value(&value.name, text));
        }
    }
}

fn shapes_are_sound(graph: &Graph, problems: &mut Vec<Problem>) {
    for value in &graph.values {
        let batch = match value.constant {
            Some(_) => Ok(()),
            None => value.shape.follows_batch(),
        };
        if let Err(error) = value.shape.sound().and(batch) {
            problems.push(at_value(&value.name, error.0));
        }
    }
}

fn shapes_agree(graph: &Graph, problems: &mut Vec<Problem>) {
    for node in &graph.nodes {
        let found: Vec<&Shape> = node.outputs.iter().map(|&id| &graph.value(id).shape).collect();
        match derive_shapes(graph, node) {
            Err(problem) => problems.push(problem),
            Ok(shapes) if shapes.iter().collect::<Vec<_>>() != found => {
                let show = |shapes: Vec<&Shape>| {
                    shapes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                };
                let text = format!(
                    "its results have shape {}, expected {}",
                    show(found),
                    show(shapes.iter().collect())
                );
                problems.push(at_node(node, text));
            }
            Ok(_) => {}
        }
    }
}

/// The shapes of a node's results, from its operands.
pub(crate) fn derive_shapes(graph: &Graph, node: &Node) -> Result<Vec<Shape>, Problem> {
    sound_shapes(node.op.as_ref(), &graph.operands(node)).map_err(|error| at_node(node, error.0))
}

/// The shapes of an operator's results, none of them beyond the limits.
pub(crate) fn sound_shapes(op: &dyn Op, facts: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
    let shapes = op.shapes(facts)?;
    shapes.iter().try_for_each(Shape::sound)?;
    Ok(shapes)
}

fn outputs_are_computed(graph: &Graph, problems: &mut Vec<Problem>) {
    if graph.outputs.is_empty() {
        problems.push(at_value(&graph.name, "the graph has no output"));
    }
    for &output in &graph.outputs {
        if graph.value(output).constant.is_some() {
            problems.push(at_value(&graph.value(output).name, "an output is a constant"));
        }
    }
}
