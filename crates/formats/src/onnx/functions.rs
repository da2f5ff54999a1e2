//! Local functions of a file, which torch's default exporter writes for modules and operators of its own: every call is
//! replaced by the nodes of the function's body.

use std::collections::{HashMap, HashSet};

use brickwork_graph::HANDS_ON;
use prost::Message;

use super::proto::{Attribute, Function, Graph, Node, OperatorSet};

/// Bytes that the bodies of all calls may have together: one function may be called often, and hold arrays.
const ROOM: usize = 1 << 30;

/// The version of ONNX's own operators among `sets`.
pub(super) fn own_version(sets: &[OperatorSet]) -> Option<i64> {
    let own = |set: &&OperatorSet| set.domain.is_empty() || set.domain == "ai.onnx";
    sets.iter().find(own).map(|set| set.version)
}

/// Replaces all calls of `functions` in `graph`, which then has at most `most` nodes. `opset` is the version of ONNX's
/// operators in the graph.
///
/// # Errors
/// In words, if a function calls itself, is written for another version, or the bodies of all calls are too large.
pub(super) fn inline(
    graph: &mut Graph,
    functions: &[Function],
    opset: i64,
    most: usize,
) -> Result<(), String> {
    if functions.is_empty() {
        return Ok(());
    }
    let mut calls = Calls::new(graph, functions);
    let mut waiting: Vec<(Node, usize)> = Vec::new();
    let mut nodes = Vec::new();
    let mut bytes = 0;
    waiting.extend(graph.node.drain(..).rev().map(|node| (node, 0)));
    while let Some((node, depth)) = waiting.pop() {
        let Some(&function) = calls.known.get(&key(&node.domain, &node.op_type, &node.overload))
        else {
            nodes.push(node);
            continue;
        };
        let name = &function.name;
        if depth == functions.len() {
            return Err(format!("function `{name}` calls itself"));
        }
        let version = own_version(&function.opset_import).unwrap_or(opset);
        if version != opset {
            return Err(format!(
                "function `{name}` is written for operator set {version}, its model for {opset}; export the model again"
            ));
        }
        let body = calls.body(function, &node);
        bytes += body.iter().map(Message::encoded_len).sum::<usize>();
        if bytes > ROOM || nodes.len() + waiting.len() + body.len() > most {
            return Err(format!(
                "calls of functions stand for more than {most} nodes or {ROOM} bytes"
            ));
        }
        waiting.extend(body.into_iter().rev().map(|node| (node, depth + 1)));
    }
    graph.node = nodes;
    Ok(())
}

/// What a call names: domain, function and overload.
type Key = [String; 3];

fn key(domain: &str, name: &str, overload: &str) -> Key {
    [domain, name, overload].map(str::to_owned)
}

/// The functions of a file, and the names that are taken.
struct Calls<'a> {
    known: HashMap<Key, &'a Function>,
    names: HashSet<String>,
    /// How often a name was asked for.
    taken: HashMap<String, usize>,
}

impl<'a> Calls<'a> {
    fn new(graph: &Graph, functions: &'a [Function]) -> Self {
        let own = |function: &'a Function| {
            (key(&function.domain, &function.name, &function.overload), function)
        };
        let made = graph.node.iter().flat_map(|node| &node.output);
        let given = graph.input.iter().map(|input| &input.name);
        let arrays = graph.initializer.iter().map(|tensor| &tensor.name);
        let names = made.chain(given).chain(arrays).cloned().collect();
        Self { known: functions.iter().map(own).collect(), names, taken: HashMap::new() }
    }

    /// A name that no other value has.
    fn unique(&mut self, wanted: String) -> String {
        let count = self.taken.entry(wanted.clone()).or_default();
        loop {
            *count += 1;
            let name = if *count == 1 { wanted.clone() } else { format!("{wanted}_{count}") };
            if self.names.insert(name.clone()) {
                return name;
            }
        }
    }

    /// The nodes that `call` of `function` stands for.
    fn body(&mut self, function: &Function, call: &Node) -> Vec<Node> {
        let place = if call.name.is_empty() { &function.name } else { &call.name };
        let operands = call.input.iter().cloned().chain(std::iter::repeat(String::new()));
        let mut values: HashMap<String, String> =
            function.input.iter().cloned().zip(operands).collect();
        // Results that are operands, or the same as another result, are handed on.
        let mut handed_on = Vec::new();
        let results = function.output.iter().zip(&call.output);
        for (name, result) in results.filter(|(_, result)| !result.is_empty()) {
            match values.get(name) {
                Some(value) => handed_on.push(identity(value, result)),
                None => _ = values.insert(name.clone(), result.clone()),
            }
        }
        let mut value = |name: &String| match (values.get(name), name.is_empty()) {
            (Some(known), _) => known.clone(),
            (None, true) => String::new(),
            (None, false) => {
                let own = self.unique(format!("{place}/{name}"));
                values.insert(name.clone(), own.clone());
                own
            }
        };
        let body = function.node.iter().map(|node| Node {
            name: format!("{place}/{}", node.name),
            input: node.input.iter().map(&mut value).collect(),
            output: node.output.iter().map(&mut value).collect(),
            attribute: node.attribute.iter().filter_map(|own| given(own, function, call)).collect(),
            ..node.clone()
        });
        body.chain(handed_on).collect()
    }
}

/// The attribute `own` of a node in the body of `function`, which may be one of the call, or its default.
fn given(own: &Attribute, function: &Function, call: &Node) -> Option<Attribute> {
    if own.ref_attr_name.is_empty() {
        return Some(own.clone());
    }
    let said = call.attribute.iter().chain(&function.attribute_proto);
    let mut said = said.filter(|attribute| attribute.name == own.ref_attr_name);
    said.next().map(|attribute| Attribute { name: own.name.clone(), ..attribute.clone() })
}

fn identity(from: &str, to: &str) -> Node {
    Node {
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        op_type: HANDS_ON.to_owned(),
        ..Node::default()
    }
}
