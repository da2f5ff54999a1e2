//! What tells a graph from all others.

use std::collections::HashMap;

use brickwork_graph::{Attr, Dim, Graph, Literal, Node, Spec, SpecInput, ValueId};
use brickwork_tensor::Nd;
use sha2::{Digest, Sha256};

/// What a fingerprint of the present form begins with.
const PRESENT: &str = "v2:";

/// SHA-256 over what a graph computes, as `v2:` and 64 hexadecimal digits: its values with their
/// names, shapes and constants, its nodes, inputs and outputs. Metadata, names of nodes and constants
/// that no node reads do not count.
///
/// The bytes under the hash are a sequence of numbers (unsigned, 64 bits, little-endian), texts (their
/// length in bytes, then UTF-8) and lists (their length, then their elements):
///
/// - the list of inputs, the list of nodes, the list of outputs;
/// - a node: kind, list of operands (0, or 1 and a value; without missing ones at the end), list of
///   results, list of attributes by name, list of arrays among its operands that are no values;
/// - a value: its number in the order of appearance, at the first of them followed by name, shape
///   and 0, or 1 and the list of its elements if it is constant;
/// - a shape: list of extents, each with 0 if it is fixed and 1 if so many come with every sample;
/// - an attribute: name, the number of its type in ONNX (9 for others), then what it holds;
/// - an array: 1 and real numbers or 7 and whole ones, list of extents, list of elements;
/// - a whole number: as unsigned, in two's complement; a real one: its 32 bits.
pub fn fingerprint(graph: &Graph) -> String {
    let mut form = GraphHash { hash: Sha256::new(), graph, places: HashMap::new() };
    form.list(graph.inputs(), |form, &id| form.value(id));
    form.list(graph.nodes(), GraphHash::node);
    form.list(graph.outputs(), |form, &id| form.value(id));
    format!("{PRESENT}{}", digits(form.hash))
}

/// Whether `text` is the fingerprint of `graph`, in the present form or in that of files written
/// before there were versions.
pub fn is_fingerprint_of(text: &str, graph: &Graph) -> bool {
    match text.starts_with(PRESENT) {
        true => text == fingerprint(graph),
        false => text == first_form(graph),
    }
}

/// Whether two fingerprints are of one graph. None if they are of different forms: then only the graph
/// can tell, by [`is_fingerprint_of`].
pub fn same_fingerprint(a: &str, b: &str) -> Option<bool> {
    let present = |text: &str| text.starts_with(PRESENT);
    (present(a) == present(b)).then(|| a == b)
}

fn digits(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A graph on its way into a hash.
struct GraphHash<'a> {
    hash: Sha256,
    graph: &'a Graph,
    /// Numbers of the values that have appeared.
    places: HashMap<ValueId, usize>,
}

