//! A graph built once more, with nodes added to it or left out.

use std::sync::Arc;

use brickwork_graph::{Attr, Builder, Form, Graph, Literal, Node, Patch, SpecInput};
use brickwork_tensor::{Nd, Tensor};

use crate::model::error::Error;

/// A builder with the metadata and inputs of `graph`, and those of its constants whose names are `wanted`.
pub(crate) fn begun(graph: &Graph, wanted: impl Fn(&str) -> bool) -> Builder {
    let mut builder = Builder::new(graph.name(), 17, None);
    builder.metadata(graph.metadata().clone());
    for &id in graph.inputs() {
        builder.input(&graph.value(id).name, graph.value(id).shape.clone());
    }
    for value in graph.values().iter().filter(|value| wanted(&value.name)) {
        if let Some(data) = &value.constant {
            builder.constant(&value.name, Literal::Floats((**data).clone()));
        }
    }
    builder
}

/// Adds a node of `graph`, with other names for what it reads and gives.
pub(crate) fn copy_node<'a>(
    builder: &mut Builder,
    graph: &'a Graph,
    node: &Node,
    read: impl Fn(&'a str) -> &'a str,
    given: impl Fn(&'a str) -> &'a str,
) {
    let name = |id| graph.value(id).name.as_str();
    let inputs: Vec<Option<String>> =
        node.inputs.iter().map(|id| id.map(|id| read(name(id)).to_owned())).collect();
    let outputs: Vec<String> = node.outputs.iter().map(|&id| given(name(id)).to_owned()).collect();
    place_node(builder, &node.name, node.op.as_ref(), &inputs, &outputs);
}

/// `graph` with nodes behind the value `last`: `add` places them and gives the name of the output.
///
/// # Errors
/// If the graph would not be sound.
pub(crate) fn ending(
    graph: &Graph,
    last: &str,
    add: impl FnOnce(&mut Builder, String) -> String,
) -> Result<Graph, Error> {
    let mut builder = begun(graph, |_| true);
    for node in graph.nodes() {
        copy_node(&mut builder, graph, node, |name| name, |name| name);
    }
    let output = add(&mut builder, last.to_owned());
    builder.output(&output);
    Ok(builder.finish()?)
}

/// Adds the node `output = kind(inputs)`, which is called as its result is.
pub(crate) fn operation(
    builder: &mut Builder,
    kind: &str,
    inputs: &[&str],
    output: &str,
    attrs: &[(&str, Attr)],
) {
    builder.node(&Form {
        name: output.to_owned(),
        kind: kind.to_owned(),
        inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
        outputs: vec![output.to_owned()],
        attrs: attrs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        ..Form::default()
    });
}

/// Adds a linear layer of zeros, `prefix` and `linear`, from the values `read`, together `[n, features]`, to
/// `[n, outputs]`; its parts are called `prefix` and `features`, `weights` and `bias`.
pub(crate) fn linear_of_zero(
    builder: &mut Builder,
    prefix: &str,
    read: &[String],
    [features, outputs]: [usize; 2],
) {
    let [all, linear, weights, bias] =
        ["features", "linear", "weights", "bias"].map(|stem| format!("{prefix}{stem}"));
    builder.constant(&weights, Literal::Floats(Nd::filled([features, outputs], 0.0)));
    builder.constant(&bias, Literal::Floats(Nd::filled([outputs], 0.0)));
    let read: Vec<&str> = read.iter().map(String::as_str).collect();
    operation(builder, "Concat", &read, &all, &[("axis", Attr::Int(1))]);
    operation(builder, "Gemm", &[&all, &weights, &bias], &linear, &[]);
}

/// Sets weights `[features, outputs]` and biases `[outputs]` of a [linear layer of zeros](linear_of_zero).
///
/// # Errors
/// If their shapes are others.
pub(crate) fn with_linear(
    graph: &Graph,
    prefix: &str,
    weights: Tensor,
    bias: Vec<f32>,
) -> Result<Graph, Error> {
    let mut patch = Patch::new(format!("setting `{prefix}linear`"));
    for (stem, data) in [("weights", weights), ("bias", Tensor::vector(bias))] {
        if let Some(id) = graph.find_value(&format!("{prefix}{stem}")) {
            patch.constant(id, Arc::new(data));
        }
    }
    Ok(patch.apply(graph)?)
}

/// Adds the means of a value `[n, c, h, w]` over its picture as `[n, c]`, under the second name.
pub(crate) fn averaged(builder: &mut Builder, value: &str, [pooled, flat]: [&str; 2]) {
    operation(builder, "GlobalAveragePool", &[value], pooled, &[]);
    operation(builder, "Flatten", &[pooled], flat, &[]);
}

/// Adds a node in the form its operator writes itself.
pub(crate) fn place_node(
    builder: &mut Builder,
    name: &str,
    op: &dyn brickwork_graph::Op,
    inputs: &[Option<String>],
    outputs: &[String],
) {
    let spec = op.spec();
    let mut names: Vec<String> = Vec::new();
    for source in &spec.inputs {
        names.push(match source {
            SpecInput::Slot(slot) => inputs.get(*slot).cloned().flatten().unwrap_or_default(),
            SpecInput::Literal(stem, literal) => {
                let name = format!("{}.{stem}", outputs[0]);
                builder.constant(&name, literal.clone());
                name
            }
            SpecInput::Absent => String::new(),
        });
    }
    while names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    builder.node(&Form {
        name: name.to_owned(),
        kind: op.kind().to_owned(),
        domain: String::new(),
        inputs: names,
        outputs: outputs.to_vec(),
        attrs: spec.attrs,
    });
}
