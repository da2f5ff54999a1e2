//! Transformers as exporters write them, in several ways, for property tests.

use brickwork_graph::{Attr, Graph};

use super::Net;

/// How attention is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// One layer makes queries, keys and values, which a reshape to `[n, p, 3, h, d]` tells apart.
    Fused,
    /// A layer each; values are narrower than keys, and a bias by head and position is added to the scores.
    Apart,
    /// Queries, keys and values lie side by side inside of each head: `[n, p, h, 3 d]`.
    ByHead,
    /// Queries and keys are normalised over each head's channels.
    Normalised,
    /// All heads share their keys and values.
    Shared,
    /// Scores are mixed over heads by linear layers before and after they are normalised.
    Talking,
    /// The sums of keys times values are worked out first.
    Linear,
    /// Channels lie on axis 1, as behind a convolution.
    Planes,
}

impl Way {
    pub(crate) const ALL: [Self; 8] = [
        Self::Fused,
        Self::Apart,
        Self::ByHead,
        Self::Normalised,
        Self::Shared,
        Self::Talking,
        Self::Linear,
        Self::Planes,
    ];
}

pub(crate) const WIDTH: usize = 6;
pub(crate) const HEADS: usize = 3;
pub(crate) const DEPTH: usize = 4;
pub(crate) const TOKENS: usize = 4;

/// A classifier of `[3, 2, 2]` images into `classes` classes, of `blocks`. Weights depend on `seed` alone.
pub(crate) fn transformer(blocks: &[Way], classes: usize, seed: u64) -> Graph {
    let mut net = Transformer(Net::new([3, 2, 2]));
    net.0
        .conv("image", "patches", [WIDTH, 3, 1], 1)
        .ints("flat", &[0, WIDTH as i64, TOKENS as i64]);
    net.0.node("Reshape", &["patches", "flat"], &["rows"], &[]);
    let mut last = net.turned("rows", "tokens", &[0, 2, 1]);
    for (k, &way) in blocks.iter().enumerate() {
        let name = format!("block{k}");
        let normal = net.norm(&last, &format!("{name}.norm1"), WIDTH);
        let attention = net.attention(&normal, &format!("{name}.attn"), way);
        let sum = net.joined("Add", &[&last, &attention], &format!("{name}.sum1"));
        let normal = net.norm(&sum, &format!("{name}.norm2"), WIDTH);
        let wide = net.linear(&normal, &format!("{name}.fc1"), [WIDTH, 10]);
        let active = net.then("Tanh", &wide, &format!("{name}.act"));
        let narrow = net.linear(&active, &format!("{name}.fc2"), [10, WIDTH]);
        last = net.joined("Add", &[&sum, &narrow], &format!("{name}.sum2"));
    }
    let normal = net.norm(&last, "norm", WIDTH);
    let axes = [("axes", Attr::Ints(vec![1])), ("keepdims", Attr::Int(0))];
    net.0.node("ReduceMean", &[&normal], &["pooled"], &axes);
    net.0.linear("pooled", "head", [classes, WIDTH]);
    net.0.finish("head", seed)
}

struct Transformer(Net);

impl Transformer {
    fn joined(&mut self, kind: &str, inputs: &[&str], to: &str) -> String {
        self.0.node(kind, inputs, &[to], &[]);
        to.to_owned()
    }

    fn then(&mut self, kind: &str, from: &str, to: &str) -> String {
        self.joined(kind, &[from], to)
    }

    /// A linear layer `[inputs, outputs]` over the last axis, with a bias.
    fn linear(&mut self, from: &str, to: &str, shape: [usize; 2]) -> String {
        let [weight, product, bias] =
            ["weight", "product", "bias"].map(|stem| format!("{to}.{stem}"));
        self.0.constant(&weight, &shape, vec![0.5; shape[0] * shape[1]]);
        self.0.constant(&bias, &shape[1..], vec![0.5; shape[1]]);
        self.joined("MatMul", &[from, &weight], &product);
        self.joined("Add", &[&product, &bias], to)
    }

    fn norm(&mut self, from: &str, to: &str, width: usize) -> String {
        let [scale, shift] = ["scale", "shift"].map(|stem| format!("{to}.{stem}"));
        self.0.constant(&scale, &[width], vec![0.5; width]);
        self.0.constant(&shift, &[width], vec![0.5; width]);
        self.joined("LayerNormalization", &[from, &scale, &shift], to)
    }

    fn turned(&mut self, from: &str, to: &str, perm: &[i64]) -> String {
        self.0.node("Transpose", &[from], &[to], &[("perm", Attr::Ints(perm.to_vec()))]);
        to.to_owned()
    }

    fn reshaped(&mut self, from: &str, to: &str, shape: &[usize]) -> String {
        let sizes = format!("{to}.sizes");
        let ints: Vec<i64> = [0].into_iter().chain(shape.iter().map(|&x| x as i64)).collect();
        self.0.ints(&sizes, &ints);
        self.joined("Reshape", &[from, &sizes], to)
    }

    fn softmax(&mut self, from: &str, to: &str) -> String {
        self.0.node("Softmax", &[from], &[to], &[("axis", Attr::Int(-1))]);
        to.to_owned()
    }

    fn split(&mut self, from: &str, axis: i64, sizes: &[usize], name: &str) -> [String; 3] {
        let list = format!("{name}.parts");
        self.0.ints(&list, &sizes.iter().map(|&size| size as i64).collect::<Vec<_>>());
        let parts = ["q", "k", "v"].map(|part| format!("{name}.{part}.part"));
        let outputs = [parts[0].as_str(), &parts[1], &parts[2]];
        self.0.node("Split", &[from, &list], &outputs, &[("axis", Attr::Int(axis))]);
        parts
    }