impl GraphHash<'_> {
    fn number(&mut self, number: usize) {
        self.hash.update((number as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.hash.update(text);
    }

    fn list<T>(&mut self, list: &[T], mut element: impl FnMut(&mut Self, &T)) {
        self.number(list.len());
        list.iter().for_each(|x| element(self, x));
    }

    fn whole(&mut self, list: &[i64]) {
        self.list(list, |form, x| form.hash.update(x.to_le_bytes()));
    }

    fn real(&mut self, list: &[f32]) {
        self.number(list.len());
        for chunk in list.chunks(1 << 14) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|x| x.to_bits().to_le_bytes()).collect();
            self.hash.update(bytes);
        }
    }

    fn value(&mut self, id: ValueId) {
        let next = self.places.len();
        let place = *self.places.entry(id).or_insert(next);
        self.number(place);
        if place < next {
            return;
        }
        let value = self.graph.value(id);
        self.text(&value.name);
        self.list(&value.shape.0, |form, dim| {
            let (open, extent) = match *dim {
                Dim::Fixed(extent) => (0, extent),
                Dim::Batch(each) => (1, each),
            };
            form.number(open);
            form.number(extent);
        });
        self.number(usize::from(value.constant.is_some()));
        if let Some(data) = &value.constant {
            self.real(data.data());
        }
    }

    fn node(&mut self, node: &Node) {
        self.text(node.op.kind());
        let operands = node.inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.list(&node.inputs[..operands], |form, operand| {
            form.number(usize::from(operand.is_some()));
            operand.iter().for_each(|&id| form.value(id));
        });
        self.list(&node.outputs, |form, &id| form.value(id));
        let Spec { inputs, attrs } = node.op.spec();
        self.list(&attrs.iter().collect::<Vec<_>>(), |form, (name, attr)| {
            form.text(name);
            form.attribute(attr);
        });
        let arrays = inputs.iter().filter_map(|input| match input {
            SpecInput::Literal(name, literal) => Some((name, literal)),
            SpecInput::Slot(_) | SpecInput::Absent => None,
        });
        self.list(&arrays.collect::<Vec<_>>(), |form, (name, literal)| {
            form.text(name);
            form.array(literal);
        });
    }

    fn attribute(&mut self, attr: &Attr) {
        self.number(match attr {
            Attr::Float(_) => 1,
            Attr::Int(_) => 2,
            Attr::Text(_) => 3,
            Attr::Literal(_) => 4,
            Attr::Floats(_) => 6,
            Attr::Ints(_) => 7,
            Attr::Texts(_) => 8,
            Attr::Other(_) => 9,
        });
        match attr {
            Attr::Float(x) => self.hash.update(x.to_bits().to_le_bytes()),
            Attr::Int(x) => self.hash.update(x.to_le_bytes()),
            Attr::Text(text) | Attr::Other(text) => self.text(text),
            Attr::Literal(literal) => self.array(literal),
            Attr::Floats(list) => self.real(list),
            Attr::Ints(list) => self.whole(list),
            Attr::Texts(list) => self.list(list, |form, text| form.text(text)),
        }
    }

    fn array(&mut self, literal: &Literal) {
        match literal {
            Literal::Floats(data) => {
                self.extents(1, data);
                self.real(data.data());
            }
            Literal::Ints(data) => {
                self.extents(7, data);
                self.whole(data.data());
            }
        }
    }

    fn extents<T: Copy>(&mut self, kind: usize, data: &Nd<T>) {
        self.number(kind);
        self.list(data.shape(), |form, &extent| form.number(extent));
    }
}

