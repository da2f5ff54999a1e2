//! A graph to bytes, opset 17. Nodes compute with 32-bit floats; inputs, outputs and constants are held as in the file
//! that they come from.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use brickwork_graph::{Attr, Dim, Graph, Literal, Node, SpecInput, Value, ValueId};
use prost::Message;

use super::halves::{Halves, held};
use super::literal::{data_type, floats, tensor};
use super::proto::{self, Attribute, Extent};
use super::sparse;
use crate::error::WriteError;
use crate::file::write_atomically;

/// The operator set of written files, and the IR version that goes with it.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// Protobuf readers refuse messages from 2 GiB on.
pub(super) const LIMIT: usize = (1 << 31) - 1;

/// Writes `graph` to the ONNX file at `path`, in one step: the file is complete or untouched.
///
/// # Errors
/// If the file cannot be written or would exceed 2 GiB.
pub fn save(graph: &Graph, path: &Path) -> Result<(), WriteError> {
    let bytes = encode(graph)?;
    write_atomically(path, &bytes)
}

/// All values, those first that nodes read, in their order, so that a graph is written alike however it came about.
fn as_read(graph: &Graph) -> impl Iterator<Item = ValueId> {
    let read = graph.nodes().iter().flat_map(|node| node.inputs.iter().flatten().copied());
    let mut taken = BTreeSet::new();
    read.chain(graph.value_ids()).filter(move |&id| taken.insert(id))
}

/// The ONNX file of `graph`.
///
/// # Errors
/// If it would exceed 2 GiB.
pub fn encode(graph: &Graph) -> Result<Vec<u8>, WriteError> {
    let mut literals = Literals::new(graph);
    let mut halves = Halves::of(graph, |name| literals.unique(name));
    let nodes = graph.nodes().iter().map(|node| literals.node(graph, &halves, node));
    let mut node: Vec<proto::Node> = nodes.collect();
    node.splice(0..0, std::mem::take(&mut halves.before));
    node.append(&mut halves.behind);
    let constants = as_read(graph).filter_map(|id| Some((id, graph.value(id).constant.as_ref()?)));
    let (zeros, dense): (Vec<_>, Vec<_>) = constants.partition(|(_, data)| sparse::is_sparse(data));
    let dense = dense.into_iter();
    let mut initializer: Vec<proto::Tensor> = dense
        .map(|(id, data)| floats(halves.file_name(graph, id), data, held(graph, id)))
        .collect();
    initializer.append(&mut literals.tensors);
    let info = |ids: &[ValueId]| ids.iter().map(|&id| value_info(graph.value(id))).collect();
    let model = proto::Model {
        ir_version: IR_VERSION,
        opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPSET }],
        producer_name: "brickwork".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(proto::Graph {
            node,
            name: if graph.name().is_empty() {
                "graph".to_owned()
            } else {
                graph.name().to_owned()
            },
            initializer,
            input: info(graph.inputs()),
            output: info(graph.outputs()),
            sparse_initializer: zeros
                .into_iter()
                .map(|(id, data)| sparse::tensor(&graph.value(id).name, data))
                .collect(),
        }),
        metadata_props: graph
            .metadata()
            .iter()
            .map(|(key, value)| proto::Entry { key: key.clone(), value: value.clone() })
            .collect(),
        functions: Vec::new(),
    };
    let size = model.encoded_len();
    if size > LIMIT {
        return Err(WriteError::TooLarge { bytes: size });
    }
    Ok(model.encode_to_vec())
}

/// Arrays that operators keep among their attributes, named after their node.
struct Literals {
    tensors: Vec<proto::Tensor>,
    taken: HashSet<String>,
}

impl Literals {
    fn new(graph: &Graph) -> Self {
        let taken = graph.values().iter().map(|value| value.name.clone()).collect();
        Self { tensors: Vec::new(), taken }
    }

    fn node(&mut self, graph: &Graph, halves: &Halves, node: &Node) -> proto::Node {
        let name = |id: ValueId| halves.name(graph, id).to_owned();
        let spec = node.op.spec();
        let mut input: Vec<String> = spec
            .inputs
            .iter()
            .map(|source| match source {
                SpecInput::Slot(slot) => node.input(*slot).map(name).unwrap_or_default(),
                SpecInput::Literal(name, literal) => {
                    self.add(&format!("{}.{name}", graph.value(node.outputs[0]).name), literal)
                }
                SpecInput::Absent => String::new(),
            })
            .collect();
        while input.last().is_some_and(String::is_empty) {
            input.pop();
        }
        proto::Node {
            input,
            output: node.outputs.iter().map(|&id| name(id)).collect(),
            name: node.name.clone(),
            op_type: node.op.kind().to_owned(),
            attribute: spec.attrs.iter().map(|(name, attr)| attribute(name, attr)).collect(),
            ..proto::Node::default()
        }
    }

    fn add(&mut self, wanted: &str, literal: &Literal) -> String {
        let name = self.unique(wanted.to_owned());
        self.tensors.push(tensor(&name, literal));
        name
    }

    /// The name, or one that begins with it, if it is taken.
    fn unique(&mut self, mut name: String) -> String {
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

fn attribute(name: &str, attr: &Attr) -> Attribute {
    let mut out = Attribute { name: name.to_owned(), ..Attribute::default() };
    match attr {
        Attr::Float(x) => (out.kind, out.f) = (1, Some(*x)),
        Attr::Int(x) => (out.kind, out.i) = (2, Some(*x)),
        Attr::Text(x) | Attr::Other(x) => (out.kind, out.s) = (3, Some(x.clone().into_bytes())),
        Attr::Literal(x) => (out.kind, out.t) = (4, Some(Box::new(tensor("", x)))),
        Attr::Floats(x) => (out.kind, out.floats) = (6, x.clone()),
        Attr::Ints(x) => (out.kind, out.ints) = (7, x.clone()),
        Attr::Texts(x) => {
            (out.kind, out.strings) = (8, x.iter().map(|s| s.clone().into_bytes()).collect());
        }
    }
    out
}

fn value_info(value: &Value) -> proto::ValueInfo {
    let dim = |dim: &Dim| proto::Dimension {
        value: Some(match dim {
            Dim::Fixed(extent) => Extent::Fixed(*extent as i64),
            Dim::Batch(1) => Extent::Open("batch".to_owned()),
            Dim::Batch(each) => Extent::Open(format!("{each}*batch")),
        }),
    };
    let shape = proto::TensorShape { dim: value.shape.0.iter().map(dim).collect() };
    let elem_type = data_type(value.stored);
    let tensor_type = proto::TensorType { elem_type, shape: Some(shape) };
    proto::ValueInfo {
        name: value.name.clone(),
        r#type: Some(proto::Type { tensor_type: Some(tensor_type) }),
    }
}
