//! Changes to a model that leave it a model: byte by byte, a fuzzer rarely gets past the format.

use brickwork_graph::SUPPORTED;
use prost::Message;

use crate::proto::{Attribute, Extent, Graph, Model, Node, Tensor, ValueInfo};

const NUMBERS: [i64; 20] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    -1,
    -2,
    -3,
    255,
    65_536,
    1 << 20,
    1 << 28,
    1 << 31,
    1 << 62,
    i64::MAX,
    i64::MIN,
];
const FLOATS: [f32; 10] = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e-40, 1e38, f32::NAN, f32::INFINITY];
const INT_NAMES: [&str; 9] = [
    "axis",
    "group",
    "keepdims",
    "ceil_mode",
    "count_include_pad",
    "transB",
    "to",
    "size",
    "allowzero",
];
const LIST_NAMES: [&str; 9] =
    ["axes", "perm", "pads", "strides", "dilations", "kernel_shape", "split", "starts", "ends"];
const FLOAT_NAMES: [&str; 6] = ["alpha", "beta", "epsilon", "ratio", "min", "max"];
const WORDS: [(&str, &str); 9] = [
    ("auto_pad", "SAME_UPPER"),
    ("auto_pad", "SAME_LOWER"),
    ("auto_pad", "VALID"),
    ("mode", "nearest"),
    ("mode", "linear"),
    ("coordinate_transformation_mode", "align_corners"),
    ("coordinate_transformation_mode", "pytorch_half_pixel"),
    ("nearest_mode", "ceil"),
    ("approximate", "tanh"),
];

/// A few changes to the model in `bytes`, if it is one.
pub fn mutated(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut dice = Dice(u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut model = Model::decode(bytes).ok().filter(|_| dice.below(16) > 0)?;
    let graph = model.graph.as_mut()?;
    for _ in 0..=dice.below(3) {
        change(graph, &mut dice)?;
    }
    if let Some(set) = model.opset_import.first_mut().filter(|_| dice.below(16) == 0) {
        set.version = 6 + dice.below(17) as i64;
    }
    Some(model.encode_to_vec())
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % count.max(1)
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let at = self.below(list.len());
        list.get(at)
    }

    fn one_mut<'a, T>(&mut self, list: &'a mut [T]) -> Option<&'a mut T> {
        let at = self.below(list.len());
        list.get_mut(at)
    }

    fn number(&mut self, old: i64) -> i64 {
        match self.below(6) {
            0 => old.wrapping_add(1),
            1 => old.wrapping_sub(1),
            2 => old.wrapping_mul(2),
            3 => NUMBERS[self.below(NUMBERS.len())],
            _ => self.below(6) as i64,
        }
    }
}

fn change(graph: &mut Graph, dice: &mut Dice) -> Option<()> {
    match dice.below(13) {
        0 => change_constant(dice.one_mut(&mut graph.initializer)?, dice),
        1 => graph.initializer.push(new_constant(dice)),
        2 => {
            let name = any_name(graph, dice);
            let node = dice_node(graph, dice)?;
            *dice.one_mut(&mut node.input)? = name;
        }
        3 => dice_node(graph, dice)?.op_type = (*dice.one(SUPPORTED)?).to_owned(),
        4 => {
            let attribute = new_attribute(dice);
            dice_node(graph, dice)?.attribute.push(attribute);
        }
        5 => change_attribute(dice, graph)?,
        6 => {
            let list = &mut dice_node(graph, dice)?.attribute;
            list.truncate(dice.below(list.len() + 1));
        }
        7 | 8 => insert(graph, dice),
        9 => {
            let at = dice.below(graph.node.len());
            bypass(graph, at)?;
        }
        10 => {
            let name = any_name(graph, dice);
            graph.output.push(ValueInfo { name, r#type: None });
        }
        11 => change_input(dice.one_mut(&mut graph.input)?, dice)?,
        _ => {
            let name = any_name(graph, dice);
            dice_node(graph, dice)?.input.push(name);
        }
    }
    Some(())
}

fn dice_node<'a>(graph: &'a mut Graph, dice: &mut Dice) -> Option<&'a mut Node> {
    dice.one_mut(&mut graph.node)
}

fn any_name(graph: &Graph, dice: &mut Dice) -> String {
    let made = graph.node.iter().flat_map(|node| &node.output);
    let given = graph.initializer.iter().map(|tensor| &tensor.name);
    let fed = graph.input.iter().map(|input| &input.name);
    let names: Vec<&String> = made.chain(given).chain(fed).collect();
    dice.one(&names).map(|name| (*name).clone()).unwrap_or_default()
}

/// A new constant that is what it says.
fn new_constant(dice: &mut Dice) -> Tensor {
    let mut tensor = Tensor { name: format!("k{}", dice.below(8)), ..Tensor::default() };
    tensor.data_type = if dice.below(2) == 0 { 1 } else { 7 };
    tensor.dims = (0..dice.below(5)).map(|_| 1 + dice.below(4) as i64).collect();
    fill(&mut tensor, dice);
    tensor
}