    /// A linear layer and its result by head: `[n, h, p, each]`.
    fn heads(&mut self, x: &str, to: &str, heads: usize, each: usize) -> String {
        let flat = self.linear(x, &format!("{to}.flat"), [WIDTH, heads * each]);
        let apart = self.reshaped(&flat, &format!("{to}.apart"), &[TOKENS, heads, each]);
        self.turned(&apart, to, &[0, 2, 1, 3])
    }

    fn attention(&mut self, x: &str, name: &str, way: Way) -> String {
        let [q, k, v] = self.operands(x, name, way);
        if way == Way::Linear {
            let keys = self.turned(&k, &format!("{name}.keys"), &[0, 1, 3, 2]);
            let sums = self.joined("MatMul", &[&keys, &v], &format!("{name}.sums"));
            let context = self.joined("MatMul", &[&q, &sums], &format!("{name}.context"));
            return self.output(&context, name, DEPTH);
        }
        let keys = self.turned(&k, &format!("{name}.keys"), &[0, 1, 3, 2]);
        let mut scores = self.joined("MatMul", &[&q, &keys], &format!("{name}.product"));
        let scale = format!("{name}.scale");
        self.0.constant(&scale, &[], vec![2.0]);
        scores = self.joined("Div", &[&scores, &scale], &format!("{name}.scores"));
        if way == Way::Apart {
            let bias = format!("{name}.places");
            let shape = [1, HEADS, TOKENS, TOKENS];
            self.0.constant(&bias, &shape, vec![0.5; HEADS * TOKENS * TOKENS]);
            scores = self.joined("Add", &[&scores, &bias], &format!("{name}.biased"));
        }
        if way == Way::Talking {
            scores = self.talk(&scores, &format!("{name}.before"));
        }
        let mut shares = self.softmax(&scores, &format!("{name}.shares"));
        if way == Way::Talking {
            shares = self.talk(&shares, &format!("{name}.after"));
        }
        let context = self.joined("MatMul", &[&shares, &v], &format!("{name}.context"));
        self.output(&context, name, if way == Way::Apart { DEPTH - 1 } else { DEPTH })
    }

    /// A linear layer over heads.
    fn talk(&mut self, scores: &str, name: &str) -> String {
        let last = self.turned(scores, &format!("{name}.last"), &[0, 2, 3, 1]);
        let mixed = self.linear(&last, &format!("{name}.mixed"), [HEADS, HEADS]);
        self.turned(&mixed, name, &[0, 3, 1, 2])
    }

    /// Queries, keys and values, `[n, h, p, d]`.
    fn operands(&mut self, x: &str, name: &str, way: Way) -> [String; 3] {
        let [q, k, v] = ["q", "k", "v"].map(|part| format!("{name}.{part}"));
        let all = HEADS * DEPTH;
        match way {
            Way::Fused => {
                let flat = self.linear(x, &format!("{name}.qkv"), [WIDTH, 3 * all]);
                let apart =
                    self.reshaped(&flat, &format!("{name}.apart"), &[TOKENS, 3, HEADS, DEPTH]);
                let first = self.turned(&apart, &format!("{name}.first"), &[2, 0, 3, 1, 4]);
                let parts = self.split(&first, 0, &[1, 1, 1], name);
                self.0.ints(&format!("{name}.zero"), &[0]);
                for (part, to) in parts.iter().zip([&q, &k, &v]) {
                    self.joined("Squeeze", &[part, &format!("{name}.zero")], to);
                }
                [q, k, v]
            }
            Way::ByHead => {
                let flat = self.linear(x, &format!("{name}.qkv"), [WIDTH, 3 * all]);
                let apart =
                    self.reshaped(&flat, &format!("{name}.apart"), &[TOKENS, HEADS, 3 * DEPTH]);
                let first = self.turned(&apart, &format!("{name}.first"), &[0, 2, 1, 3]);
                self.split(&first, 3, &[DEPTH; 3], name)
            }
            Way::Planes => {
                let rows = self.turned(x, &format!("{name}.rows"), &[0, 2, 1]);
                let planes = self.reshaped(&rows, &format!("{name}.planes"), &[WIDTH, 2, 2]);
                let conv = format!("{name}.qkv");
                self.0.conv(&planes, &conv, [3 * all, WIDTH, 1], 1);
                let parts = self.split(&conv, 1, &[all; 3], name);
                for (part, to) in parts.iter().zip([&q, &k, &v]) {
                    let apart =
                        self.reshaped(part, &format!("{to}.apart"), &[HEADS, DEPTH, TOKENS]);
                    self.turned(&apart, to, &[0, 1, 3, 2]);
                }
                [q, k, v]
            }
            Way::Shared => {
                let q = self.heads(x, &q, HEADS, DEPTH);
                [q, self.heads(x, &k, 1, DEPTH), self.heads(x, &v, 1, DEPTH)]
            }
            _ => {
                let values = if way == Way::Apart { DEPTH - 1 } else { DEPTH };
                let [mut q, mut k] = [&q, &k].map(|to| self.heads(x, to, HEADS, DEPTH));
                if way == Way::Normalised {
                    q = self.norm(&q, &format!("{q}.normal"), DEPTH);
                    k = self.norm(&k, &format!("{k}.normal"), DEPTH);
                }
                [q, k, self.heads(x, &v, HEADS, values)]
            }
        }
    }

    /// The context `[n, h, p, each]` side by side, and the output layer.
    fn output(&mut self, context: &str, name: &str, each: usize) -> String {
        let beside = self.turned(context, &format!("{name}.beside"), &[0, 2, 1, 3]);
        let merged = self.reshaped(&beside, &format!("{name}.merged"), &[TOKENS, HEADS * each]);
        self.linear(&merged, &format!("{name}.proj"), [HEADS * each, WIDTH])
    }
}
