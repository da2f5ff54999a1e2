//! Every way in which a file can lie, and what is said about it.

mod bombs;
mod exports;
mod external;
mod files;
mod functions;
mod halved;
mod networks;
mod nodes;
mod operators;
mod values;
mod volumes;

use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_graph::{Channels, Graph, groups, why};
use prost::Message;

use super::input::ReadOptions;
use super::proto::*;
use super::read::decode;
use super::write::encode;

/// Attributes by name.
type Named<'a> = &'a [(&'a str, Attribute)];

/// A node called `{kind} of {first output}`; `inputs` and `outputs` are separated by spaces, `-`
/// leaves one out.
fn node(kind: &str, inputs: &str, outputs: &str, attributes: Named<'_>) -> Node {
    let list = |names: &str| -> Vec<String> {
        names.split_whitespace().map(|name| name.trim_matches('-').to_owned()).collect()
    };
    Node {
        name: format!("{kind} of {}", list(outputs).first().map_or("", String::as_str)),
        op_type: kind.to_owned(),
        input: list(inputs),
        output: list(outputs),
        attribute: attributes
            .iter()
            .map(|(name, attribute)| Attribute { name: (*name).to_owned(), ..attribute.clone() })
            .collect(),
        ..Node::default()
    }
}

fn int(i: i64) -> Attribute {
    Attribute { kind: 2, i: Some(i), ..Attribute::default() }
}

fn float(f: f32) -> Attribute {
    Attribute { kind: 1, f: Some(f), ..Attribute::default() }
}

fn text(s: &str) -> Attribute {
    Attribute { kind: 3, s: Some(s.as_bytes().to_vec()), ..Attribute::default() }
}

fn ints(list: &[i64]) -> Attribute {
    Attribute { kind: 7, ints: list.to_vec(), ..Attribute::default() }
}

fn array(tensor: Tensor) -> Attribute {
    Attribute { kind: 4, t: Some(Box::new(tensor)), ..Attribute::default() }
}

/// A float constant with every element a half.
fn halves(name: &str, dims: &[i64]) -> Tensor {
    let raw = 0.5f32.to_le_bytes().repeat(dims.iter().product::<i64>() as usize);
    Tensor {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: 1,
        raw_data: Some(raw),
        ..Tensor::default()
    }
}

/// A list of whole numbers.
fn list(name: &str, numbers: &[i64]) -> Tensor {
    Tensor {
        name: name.to_owned(),
        dims: vec![numbers.len() as i64],
        data_type: 7,
        int64_data: numbers.to_vec(),
        ..Tensor::default()
    }
}

/// A float input or output whose first extent is open.
fn value(name: &str, extents: &[i64]) -> ValueInfo {
    let open = Dimension { value: Some(Extent::Open("batch".to_owned())) };
    let fixed = extents.iter().map(|&e| Dimension { value: Some(Extent::Fixed(e)) });
    let shape = TensorShape { dim: std::iter::once(open).chain(fixed).collect() };
    let tensor_type = Some(TensorType { elem_type: 1, shape: Some(shape) });
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type }) }
}

/// A model from `x` `[n, 2, 4, 4]` to `y`.
fn model(nodes: Vec<Node>, constants: Vec<Tensor>) -> Model {
    Model {
        ir_version: 8,
        opset_import: vec![OperatorSet { domain: String::new(), version: 17 }],
        graph: Some(proto_graph(nodes, constants)),
        ..Model::default()
    }
}

fn proto_graph(node: Vec<Node>, initializer: Vec<Tensor>) -> super::proto::Graph {
    super::proto::Graph {
        node,
        name: "liar".to_owned(),
        initializer,
        input: vec![value("x", &[2, 4, 4])],
        output: vec![value("y", &[])],
        sparse_initializer: Vec::new(),
    }
}

/// A protobuf field with a length.
fn field(tag: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut bytes);
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend(content);
    bytes
}

/// The model with its graph changed.
fn changed(mut model: Model, change: impl FnOnce(&mut super::proto::Graph)) -> Model {
    change(model.graph.as_mut().expect("it has a graph"));
    model
}

fn at_opset(mut model: Model, version: i64) -> Model {
    model.opset_import[0].version = version;
    model
}

fn read(model: &Model) -> Result<Graph, crate::ReadError> {
    decode(&model.encode_to_vec(), None, &ReadOptions::default())
}

/// What is said about a model that must be refused; `parts` must all be said.
#[track_caller]
fn refused(model: &Model, parts: &[&str]) -> String {
    let said = match read(model) {
        Ok(graph) => panic!("it loads:\n{graph}"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(said.contains(part), "expected `{part}` in:\n{said}");
    }
    said
}

/// Refuses the one node `y = kind(inputs)`.
#[track_caller]
fn refused_node(
    kind: &str,
    inputs: &str,
    attributes: Named<'_>,
    constants: &[Tensor],
    parts: &[&str],
) {
    let model = model(vec![node(kind, inputs, "y", attributes)], constants.to_vec());
    let said = refused(&model, parts);
    let place = format!("model: 1 problem in the model\nnode `{kind} of y` ({kind}): ");
    assert!(said.starts_with(&place), "expected one problem at the node:\n{said}");
}

/// Loads a model that must load, and does to it all that is done to models.
#[track_caller]
fn survives(model: &Model) -> Graph {
    let graph = read(model).unwrap_or_else(|error| panic!("{error}"));
    let bytes = encode(&graph).expect("it can be written");
    let again = decode(&bytes, None, &ReadOptions::default());
    let again = again.unwrap_or_else(|error| panic!("what was written is refused: {error}"));
    assert_eq!(again.to_string(), graph.to_string(), "what was written reads differently");
    let shared = Arc::new(graph.clone());
    for batch in [1, 2] {
        let feeds: Vec<Vec<f32>> = graph
            .inputs()
            .iter()
            .map(|&v| vec![0.5; graph.value(v).shape.at(batch).iter().product()])
            .collect();
        let feeds: Vec<&[f32]> = feeds.iter().map(Vec::as_slice).collect();
        let mut session = Session::new(shared.clone(), graph.outputs());
        session.run(batch, &feeds, |_, _| {}).unwrap_or_else(|error| panic!("{error}"));
    }
    let channels = Channels::of(&graph);
    groups(&graph, &channels);
    why(&graph, &channels, graph.outputs()[0]);
    graph
}

/// As [`survives`], for the one node `y = kind(inputs)`.
#[track_caller]
fn survives_node(kind: &str, inputs: &str, attributes: Named<'_>, constants: &[Tensor]) -> String {
    survives(&model(vec![node(kind, inputs, "y", attributes)], constants.to_vec())).to_string()
}