/// Gives a tensor as much data as its shape needs, if that is little.
fn fill(tensor: &mut Tensor, dice: &mut Dice) {
    let count = tensor.dims.iter().try_fold(1i64, |v, &d| v.checked_mul(d)).unwrap_or(0);
    let count = count.clamp(0, 256) as usize;
    tensor.raw_data = Some(match tensor.data_type {
        7 => (0..count).flat_map(|_| (dice.below(6) as i64 - 1).to_le_bytes()).collect(),
        _ => (0..count).flat_map(|_| (dice.below(9) as f32 / 4.0 - 1.0).to_le_bytes()).collect(),
    });
}

fn change_constant(tensor: &mut Tensor, dice: &mut Dice) {
    let number = dice.number(1);
    match dice.below(4) {
        0 => tensor.dims.push(number),
        1 if !tensor.dims.is_empty() => {
            let at = dice.below(tensor.dims.len());
            tensor.dims[at] = dice.number(tensor.dims[at]);
        }
        2 => tensor.dims.truncate(dice.below(4)),
        _ => return change_element(tensor, dice),
    }
    if dice.below(8) > 0 {
        fill(tensor, dice);
    }
}

fn change_element(tensor: &mut Tensor, dice: &mut Dice) {
    let whole = tensor.data_type == 7;
    let Some(raw) = &mut tensor.raw_data else { return };
    let bytes = match whole {
        true => dice.number(1).to_le_bytes().to_vec(),
        false => FLOATS[dice.below(FLOATS.len())].to_le_bytes().to_vec(),
    };
    let at = dice.below(raw.len() / bytes.len()) * bytes.len();
    if let Some(place) = raw.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(&bytes);
    }
}

fn new_attribute(dice: &mut Dice) -> Attribute {
    let mut attribute = Attribute::default();
    match dice.below(4) {
        0 => {
            attribute.name = INT_NAMES[dice.below(INT_NAMES.len())].to_owned();
            (attribute.kind, attribute.i) = (2, Some(dice.number(1)));
        }
        1 => {
            attribute.name = LIST_NAMES[dice.below(LIST_NAMES.len())].to_owned();
            attribute.kind = 7;
            attribute.ints = (0..dice.below(5)).map(|_| dice.number(1)).collect();
        }
        2 => {
            attribute.name = FLOAT_NAMES[dice.below(FLOAT_NAMES.len())].to_owned();
            (attribute.kind, attribute.f) = (1, Some(FLOATS[dice.below(FLOATS.len())]));
        }
        _ => {
            let (name, word) = WORDS[dice.below(WORDS.len())];
            attribute.name = name.to_owned();
            (attribute.kind, attribute.s) = (3, Some(word.as_bytes().to_vec()));
        }
    }
    attribute
}

fn change_attribute(dice: &mut Dice, graph: &mut Graph) -> Option<()> {
    let node = dice_node(graph, dice)?;
    let attribute = dice.one_mut(&mut node.attribute)?;
    match attribute.kind {
        1 => attribute.f = Some(FLOATS[dice.below(FLOATS.len())]),
        2 => attribute.i = Some(dice.number(attribute.i.unwrap_or(0))),
        4 => change_constant(attribute.t.as_mut()?, dice),
        7 if dice.below(4) == 0 => attribute.ints.push(dice.number(1)),
        7 => {
            let place = dice.one_mut(&mut attribute.ints)?;
            *place = dice.number(*place);
        }
        _ => attribute.kind = dice.below(9) as i32,
    }
    Some(())
}

/// Puts a new node between a value and its readers.
fn insert(graph: &mut Graph, dice: &mut Dice) {
    let source = any_name(graph, dice);
    let result = format!("i{}", dice.below(1 << 20));
    for node in &mut graph.node {
        let readers = node.input.iter_mut().filter(|name| **name == source);
        readers.for_each(|name| name.clone_from(&result));
    }
    let mut input = vec![source];
    for _ in 0..dice.below(4) {
        input.push(if dice.below(4) == 0 {
            any_name(graph, dice)
        } else {
            let constant = new_constant(dice);
            let name = constant.name.clone();
            if graph.initializer.iter().all(|other| other.name != name) {
                graph.initializer.push(constant);
            }
            name
        });
    }
    let attribute = (0..dice.below(3)).map(|_| new_attribute(dice)).collect();
    let op_type = SUPPORTED[dice.below(SUPPORTED.len())].to_owned();
    let at = dice.below(graph.node.len() + 1);
    graph
        .node
        .insert(at, Node { input, output: vec![result], op_type, attribute, ..Node::default() });
}

/// Takes a node out and connects its readers to its first operand.
fn bypass(graph: &mut Graph, at: usize) -> Option<()> {
    if at >= graph.node.len() {
        return None;
    }
    let gone = graph.node.remove(at);
    let (from, to) = (gone.output.first()?, gone.input.first()?);
    for node in &mut graph.node {
        node.input.iter_mut().filter(|name| *name == from).for_each(|name| name.clone_from(to));
    }
    graph.output.iter_mut().filter(|out| out.name == *from).for_each(|out| out.name.clone_from(to));
    Some(())
}

fn change_input(input: &mut ValueInfo, dice: &mut Dice) -> Option<()> {
    let shape = input.r#type.as_mut()?.tensor_type.as_mut()?.shape.as_mut()?;
    let dim = dice.one_mut(&mut shape.dim)?;
    dim.value = Some(match dim.value {
        Some(Extent::Fixed(old)) => Extent::Fixed(dice.number(old)),
        _ => Extent::Fixed(dice.number(1)),
    });
    Some(())
}
