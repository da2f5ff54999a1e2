//! What a file says of itself before any of its nodes is read.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::input::{own_inputs, stated};
use super::literal::element_type;
use super::proto::{self, Extent};

/// Inputs, outputs and operators of a model, as its file states them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    /// What the caller feeds.
    pub inputs: Vec<Port>,
    /// What the caller gets.
    pub outputs: Vec<Port>,
    /// How many nodes there are, by operator.
    pub operators: BTreeMap<String, usize>,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What its elements are: `float32`, `int64` and so on.
    pub elements: String,
    /// Its extents, if they are stated at all; `None` where one is open.
    pub extents: Option<Vec<Option<usize>>>,
}

impl fmt::Display for Port {
    /// `[n, 3, ?, ?]`, after the type of elements unless they are float32. The first axis is the batch.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.elements != "float32" {
            write!(f, "{} ", self.elements)?;
        }
        let Some(extents) = &self.extents else { return f.write_str("of no stated shape") };
        let words = extents.iter().enumerate().map(|(axis, extent)| match (axis, extent) {
            (0, _) => "n".to_owned(),
            (_, Some(extent)) => extent.to_string(),
            (_, None) => "?".to_owned(),
        });
        write!(f, "[{}]", words.collect::<Vec<_>>().join(", "))
    }
}

impl Outline {
    /// Of a file.
    pub(super) fn of(graph: &proto::Graph) -> Self {
        let mut operators = BTreeMap::new();
        for node in &graph.node {
            *operators.entry(node.op_type.clone()).or_insert(0) += 1;
        }
        Self {
            inputs: own_inputs(graph).map(port).collect(),
            outputs: graph.output.iter().map(port).collect(),
            operators,
        }
    }
}

fn port(value: &proto::ValueInfo) -> Port {
    let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let extent = |dim: &proto::Dimension| match dim.value {
        Some(Extent::Fixed(extent)) => usize::try_from(extent).ok().filter(|&e| e > 0),
        _ => None,
    };
    Port {
        name: value.name.clone(),
        elements: element_type(tensor.map_or(0, |tensor| tensor.elem_type)),
        extents: stated(value).map(|dims| dims.iter().map(extent).collect()),
    }
}

/// Makes `wanted` the only output of a file's graph, and drops the nodes that it does not need.
///
/// # Errors
/// In words, if nothing is called so.
pub(super) fn keep_output(graph: &mut proto::Graph, wanted: &str) -> Result<(), String> {
    let named = graph.output.iter().find(|output| output.name == wanted).cloned();
    let made = graph.node.iter().any(|node| node.output.iter().any(|name| name == wanted));
    if named.is_none() && !made {
        let known: Vec<String> =
            graph.output.iter().map(port).map(|port| format!("`{}` {port}", port.name)).collect();
        return Err(format!(
            "`scores={wanted}`: no output or value is called so; its outputs are {}",
            known.join(", ")
        ));
    }
    let unknown = || proto::ValueInfo { name: wanted.to_owned(), ..proto::ValueInfo::default() };
    graph.output = vec![named.unwrap_or_else(unknown)];
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (place, node) in graph.node.iter().enumerate() {
        makers.extend(node.output.iter().map(|name| (name.as_str(), place)));
    }
    let mut kept = vec![false; graph.node.len()];
    let mut open = vec![wanted];
    while let Some(name) = open.pop() {
        let Some(&place) = makers.get(name).filter(|place| !kept[**place]) else { continue };
        kept[place] = true;
        open.extend(graph.node[place].input.iter().map(String::as_str));
    }
    let mut kept = kept.into_iter();
    graph.node.retain(|_| kept.next().unwrap_or(false));
    Ok(())
}
