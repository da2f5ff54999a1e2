//! Bytes to a graph.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use brickwork_graph::{Attr, Attrs, Builder, Dim, Form, Graph, Shape};
use prost::Message;

use super::external::External;
use super::literal::literal;
use super::parts::count_parts;
use super::proto::{self, Attribute, Extent};
use super::sparse;
use super::write::LIMIT;
use crate::error::ReadError;
use crate::file::{folder_of, read_whole};
use crate::memory::room;

/// Operator sets that can be read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=21;

/// No model has more nodes.
const MOST_NODES: usize = 1 << 16;

/// No model has more nodes, constants, operands, attributes, entries of metadata and so on together.
const MOST_PARTS: usize = 1 << 20;

/// Pixels along one axis of the input.
const MOST_PIXELS: usize = 1 << 20;

/// How to read a model whose file leaves something open.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Height and width of the input, where the file leaves them open.
    pub size: Option<[usize; 2]>,
}

/// Reads the ONNX file at `path`, with external data beside it.
///
/// The batch is left open even where the file fixes it.
///
/// # Errors
/// If the file cannot be read, is no ONNX file, or holds anything that is not supported; all such
/// things are listed.
pub fn load(path: &Path, options: &ReadOptions) -> Result<Graph, ReadError> {
    let failed = |source| ReadError::Io { path: path.into(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LIMIT as u64 {
        let problem = format!("it has {size} bytes, but an ONNX file ends below 2 GiB");
        return Err(ReadError::malformed(problem).of_file(path));
    }
    let bytes = read_whole(path).map_err(failed)?;
    decode(&bytes, Some(folder_of(path)), options).map_err(|error| error.of_file(path))
}

/// Reads an ONNX model from `bytes`; external data is looked for in `folder`.
///
/// # Errors
/// As [`load`].
pub fn decode(
    bytes: &[u8],
    folder: Option<&Path>,
    options: &ReadOptions,
) -> Result<Graph, ReadError> {
    let parts = count_parts(bytes);
    if parts > MOST_PARTS {
        return Err(ReadError::malformed(format!(
            "it has {parts} parts, at most {MOST_PARTS} are supported"
        )));
    }
    // Decoding copies all arrays, and ends the process where there is no memory for them.
    let no_room = |error| ReadError::Malformed { path: None, problem: format!("it {error}") };
    room::<u8>(bytes.len()).map_err(no_room)?;
    let model =
        proto::Model::decode(bytes).map_err(|error| ReadError::malformed(error.to_string()))?;
    let Some(graph) = model.graph else {
        return Err(ReadError::malformed("it holds no graph".to_owned()));
    };
    let opset = model
        .opset_import
        .iter()
        .find(|set| set.domain.is_empty() || set.domain == "ai.onnx")
        .map_or(1, |set| set.version);
    if !OPSETS.contains(&opset) {
        return Err(ReadError::malformed(format!(
            "operator set {opset} is not supported, expected {} to {}; export the model again",
            OPSETS.start(),
            OPSETS.end()
        )));
    }
    if graph.node.len() > MOST_NODES {
        return Err(ReadError::malformed(format!(
            "it holds {} nodes, at most {MOST_NODES} are supported",
            graph.node.len()
        )));
    }
    let metadata = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
    build(graph, opset, metadata, folder, options)
}

fn build(
    graph: proto::Graph,
    opset: i64,
    metadata: BTreeMap<String, String>,
    folder: Option<&Path>,
    options: &ReadOptions,
) -> Result<Graph, ReadError> {
    let sparse: Vec<(&str, &proto::SparseTensor)> =
        graph.sparse_initializer.iter().map(|tensor| (sparse::name(tensor), tensor)).collect();
    let dense = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let constants: HashSet<&str> = dense.chain(sparse.iter().map(|(name, _)| *name)).collect();
    let inputs: Vec<&proto::ValueInfo> =
        graph.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
    let fixed_batch = inputs.first().and_then(|input| first_extent(input));
    let mut builder = Builder::new(&graph.name, opset, fixed_batch);
    builder.metadata(metadata);
    for input in inputs {
        match input_shape(input, options) {
            Ok(shape) => builder.input(&input.name, shape),
            Err(text) => builder.unreadable(&input.name, text),
        }
    }
    let mut external = External::new(folder);
    add_constants(&mut builder, &graph.initializer, &mut external);
    for (name, tensor) in sparse {
        match sparse::entries(tensor, &mut external) {
            Ok((shape, entries)) => builder.sparse_constant(name, &shape, &entries),
            Err(text) => builder.unreadable(name, text),
        }
    }
    let Order { running, cyclic } = running_order(&graph.node);
    for &index in &cyclic {
        let text = "it needs its own result: the nodes form a cycle";
        builder.unreadable_node(&form(&graph.node[index]), text);
    }
    for &index in &running {
        let mut form = form(&graph.node[index]);
        match attributes(&graph.node[index], &mut external) {
            Ok(attrs) => {
                form.attrs = attrs;
                builder.node(&form);
            }
            Err(text) => builder.unreadable_node(&form, text),
        }
    }
    for output in &graph.output {
        builder.output(&output.name);
    }
    builder.finish().map_err(ReadError::from)
}

/// Adds the arrays. What several of them have in one place of a file is read once.
fn add_constants(builder: &mut Builder, tensors: &[proto::Tensor], external: &mut External<'_>) {
    let mut places = HashMap::new();
    for tensor in tensors {
        let proto::Tensor { name, external_data, data_type, dims, data_location, .. } = tensor;
        let before = places.insert((data_location, external_data, data_type, dims), name);
        match before.filter(|_| *data_location == 1) {
            Some(same) => builder.same_constant(name, same),
            None => match literal(tensor, external) {
                Ok(literal) => builder.constant(name, literal),
                Err(text) => builder.unreadable(name, text),
            },
        }
    }
}

fn extents(input: &proto::ValueInfo) -> Option<&[proto::Dimension]> {
    let shape = input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    Some(&shape.dim)
}

fn first_extent(input: &proto::ValueInfo) -> Option<usize> {
    match extents(input)?.first()?.value {
        Some(Extent::Fixed(extent)) => usize::try_from(extent).ok(),
        _ => None,
    }
}

/// The shape of an input with its first axis open.
fn input_shape(input: &proto::ValueInfo, options: &ReadOptions) -> Result<Shape, String> {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let elements = tensor.map_or(0, |tensor| tensor.elem_type);
    if elements != 1 {
        return Err(format!("the input has data type {elements}, expected 1 (float32)"));
    }
    let dims = extents(input).ok_or("the input has no shape")?;
    let mut shape = vec![Dim::Batch(1)];
    for (axis, dim) in dims.iter().enumerate().skip(1) {
        let asked =
            axis.checked_sub(2).and_then(|k| options.size.and_then(|size| size.get(k).copied()));
        // Some exporters write 0 or -1 for an open extent.
        let stated = match &dim.value {
            Some(Extent::Fixed(extent)) => usize::try_from(*extent).ok().filter(|&e| e > 0),
            _ => None,
        };
        let extent = stated.or(asked).ok_or_else(|| {
            format!("the input's extent on axis {axis} is open; state height and width (`size=`)")
        })?;
        if extent > MOST_PIXELS {
            return Err(format!(
                "the input's extent on axis {axis} is {extent}, at most {MOST_PIXELS} is supported"
            ));
        }
        shape.push(Dim::Fixed(extent));
    }
    if dims.is_empty() {
        return Err("the input is a scalar".to_owned());
    }
    Ok(Shape(shape))
}

/// Indices of nodes.
struct Order {
    /// In an order in which they can run: the file's own where it can.
    running: Vec<usize>,
    /// Nodes that close a cycle.
    cyclic: Vec<usize>,
}

fn running_order(nodes: &[proto::Node]) -> Order {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            makers.entry(output).or_insert(index);
        }
    }
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; nodes.len()];
    let mut order = Order { running: Vec::with_capacity(nodes.len()), cyclic: Vec::new() };
    for start in 0..nodes.len() {
        // Depth first, without recursion: (node, next input to look at).
        let mut stack = vec![(start, 0)];
        while let Some((index, next)) = stack.pop() {
            if marks[index] == Mark::Done {
                continue;
            }
            marks[index] = Mark::Open;
            let waiting = nodes[index].input.iter().enumerate().skip(next).find_map(|(k, name)| {
                let maker = *makers.get(name.as_str())?;
                (marks[maker] != Mark::Done).then_some((k, maker))
            });
            match waiting {
                Some((k, maker)) if marks[maker] == Mark::New => {
                    stack.push((index, k));
                    stack.push((maker, 0));
                    continue;
                }
                None => order.running.push(index),
                Some(_) => order.cyclic.push(index),
            }
            marks[index] = Mark::Done;
        }
    }
    order
}

