//! Bytes to a graph.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use brickwork_graph::{Attr, Attrs, Builder, Form, Graph, Shape};
use prost::Message;

use super::external::External;
use super::functions::{inline, own_version};
use super::input::{ReadOptions, own_inputs, possible, stated, unclear};
use super::literal::{literal, stored};
use super::outline::{Outline, keep_outputs};
use super::parts::count_parts;
use super::proto::{self, Attribute, Extent};
use super::sparse;
use super::write::LIMIT;
use crate::error::ReadError;
use crate::file::{folder_of, read_whole};
use crate::memory::room;

/// Operator sets that can be read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;

/// No model has more nodes.
const MOST_NODES: usize = 1 << 16;

/// No model has more nodes, constants, operands, attributes, entries of metadata and so on together.
const MOST_PARTS: usize = 1 << 20;

/// Reads the ONNX file at `path`, with external data beside it.
///
/// The batch is left open even where the file fixes it.
///
/// # Errors
/// If the file cannot be read, is no ONNX file, or holds anything that is not supported; all such
/// things are listed.
pub fn load(path: &Path, options: &ReadOptions) -> Result<Graph, ReadError> {
    ModelFile::open(path, options)?.graph()
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
    ModelFile::decode(bytes, folder, options)?.graph()
}

/// The metadata of the ONNX file of these bytes, of which nothing else is read; nothing if they are no such file.
pub fn metadata(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let model = proto::Described::decode(bytes).ok()?;
    Some(model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect())
}

/// An ONNX file of which no node is read yet.
pub struct ModelFile {
    path: Option<PathBuf>,
    folder: Option<PathBuf>,
    graph: proto::Graph,
    opset: i64,
    metadata: BTreeMap<String, String>,
    options: ReadOptions,
}

impl ModelFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// If it cannot be opened, is no ONNX file, or has no value that `options` name.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, ReadError> {
        let failed = |source| ReadError::Io { path: path.into(), source };
        let size = std::fs::metadata(path).map_err(failed)?.len();
        if size > LIMIT as u64 {
            let problem = format!("it has {size} bytes, but an ONNX file ends below 2 GiB");
            return Err(ReadError::malformed(problem).of_file(path));
        }
        let bytes = read_whole(path).map_err(failed)?;
        let file = Self::decode(&bytes, Some(folder_of(path)), options);
        let file = file.map_err(|error| error.of_file(path))?;
        Ok(Self { path: Some(path.into()), ..file })
    }

    /// Takes `bytes` for a file; external data is looked for in `folder`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn decode(
        bytes: &[u8],
        folder: Option<&Path>,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let model = parsed(bytes)?;
        let Some(mut graph) = model.graph else {
            return Err(ReadError::malformed("it holds no graph".to_owned()));
        };
        let opset = own_version(&model.opset_import).unwrap_or(1);
        inline(&mut graph, &model.functions, opset, MOST_NODES).map_err(ReadError::malformed)?;
        let entries = model.metadata_props.into_iter();
        let metadata = entries.map(|entry| (entry.key, entry.value)).collect();
        let (folder, options) = (folder.map(Into::into), options.clone());
        let wanted = options.output.clone();
        let mut file = Self { path: None, folder, graph, opset, metadata, options };
        wanted.map_or(Ok(()), |output| file.keep(&[output]))?;
        Ok(file)
    }

    /// What it says of itself.
    pub fn outline(&self) -> Outline {
        Outline::of(&self.graph)
    }

    /// Makes values, by name, the only outputs; what they do not need is not read.
    ///
    /// # Errors
    /// If nothing is called so.
    pub fn keep(&mut self, outputs: &[String]) -> Result<(), ReadError> {
        keep_outputs(&mut self.graph, outputs).map_err(|problem| self.unsuited(problem))
    }

    /// The error that the file is not what is wanted, for the reason that `problem` gives.
    pub fn unsuited(&self, problem: String) -> ReadError {
        ReadError::Unsuited { path: self.path.clone(), problem }
    }

    /// The graph.
    ///
    /// # Errors
    /// As [`load`].
    pub fn graph(&self) -> Result<Graph, ReadError> {
        let graph = self.read();
        match &self.path {
            Some(path) => graph.map_err(|error| error.of_file(path)),
            None => graph,
        }
    }

    fn read(&self) -> Result<Graph, ReadError> {
        let Self { graph, opset, metadata, options, .. } = self;
        if !OPSETS.contains(opset) {
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
        let inputs: Vec<Possible<'_>> = own_inputs(graph)
            .map(|input| Possible { input, shapes: possible(input, options) })
            .collect();
        let file = File { graph, opset: *opset, metadata, folder: self.folder.as_deref() };
        only_fitting(&file, &inputs)
    }
}

