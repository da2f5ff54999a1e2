//! What a file says of itself before any of its nodes is read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use super::input::{own_inputs, stated};
use super::literal::{element_type, stored};
use super::proto::{self, Extent};

/// Inputs, outputs and operators of a model, as its file states them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    /// What the caller feeds.
    pub inputs: Vec<Port>,
    /// What the caller gets.
    pub outputs: Vec<Port>,
    /// Its nodes.
    pub nodes: Vec<NodeOutline>,
}

/// A node: its operator, and values by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeOutline {
    /// The operator.
    pub kind: String,
    /// What it reads; empty where an operand is left out.
    pub inputs: Vec<String>,
    /// What it makes.
    pub outputs: Vec<String>,
    /// Whether it reads an array of several floats that the file holds.
    pub weighted: bool,
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
        let several = |tensor: &&proto::Tensor| {
            stored(tensor.data_type).is_some() && tensor.dims.iter().any(|&extent| extent > 1)
        };
        let held = graph.initializer.iter().filter(several);
        let held: HashSet<&str> = held.map(|tensor| tensor.name.as_str()).collect();
        let node = |node: &proto::Node| NodeOutline {
            kind: node.op_type.clone(),
            inputs: node.input.clone(),
            outputs: node.output.clone(),
            weighted: node.input.iter().any(|name| held.contains(name.as_str())),
        };
        Self {
            inputs: own_inputs(graph).map(port).collect(),
            outputs: graph.output.iter().map(port).collect(),
            nodes: graph.node.iter().map(node).collect(),
        }
    }

    /// How many nodes there are, by operator.
    pub fn operators(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        self.nodes.iter().for_each(|node| *counts.entry(&node.kind[..]).or_insert(0) += 1);
        counts
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

/// Makes the values that are `wanted` the only outputs of a file's graph, and drops the nodes that they do not need.
///
/// # Errors
/// In words, if nothing is called so.
pub(super) fn keep_outputs(graph: &mut proto::Graph, wanted: &[String]) -> Result<(), String> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (place, node) in graph.node.iter().enumerate() {
        makers.extend(node.output.iter().map(|name| (name.as_str(), place)));
    }
    let named = |name: &str| graph.output.iter().find(|output| output.name == name).cloned();
    if let Some(unknown) =
        wanted.iter().find(|&name| named(name).is_none() && !makers.contains_key(&name[..]))
    {
        let known: Vec<String> =
            graph.output.iter().map(port).map(|port| format!("`{}` {port}", port.name)).collect();
        return Err(format!(
            "`scores={unknown}`: no output or value is called so; its outputs are {}",
            known.join(", ")
        ));
    }
    let unstated = |name: &String| proto::ValueInfo { name: name.clone(), ..Default::default() };
    let outputs = wanted.iter().map(|name| named(name).unwrap_or_else(|| unstated(name))).collect();
    let mut kept = vec![false; graph.node.len()];
    let mut open: Vec<&str> = wanted.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        let Some(&place) = makers.get(name).filter(|place| !kept[**place]) else { continue };
        kept[place] = true;
        open.extend(graph.node[place].input.iter().map(String::as_str));
    }
    graph.output = outputs;
    let mut kept = kept.into_iter();
    graph.node.retain(|_| kept.next().unwrap_or(false));
    Ok(())
}
