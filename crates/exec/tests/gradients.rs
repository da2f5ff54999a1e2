//! Every backward pass against finite differences of the forward pass.

use std::sync::Arc;

use brickwork_exec::{Role, Training};
use brickwork_graph::{Attr, Builder, Form, Graph, Literal, Shape};
use brickwork_tensor::{Nd, Tensor, volume};

/// Numbers from -1 to 1 without a pattern.
fn noise(len: usize, seed: usize) -> Vec<f32> {
    let mixed = |k: usize| {
        let x = ((k + 1) * 0x9E37_79B9 + seed * 0x85EB_CA6B) & 0xFFFF_FFFF;
        let x = ((x ^ (x >> 15)) * 0x2C1B_3C6D) & 0xFFFF_FFFF;
        ((x ^ (x >> 12)) & 0xFFFF) as f32 / 32768.0 - 1.0
    };
    (0..len).map(mixed).collect()
}

/// A network under test: `x` goes through a learned 1x1 convolution to `v` (so that gradients of the
/// nodes' operands can be told from the gradients of its weights), then through the nodes.
struct Net {
    builder: Builder,
    count: usize,
}

impl Net {
    fn new(channels: usize, height: usize, width: usize) -> Self {
        let mut builder = Builder::new("net", 17, None);
        builder.input("x", Shape::batched(&[channels, height, width]));
        let mut net = Self { builder, count: 0 };
        let mut weights = noise(channels * channels, 1);
        (0..channels).for_each(|c| weights[c * channels + c] += 1.5);
        net.builder.constant("mix.w", floats(&[channels, channels, 1, 1], weights));
        net.constant("mix.b", &[channels], 2);
        net.node("Conv", &["x", "mix.w", "mix.b"], &["v"], &[])
    }

    fn constant(&mut self, name: &str, shape: &[usize], seed: usize) {
        self.builder.constant(name, floats(shape, noise(volume(shape), seed)));
    }

    fn with(mut self, name: &str, shape: &[usize]) -> Self {
        self.constant(name, shape, name.len() * 7 + volume(shape));
        self
    }

    fn ints(mut self, name: &str, list: &[i64]) -> Self {
        self.builder.constant(name, Literal::Ints(Nd::vector(list.to_vec())));
        self
    }

    fn node(
        mut self,
        kind: &str,
        inputs: &[&str],
        outputs: &[&str],
        attrs: &[(&str, Attr)],
    ) -> Self {
        let own = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        self.count += 1;
        self.builder.node(&Form {
            name: format!("{kind}{}", self.count),
            kind: kind.to_owned(),
            inputs: own(inputs),
            outputs: own(outputs),
            attrs: attrs.iter().map(|(name, attr)| ((*name).to_owned(), attr.clone())).collect(),
            ..Form::default()
        });
        self
    }

    /// Batch normalisation of `from`, with `channels` of its own statistics.
    fn norm(mut self, from: &str, to: &str, channels: usize) -> Self {
        for (seed, part) in ["gamma", "beta", "mean", "var"].iter().enumerate() {
            let data = noise(channels, seed + 40).iter().map(|x| 1.2 + 0.5 * x).collect();
            self.builder.constant(&format!("{to}.{part}"), floats(&[channels], data));
        }
        let parts = ["gamma", "beta", "mean", "var"].map(|part| format!("{to}.{part}"));
        let inputs = [from, &parts[0], &parts[1], &parts[2], &parts[3]];
        self.node("BatchNormalization", &inputs, &[to], &[])
    }

    fn graph(mut self, output: &str) -> Graph {
        self.builder.output(output);
        self.builder.finish().expect("a sound graph")
    }
}

fn floats(shape: &[usize], data: Vec<f32>) -> Literal {
    Literal::Floats(Tensor::new(shape, data))
}

fn ints(list: &[i64]) -> Attr {
    Attr::Ints(list.to_vec())
}

const BATCH: usize = 3;

/// `sum of r * y`, and the gradients of all learned parameters.
fn run(training: &mut Training, x: &[f32], gradients: &mut Vec<Vec<f32>>) -> f64 {
    let mut loss = 0.0;
    gradients.clear();
    let step = training.step(
        BATCH,
        &[x],
        11,
        |targets| {
            let r = noise(targets[0].data.len(), 77);
            targets[0].gradient.copy_from_slice(&r);
            loss = targets[0].data.iter().zip(&r).map(|(y, r)| f64::from(*y) * f64::from(*r)).sum();
            true
        },
        |learned| gradients.extend(learned.iter().map(|l| l.gradient.to_vec())),
    );
    step.expect("trains");
    loss
}

