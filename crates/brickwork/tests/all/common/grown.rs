//! Networks grown from lists of numbers, for property tests.

use brickwork_graph::{Attr, Graph};

use super::Net;

/// What to add, and how.
pub(crate) type Gene = (u8, u8);

/// A value on the way: its name, channels and side.
#[derive(Clone)]
struct Value {
    name: String,
    channels: usize,
    side: usize,
}

/// A classifier of 8x8 RGB images into `classes` classes: one block per gene after a first
/// convolution, then a head. Weights depend on `seed` alone.
pub(crate) fn grow(genes: &[Gene], classes: usize, seed: u64) -> Graph {
    let image = Value { name: "image".to_owned(), channels: 3, side: 8 };
    let mut grower = Grower { net: Net::new([3, 8, 8]), made: Vec::new(), count: 0 };
    let mut last = grower.conv(&image, 6, 3, 1);
    for gene in genes {
        grower.made.push(last.clone());
        last = grower.block(last, *gene);
    }
    let by_position = genes.iter().fold(0, |sum, gene| sum ^ gene.1) % 2 == 0;
    let features = grower.flat(&last, by_position);
    let hidden = grower.linear(&features, 7);
    let hidden = grower.then("Relu", &hidden);
    let scores = grower.linear(&hidden, classes);
    grower.net.finish(&scores.name, seed)
}

struct Grower {
    net: Net,
    made: Vec<Value>,
    count: usize,
}

impl Grower {
    fn name(&mut self, stem: &str) -> String {
        self.count += 1;
        format!("{stem}{}", self.count)
    }

    fn block(&mut self, x: Value, (kind, how): Gene) -> Value {
        let width = 2 + usize::from(how) % 7;
        match kind % 12 {
            0 => self.conv(&x, width, 3, 1),
            1 => self.conv(&x, width, 1, 1),
            2 => self.norm(&x),
            3 => {
                let functions = ["Relu", "Sigmoid", "HardSwish", "LeakyRelu", "Tanh", "Elu"];
                self.then(functions[usize::from(how) % functions.len()], &x)
            }
            4 => self.residual(&x),
            5 => self.branches(&x, width),
            6 => self.conv(&x, x.channels, 3, x.channels),
            7 => self.grouped(&x, 2 * (1 + width / 3)),
            8 => self.pool(x, ["MaxPool", "AveragePool"][usize::from(how) % 2]),
            9 => self.gated(&x),
            10 => self.halves(&x),
            _ => self.again(x),
        }
    }

    fn then(&mut self, kind: &str, x: &Value) -> Value {
        let name = self.name(&kind.to_lowercase());
        self.net.then(kind, &x.name, &name);
        Value { name, ..x.clone() }
    }

    fn conv(&mut self, x: &Value, outputs: usize, kernel: usize, groups: usize) -> Value {
        // A single group of a single channel is a plain convolution.
        let name = self.name("conv");
        self.net.conv(&x.name, &name, [outputs, x.channels / groups, kernel], groups);
        Value { name, channels: outputs, ..x.clone() }
    }

    fn linear(&mut self, x: &Value, outputs: usize) -> Value {
        let name = self.name("linear");
        self.net.linear(&x.name, &name, [outputs, x.channels]);
        Value { name, channels: outputs, side: 1 }
    }

    fn norm(&mut self, x: &Value) -> Value {
        let name = self.name("norm");
        self.net.norm(&x.name, &name, x.channels);
        Value { name, ..x.clone() }
    }

    fn joined(&mut self, kind: &str, parts: &[&Value], channels: usize) -> Value {
        let name = self.name(&kind.to_lowercase());
        let inputs: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let axis = [("axis", Attr::Int(1))];
        let attrs = if kind == "Concat" { &axis[..] } else { &[] };
        self.net.node(kind, &inputs, &[&name], attrs);
        Value { name, channels, side: parts[0].side }
    }

    fn residual(&mut self, x: &Value) -> Value {
        let inner = self.conv(x, x.channels, 3, 1);
        let inner = self.norm(&inner);
        let sum = self.joined("Add", &[x, &inner], x.channels);
        self.then("Relu", &sum)
    }

    fn branches(&mut self, x: &Value, width: usize) -> Value {
        let a = self.conv(x, width, 3, 1);
        let a = self.then("Relu", &a);
        let b = self.conv(x, 2 + width / 2, 1, 1);
        self.joined("Concat", &[&a, x, &b], a.channels + x.channels + b.channels)
    }

    fn grouped(&mut self, x: &Value, outputs: usize) -> Value {
        let even = self.conv(x, 4, 1, 1);
        self.conv(&even, outputs, 3, 2)
    }

    fn pool(&mut self, x: Value, kind: &str) -> Value {
        if !x.side.is_multiple_of(2) {
            return x;
        }
        let name = self.name("pool");
        let two = || Attr::Ints(vec![2, 2]);
        let attrs = [("kernel_shape", two()), ("strides", two())];
        self.net.node(kind, &[&x.name], &[&name], &attrs);
        Value { name, side: x.side / 2, ..x }
    }

    fn gated(&mut self, x: &Value) -> Value {
        let pooled = self.then("GlobalAveragePool", x);
        let pooled = Value { side: 1, ..pooled };
        let small = self.conv(&pooled, 3, 1, 1);
        let small = self.then("Relu", &small);
        let gate = self.conv(&small, x.channels, 1, 1);
        let gate = self.then("Sigmoid", &gate);
        self.joined("Mul", &[x, &gate], x.channels)
    }

    /// Splits the channels, works on one side and joins them the other way round.
    fn halves(&mut self, x: &Value) -> Value {
        let (left, right) = (x.channels / 2, x.channels - x.channels / 2);
        let names = [self.name("left"), self.name("right")];
        let sizes = self.name("sizes");
        self.net.ints(&sizes, &[left as i64, right as i64]);
        let outputs = [names[0].as_str(), &names[1]];
        self.net.node("Split", &[&x.name, &sizes], &outputs, &[("axis", Attr::Int(1))]);
        let [a, b] = names;
        let a = Value { name: a, channels: left, side: x.side };
        let b = Value { name: b, channels: right, side: x.side };
        let a = self.conv(&a, left.max(2), 1, 1);
        self.joined("Concat", &[&b, &a], a.channels + b.channels)
    }

    /// Adds an earlier value of the same shape, so that it has several readers.
    fn again(&mut self, x: Value) -> Value {
        let fits = |y: &&Value| (y.channels, y.side) == (x.channels, x.side) && y.name != x.name;
        match self.made.iter().find(fits).cloned() {
            Some(earlier) => self.joined("Add", &[&earlier, &x], x.channels),
            None => x,
        }
    }

    fn flat(&mut self, x: &Value, by_position: bool) -> Value {
        let name = self.name("flat");
        if by_position {
            self.net.then("Flatten", &x.name, &name);
            return Value { name, channels: x.channels * x.side * x.side, side: 1 };
        }
        self.net.means(&x.name, &name);
        Value { name, channels: x.channels, side: 1 }
    }
}