/// A node without its attributes.
fn form(node: &proto::Node) -> Form {
    Form {
        name: node.name.clone(),
        kind: node.op_type.clone(),
        domain: node.domain.clone(),
        inputs: node.input.clone(),
        outputs: node.output.clone(),
        attrs: Attrs::new(),
    }
}

fn attributes(node: &proto::Node, external: &mut External<'_>) -> Result<Attrs, String> {
    let mut attrs = Attrs::new();
    for attr in &node.attribute {
        if attrs.insert(attr.name.clone(), attribute(attr, external)?).is_some() {
            return Err(format!("attribute `{}` is given twice", attr.name));
        }
    }
    Ok(attrs)
}

fn attribute(attr: &Attribute, external: &mut External<'_>) -> Result<Attr, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // Old files leave the type out; then the one field that is there tells.
    Ok(match attr.kind {
        1 => Attr::Float(attr.f.unwrap_or(0.0)),
        2 => Attr::Int(attr.i.unwrap_or(0)),
        3 => Attr::Text(text(attr.s.as_deref().unwrap_or_default())),
        6 => Attr::Floats(attr.floats.clone()),
        7 => Attr::Ints(attr.ints.clone()),
        8 => Attr::Texts(attr.strings.iter().map(|bytes| text(bytes)).collect()),
        0 | 4 => match (&attr.t, attr.f, attr.i, &attr.s) {
            (Some(tensor), ..) => Attr::Literal(
                literal(tensor, external)
                    .map_err(|why| format!("attribute `{}`: {why}", attr.name))?,
            ),
            (None, Some(x), ..) => Attr::Float(x),
            (None, None, Some(x), _) => Attr::Int(x),
            (None, None, None, Some(bytes)) => Attr::Text(text(bytes)),
            _ if !attr.floats.is_empty() => Attr::Floats(attr.floats.clone()),
            _ if attr.g.is_some() => Attr::Other("a graph".to_owned()),
            _ => Attr::Ints(attr.ints.clone()),
        },
        other => Attr::Other(format!("an attribute of type {other}")),
    })
}