/// Compares the gradient of every learned parameter with finite differences.
fn check(graph: Graph) {
    let (input, output) = (graph.inputs()[0], graph.outputs()[0]);
    let x = noise(graph.value(input).shape.at(BATCH).iter().product(), 5);
    let mut training = Training::new(Arc::new(graph), &[output], |_| true);
    let before = training.parameters().to_vec();
    let mut analytic = Vec::new();
    run(&mut training, &x, &mut analytic);
    let learned: Vec<usize> =
        (0..before.len()).filter(|&k| before[k].role == Role::Learned).collect();
    assert_eq!(learned.len(), analytic.len());
    for (place, &index) in learned.iter().enumerate() {
        let scale = analytic[place].iter().fold(0.1f64, |top, g| top.max(f64::from(g.abs())));
        let count = before[index].data.len();
        for k in (0..count).step_by(1.max(count / 12)) {
            let mut moved = |by: f32| {
                for (parameter, start) in training.parameters_mut().iter_mut().zip(&before) {
                    parameter.data.clone_from(&start.data);
                }
                training.parameters_mut()[index].data[k] += by;
                run(&mut training, &x, &mut Vec::new())
            };
            let epsilon = 2e-3f32;
            let slope = (moved(epsilon) - moved(-epsilon)) / f64::from(2.0 * epsilon);
            let found = f64::from(analytic[place][k]);
            assert!(
                (found - slope).abs() < 1e-2 * scale,
                "{}[{k}]: {found}, finite differences say {slope} (largest {scale})",
                before[index].name
            );
        }
    }
}

#[test]
fn convolutions() {
    for (groups, stride, dilation, pads, kernel) in [
        (1, 1, 1, [1, 1, 1, 1], [3, 3]),
        (1, 2, 1, [1, 1, 1, 1], [3, 3]),
        (1, 1, 2, [2, 2, 2, 2], [3, 3]),
        (2, 1, 1, [0, 1, 1, 0], [2, 3]),
        (2, 2, 1, [0, 0, 0, 0], [1, 1]),
        (4, 1, 1, [1, 1, 1, 1], [3, 3]),
        (4, 2, 1, [1, 0, 1, 2], [3, 3]),
    ] {
        let outputs = if groups == 4 { 4 } else { 6 };
        let shape = [outputs, 4 / groups, kernel[0], kernel[1]];
        let net = Net::new(4, 6, 5).with("w", &shape).with("b", &[outputs]).node(
            "Conv",
            &["v", "w", "b"],
            &["y"],
            &[
                ("group", Attr::Int(groups as i64)),
                ("strides", ints(&[stride, stride])),
                ("dilations", ints(&[dilation, dilation])),
                ("pads", ints(&pads)),
            ],
        );
        check(net.graph("y"));
    }
}

#[test]
fn a_convolution_wide_enough_for_tiles() {
    let net = Net::new(16, 12, 12).with("w", &[32, 16, 3, 3]).node(
        "Conv",
        &["v", "w"],
        &["y"],
        &[("pads", ints(&[1, 1, 1, 1]))],
    );
    check(net.graph("y"));
}

#[test]
fn linear_layers() {
    let flat = |net: Net| net.node("Flatten", &["v"], &["f"], &[]);
    let net = flat(Net::new(2, 3, 4)).with("w", &[24, 7]).with("b", &[7]);
    check(net.node("Gemm", &["f", "w", "b"], &["y"], &[]).graph("y"));
    let net = flat(Net::new(2, 3, 4)).with("w", &[7, 24]).with("b", &[7]);
    let transposed = [("transB", Attr::Int(1))];
    check(net.node("Gemm", &["f", "w", "b"], &["y"], &transposed).graph("y"));
    let net = flat(Net::new(2, 3, 4)).with("w", &[24, 7]).with("b", &[7]);
    let net = net.node("MatMul", &["f", "w"], &["m"], &[]);
    check(net.node("Add", &["m", "b"], &["y"], &[]).graph("y"));
}

#[test]
fn batch_normalisation() {
    check(Net::new(3, 4, 5).norm("v", "y", 3).graph("y"));
}

#[test]
fn activations() {
    for kind in ["Relu", "LeakyRelu", "Elu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Exp"] {
        check(Net::new(3, 4, 5).node(kind, &["v"], &["y"], &[]).graph("y"));
    }
}

#[test]
fn dropout_passes_what_it_kept() {
    check(Net::new(3, 4, 5).node("Dropout", &["v"], &["y"], &[]).graph("y"));
}

#[test]
fn pools() {
    let window = [
        ("kernel_shape", ints(&[3, 3])),
        ("strides", ints(&[2, 2])),
        ("pads", ints(&[1, 1, 1, 1])),
    ];
    for kind in ["MaxPool", "AveragePool"] {
        check(Net::new(3, 7, 6).node(kind, &["v"], &["y"], &window).graph("y"));
    }
    for kind in ["GlobalAveragePool", "GlobalMaxPool"] {
        check(Net::new(3, 4, 5).node(kind, &["v"], &["y"], &[]).graph("y"));
    }
    let axes = [("axes", ints(&[2, 3])), ("keepdims", Attr::Int(0))];
    check(Net::new(3, 4, 5).node("ReduceMean", &["v"], &["y"], &axes).graph("y"));
}