/// The protobuf, unless it has more parts, or takes more memory, than can be had.
fn parsed(bytes: &[u8]) -> Result<proto::Model, ReadError> {
    let parts = count_parts(bytes);
    if parts > MOST_PARTS {
        return Err(ReadError::malformed(format!(
            "it has {parts} parts, at most {MOST_PARTS} are supported"
        )));
    }
    // Decoding copies all arrays, and ends the process where there is no memory for them.
    let no_room = |error| ReadError::Malformed { path: None, problem: format!("it {error}") };
    room::<u8>(bytes.len()).map_err(no_room)?;
    proto::Model::decode(bytes).map_err(|error| ReadError::malformed(error.to_string()))
}

/// The graph with the one shape of its input that fits; the errors of the first if none does.
fn only_fitting(file: &File<'_>, inputs: &[Possible<'_>]) -> Result<Graph, ReadError> {
    let choices = inputs
        .first()
        .and_then(|first| first.shapes.as_ref().ok())
        .map_or(1, |shapes| shapes.len());
    if choices == 1 {
        return build(file, inputs, 0);
    }
    let mut fits: Vec<Graph> =
        (0..choices).filter_map(|choice| build(file, inputs, choice).ok()).collect();
    match fits.len() {
        0 => build(file, inputs, 0),
        1 => Ok(fits.remove(0)),
        _ => Err(unclear(&fits)),
    }
}

/// What a file holds, and where it lies.
struct File<'a> {
    graph: &'a proto::Graph,
    opset: i64,
    metadata: &'a BTreeMap<String, String>,
    folder: Option<&'a Path>,
}

/// An input with the shapes that it may have.
struct Possible<'a> {
    input: &'a proto::ValueInfo,
    shapes: Result<Vec<Shape>, String>,
}

/// The graph, its first input taken for shape `choice` of those it may have.
fn build(file: &File<'_>, inputs: &[Possible<'_>], choice: usize) -> Result<Graph, ReadError> {
    let File { graph, opset, metadata, folder } = *file;
    let fixed_batch = inputs.first().and_then(|first| first_extent(first.input));
    let mut builder = Builder::new(&graph.name, opset, fixed_batch);
    builder.metadata(metadata.clone());
    for port in graph.input.iter().chain(&graph.output) {
        let tensor = port.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let held = tensor.and_then(|tensor| stored(tensor.elem_type));
        builder.stored(&port.name, held.unwrap_or_default());
    }
    for (place, Possible { input, shapes }) in inputs.iter().enumerate() {
        match shapes {
            Ok(shapes) => {
                let shape = &shapes[if place == 0 { choice } else { 0 }];
                builder.input(&input.name, shape.clone());
            }
            Err(text) => builder.unreadable(&input.name, text),
        }
    }
    let mut external = External::new(folder);
    add_constants(&mut builder, &graph.initializer, &mut external);
    for (name, tensor) in graph.sparse_initializer.iter().map(|x| (sparse::name(x), x)) {
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
                Ok(literal) => {
                    builder.stored_constant(name, literal, stored(*data_type).unwrap_or_default());
                }
                Err(text) => builder.unreadable(name, text),
            },
        }
    }
}

fn first_extent(input: &proto::ValueInfo) -> Option<usize> {
    match stated(input)?.first()?.value {
        Some(Extent::Fixed(extent)) => usize::try_from(extent).ok(),
        _ => None,
    }
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