/// The fingerprint in files written before there were versions: over the readable form and the
/// constants.
fn first_form(graph: &Graph) -> String {
    let mut hash = Sha256::new();
    hash.update(graph.to_string());
    for value in graph.values() {
        if let Some(data) = &value.constant {
            hash.update(value.name.as_bytes());
            for chunk in data.data().chunks(1 << 14) {
                let bytes: Vec<u8> = chunk.iter().flat_map(|x| x.to_le_bytes()).collect();
                hash.update(bytes);
            }
        }
    }
    digits(hash)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use brickwork_graph::{Attrs, Builder, Patch, Shape};
    use brickwork_tensor::Tensor;

    use super::*;
    use crate::onnx::{ReadOptions, decode, encode};

    /// Inputs that nodes name in order, after kind and result; `-` leaves one out.
    type Line<'a> = (&'a str, &'a str, &'a [&'a str], Attrs);

    fn built(lines: Vec<Line<'_>>) -> Graph {
        let mut builder = Builder::new("some name", 17, None);
        builder.input("x", Shape::batched(&[2, 4, 4]));
        let kernel = Nd::new([3, 2, 1, 1], vec![0.5, -1.0, 0.25, 2.0, 1e-9, -0.0]);
        builder.constant("w", Literal::Floats(kernel));
        builder.constant("zeros", Literal::Ints(Nd::vector(vec![0, -1])));
        builder.constant("scales", Literal::Floats(Nd::vector(vec![1.0, 1.0, 2.0, 2.0])));
        for (kind, result, operands, attrs) in lines {
            builder.node(&brickwork_graph::Form {
                name: format!("{kind} of {result}"),
                kind: kind.to_owned(),
                domain: String::new(),
                inputs: operands.iter().map(|name| name.trim_matches('-').to_owned()).collect(),
                outputs: vec![result.to_owned()],
                attrs,
            });
        }
        builder.output("y");
        builder.finish().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Attributes of several types and arrays among the operands.
    fn sample() -> Graph {
        let attrs = |name: &str, attr| Attrs::from([(name.to_owned(), attr)]);
        built(vec![
            ("Conv", "a", &["x", "w", "-"], attrs("strides", Attr::Ints(vec![2, 2]))),
            ("LeakyRelu", "b", &["a"], attrs("alpha", Attr::Float(0.1))),
            ("Resize", "c", &["b", "-", "scales"], attrs("mode", Attr::Text("linear".to_owned()))),
            ("Reshape", "y", &["c", "zeros"], Attrs::new()),
        ])
    }

    fn with(change: impl FnOnce(&mut Patch, &Graph)) -> Graph {
        let graph = sample();
        let mut patch = Patch::new("a test");
        change(&mut patch, &graph);
        patch.apply(&graph).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn fingerprints_of_stored_files_stay() {
        let graph = sample();
        let present = "v2:12222829361c2adb67ca9a5129470f4002680ec089e79c699c25bc8a25831ac9";
        let first = "32c4ce5ef8f6bbab3c0ef716730eb18df35ff596a2432a378a1970866f8a23b7";
        assert_eq!(fingerprint(&graph), present);
        assert_eq!(first_form(&graph), first);
        assert!(is_fingerprint_of(present, &graph) && is_fingerprint_of(first, &graph));
        assert_eq!(same_fingerprint(present, present), Some(true));
        assert_eq!(same_fingerprint(first, &first[1..]), Some(false));
        assert_eq!(same_fingerprint(first, present), None);
        let digits = &present[3..];
        let later = format!("v3:{digits}");
        for other in ["", "v2:", &first[1..], digits, &later, &format!("v2:{first}")] {
            assert!(!is_fingerprint_of(other, &graph), "{other}");
        }
    }

    #[test]
    fn metadata_and_writing_do_not_count() {
        let graph = sample();
        let told = with(|patch, _| patch.metadata("key", "value"));
        assert_eq!(fingerprint(&told), fingerprint(&graph));
        let bytes = encode(&graph).expect("it can be written");
        let again = decode(&bytes, None, &ReadOptions::default()).expect("it can be read");
        assert_eq!(fingerprint(&again), fingerprint(&graph));
    }

    #[test]
    fn whatever_changes_what_is_computed_counts() {
        let attrs = |name: &str, attr| Attrs::from([(name.to_owned(), attr)]);
        let pair = |a: Line<'static>, b: Line<'static>| built(vec![a, b]);
        let relu = || ("Relu", "a", &["x"][..], Attrs::new());
        let mut graphs = vec![sample()];
        graphs.push(with(|patch, graph| {
            let id = graph.find_value("w").expect("it is there");
            let mut data = Tensor::clone(graph.value(id).constant.as_ref().expect("a constant"));
            data.data_mut()[5] = 0.0;
            patch.constant(id, Arc::new(data));
        }));
        graphs.push(pair(relu(), ("LeakyRelu", "y", &["a"], attrs("alpha", Attr::Float(0.1)))));
        graphs.push(pair(relu(), ("LeakyRelu", "y", &["a"], attrs("alpha", Attr::Float(0.2)))));
        graphs.push(pair(relu(), ("Add", "y", &["a", "x"], Attrs::new())));
        graphs.push(pair(relu(), ("Add", "y", &["x", "a"], Attrs::new())));
        graphs.push(pair(
            ("Relu", "ab", &["x"], Attrs::new()),
            ("Add", "y", &["ab", "x"], Attrs::new()),
        ));
        graphs.push(pair(relu(), ("Reshape", "y", &["a", "zeros"], Attrs::new())));
        let all: Vec<String> = graphs.iter().map(fingerprint).collect();
        for (k, one) in all.iter().enumerate() {
            assert!(!all[..k].contains(one), "{k} counts as another");
        }
    }
}