#[test]
fn arithmetic() {
    for kind in ["Add", "Sub", "Mul"] {
        let net = Net::new(3, 4, 5).node("Sigmoid", &["v"], &["s"], &[]);
        check(net.node(kind, &["v", "s"], &["y"], &[]).graph("y"));
        let net = Net::new(3, 4, 5).with("c", &[1, 3, 1, 1]);
        check(net.node(kind, &["c", "v"], &["y"], &[]).graph("y"));
        let net = Net::new(3, 4, 5).node("GlobalAveragePool", &["v"], &["s"], &[]);
        check(net.node(kind, &["v", "s"], &["y"], &[]).graph("y"));
    }
    let net = Net::new(3, 4, 5).node("Exp", &["v"], &["e"], &[]);
    check(net.node("Div", &["v", "e"], &["y"], &[]).graph("y"));
}

#[test]
fn values_with_several_readers() {
    let net = Net::new(3, 4, 5)
        .with("w", &[3, 3, 3, 3])
        .node("Conv", &["v", "w"], &["a"], &[("pads", ints(&[1, 1, 1, 1]))])
        .node("Add", &["a", "v"], &["b"], &[])
        .node("Sigmoid", &["b"], &["c"], &[])
        .node("Add", &["c", "b"], &["d"], &[])
        .node("Add", &["d", "d"], &["y"], &[]);
    check(net.graph("y"));
}

#[test]
fn moves_and_joins() {
    let net = Net::new(4, 4, 5)
        .ints("sizes", &[1, 3])
        .node("Split", &["v", "sizes"], &["a", "b"], &[("axis", Attr::Int(1))])
        .node("Concat", &["b", "a", "b"], &["y"], &[("axis", Attr::Int(1))]);
    check(net.graph("y"));
    // Only one part of a split is read.
    let net = Net::new(4, 4, 5).ints("sizes", &[1, 3]).node(
        "Split",
        &["v", "sizes"],
        &["a", "y"],
        &[("axis", Attr::Int(1))],
    );
    check(net.graph("y"));
    let net = Net::new(4, 2, 3)
        .ints("shape", &[0, 8, 3])
        .node("Reshape", &["v", "shape"], &["r"], &[])
        .node("Transpose", &["r"], &["t"], &[("perm", ints(&[0, 2, 1]))])
        .with("w", &[8, 5])
        .node("MatMul", &["t", "w"], &["y"], &[]);
    check(net.graph("y"));
}

#[test]
fn slices() {
    for (starts, ends, axes, steps) in [
        ([1, 0], [3, 100], [1, 3], [1, 1]),
        ([0, -1], [4, -100], [1, 2], [2, -2]),
        ([3, 1], [-100, 4], [1, 3], [-1, 2]),
    ] {
        let net = Net::new(4, 3, 5)
            .ints("starts", &starts)
            .ints("ends", &ends)
            .ints("axes", &axes)
            .ints("steps", &steps);
        check(net.node("Slice", &["v", "starts", "ends", "axes", "steps"], &["y"], &[]).graph("y"));
    }
}

#[test]
fn padding() {
    for pads in [[0, 0, 1, 2, 0, 0, 0, 1], [0, 1, 0, 1, 0, 2, 1, 0]] {
        let net = Net::new(3, 4, 5).ints("pads", &pads);
        check(net.node("Pad", &["v", "pads"], &["y"], &[]).graph("y"));
    }
}

#[test]
fn what_stands_before_the_first_layer_is_not_learned() {
    let mut builder = Builder::new("net", 17, None);
    builder.input("x", Shape::batched(&[3, 2, 2]));
    builder.constant("mean", floats(&[1, 3, 1, 1], noise(3, 1)));
    builder.constant("w", floats(&[2, 3, 1, 1], noise(6, 2)));
    let node = |kind: &str, inputs: [&str; 2], output: &str| Form {
        name: kind.to_owned(),
        kind: kind.to_owned(),
        inputs: inputs.map(str::to_owned).to_vec(),
        outputs: vec![output.to_owned()],
        ..Form::default()
    };
    builder.node(&node("Sub", ["x", "mean"], "v"));
    builder.node(&node("Conv", ["v", "w"], "y"));
    builder.output("y");
    let graph = builder.finish().expect("a sound graph");
    let output = graph.outputs()[0];
    let training = Training::new(Arc::new(graph), &[output], |_| true);
    let roles: Vec<(&str, Role)> =
        training.parameters().iter().map(|p| (&p.name[..], p.role)).collect();
    assert_eq!(roles, [("mean", Role::Fixed), ("w", Role::Learned)]);
}
