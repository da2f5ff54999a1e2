//! Values that a file holds with 16 bits, while its nodes compute with 32: they are converted where they enter and leave.

use std::collections::HashMap;

use brickwork_graph::{CONVERTS, Graph, Stored, ValueId};

use super::literal::{data_type, holding};
use super::proto::{Attribute, Node};
use super::sparse::is_sparse;

/// Conversions at the edges of a graph, and what its nodes call what is converted.
#[derive(Default)]
pub(super) struct Halves {
    /// Names for nodes, of inputs and outputs.
    inner: HashMap<ValueId, String>,
    /// Names for the file, of constants.
    outer: HashMap<ValueId, String>,
    /// Nodes before all others, and behind them.
    pub(super) before: Vec<Node>,
    pub(super) behind: Vec<Node>,
}

impl Halves {
    /// Of `graph`; `unique` makes names that nothing else has.
    pub(super) fn of(graph: &Graph, mut unique: impl FnMut(String) -> String) -> Self {
        let mut halves = Self::default();
        let halved = |id: &ValueId| graph.value(*id).stored != Stored::Float32;
        for &id in graph.inputs().iter().filter(|id| halved(id)) {
            let name = &graph.value(id).name;
            let inner = unique(format!("{name}.float32"));
            halves.before.push(conversion(name, &inner, Stored::Float32));
            halves.inner.insert(id, inner);
        }
        for id in graph.value_ids() {
            let name = &graph.value(id).name;
            if held(graph, id) != Stored::Float32 {
                let outer = unique(format!("{name}.float16"));
                halves.before.push(conversion(&outer, name, Stored::Float32));
                halves.outer.insert(id, outer);
            }
        }
        for &id in graph.outputs().iter().filter(|id| halved(id)) {
            let value = graph.value(id);
            let made = !halves.inner.contains_key(&id);
            let inner =
                halves.inner.entry(id).or_insert_with(|| unique(format!("{}.float32", value.name)));
            if made {
                halves.behind.push(conversion(inner, &value.name, value.stored));
            }
        }
        halves
    }

    /// What nodes call a value.
    pub(super) fn name<'a>(&'a self, graph: &'a Graph, id: ValueId) -> &'a str {
        self.inner.get(&id).unwrap_or(&graph.value(id).name)
    }

    /// What the file calls a constant.
    pub(super) fn file_name<'a>(&'a self, graph: &'a Graph, id: ValueId) -> &'a str {
        self.outer.get(&id).unwrap_or(&graph.value(id).name)
    }
}

/// How the constant `id` is written; whatever is none, and an array of mostly zeros, with 32 bits.
pub(super) fn held(graph: &Graph, id: ValueId) -> Stored {
    let value = graph.value(id);
    match &value.constant {
        Some(data) if !is_sparse(data) => holding(data, value.stored),
        _ => Stored::Float32,
    }
}

/// A node that makes `to` of `from`, with elements that are `stored` so.
fn conversion(from: &str, to: &str, stored: Stored) -> Node {
    let kind = Attribute {
        name: "to".to_owned(),
        kind: 2,
        i: Some(i64::from(data_type(stored))),
        ..Attribute::default()
    };
    Node {
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        name: format!("{to} of {from}"),
        op_type: CONVERTS.to_owned(),
        attribute: vec![kind],
        ..Node::default()
    }
}
