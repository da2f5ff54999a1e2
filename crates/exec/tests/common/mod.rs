//! Small networks in training, and finite differences of them.

// Every test file uses its own part of this.
#![allow(dead_code)]

use std::sync::Arc;

use brickwork_exec::{Role, Training};
use brickwork_graph::{Attr, Builder, Form, Graph, Literal, Shape, ValueId};
use brickwork_tensor::{Nd, Tensor, volume};

/// Numbers from -1 to 1 without a pattern.
pub(crate) fn noise(len: usize, seed: usize) -> Vec<f32> {
    let mixed = |k: usize| {
        let x = ((k + 1) * 0x9E37_79B9 + seed * 0x85EB_CA6B) & 0xFFFF_FFFF;
        let x = ((x ^ (x >> 15)) * 0x2C1B_3C6D) & 0xFFFF_FFFF;
        ((x ^ (x >> 12)) & 0xFFFF) as f32 / 32768.0 - 1.0
    };
    (0..len).map(mixed).collect()
}

/// A network under test: `x` goes through a learned 1x1 convolution to `v` (so that gradients of the
/// nodes' operands can be told from the gradients of its weights), then through the nodes to `y`.
pub(crate) struct Net {
    builder: Builder,
    /// Operator types of the nodes.
    pub(crate) kinds: Vec<String>,
}

impl Net {
    pub(crate) fn new(channels: usize, height: usize, width: usize) -> Self {
        let mut builder = Builder::new("net", 17, None);
        builder.input("x", Shape::batched(&[channels, height, width]));
        let mut weights = noise(channels * channels, 1);
        (0..channels).for_each(|c| weights[c * channels + c] += 1.5);
        let net = Self { builder, kinds: Vec::new() };
        net.floats("mix.w", &[channels, channels, 1, 1], weights)
            .floats("mix.b", &[channels], noise(channels, 2))
            .node("Conv", &["x", "mix.w", "mix.b"], &["v"], &[])
    }

    pub(crate) fn floats(mut self, name: &str, shape: &[usize], data: Vec<f32>) -> Self {
        self.builder.constant(name, Literal::Floats(Tensor::new(shape, data)));
        self
    }

    /// A constant of noise.
    pub(crate) fn with(self, name: &str, shape: &[usize]) -> Self {
        let data = noise(volume(shape), name.len() * 7 + volume(shape));
        self.floats(name, shape, data)
    }

    pub(crate) fn ints(mut self, name: &str, list: &[i64]) -> Self {
        self.builder.constant(name, Literal::Ints(Nd::vector(list.to_vec())));
        self
    }

    pub(crate) fn node(
        mut self,
        kind: &str,
        inputs: &[&str],
        outputs: &[&str],
        attrs: &[(&str, Attr)],
    ) -> Self {
        let own = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        self.kinds.push(kind.to_owned());
        self.builder.node(&Form {
            name: format!("{kind}{}", self.kinds.len()),
            kind: kind.to_owned(),
            inputs: own(inputs),
            outputs: own(outputs),
            attrs: attrs.iter().map(|(name, attr)| ((*name).to_owned(), attr.clone())).collect(),
            ..Form::default()
        });
        self
    }

    /// A node without attributes.
    pub(crate) fn then(self, kind: &str, inputs: &[&str], output: &str) -> Self {
        self.node(kind, inputs, &[output], &[])
    }

    /// Batch normalisation of `from`, with `channels` of its own statistics.
    pub(crate) fn norm(mut self, from: &str, to: &str, channels: usize) -> Self {
        let parts = ["gamma", "beta", "mean", "var"].map(|part| format!("{to}.{part}"));
        for (seed, part) in parts.iter().enumerate() {
            let data = noise(channels, seed + 40).iter().map(|x| 1.2 + 0.5 * x).collect();
            self = self.floats(part, &[channels], data);
        }
        self.then("BatchNormalization", &[from, &parts[0], &parts[1], &parts[2], &parts[3]], to)
    }

    pub(crate) fn graph(self) -> Graph {
        self.graph_of(&["y"])
    }

    /// The graph, with these outputs.
    pub(crate) fn graph_of(mut self, outputs: &[&str]) -> Graph {
        outputs.iter().for_each(|name| self.builder.output(name));
        self.builder.finish().expect("a sound graph")
    }
}

/// The value of this name.
pub(crate) fn value(graph: &Graph, name: &str) -> ValueId {
    graph.value_ids().find(|&id| graph.value(id).name == name).expect("a value of this name")
}

pub(crate) fn ints(list: &[i64]) -> Attr {
    Attr::Ints(list.to_vec())
}

/// What keeps the size under a 3x3 kernel.
pub(crate) fn same() -> [(&'static str, Attr); 1] {
    [("pads", ints(&[1, 1, 1, 1]))]
}

pub(crate) const BATCH: usize = 3;

/// The sum over targets of `sum of r * y`, and the gradients of all learned parameters, by index.
pub(crate) fn run(training: &mut Training, x: &[f32]) -> (f64, Vec<(usize, Vec<f32>)>) {
    let (mut loss, mut gradients) = (0.0, Vec::new());
    let step = training.step(
        BATCH,
        &[x],
        11,
        |targets| {
            for (k, target) in targets.iter_mut().enumerate() {
                let r = noise(target.data.len(), 77 + k);
                target.gradient.copy_from_slice(&r);
                let sides = target.data.iter().zip(&r);
                loss += sides.map(|(y, r)| f64::from(*y) * f64::from(*r)).sum::<f64>();
            }
            true
        },
        |learned| gradients = learned.iter().map(|l| (l.index, l.gradient.to_vec())).collect(),
    );
    step.expect("trains");
    (loss, gradients)
}

/// Elements to feed the graph with.
pub(crate) fn feed(graph: &Graph) -> Vec<f32> {
    noise(graph.value(graph.inputs()[0]).shape.at(BATCH).iter().product(), 5)
}

/// Compares the gradient of every learned parameter with finite differences.
pub(crate) fn check(net: Net) {
    check_targets(net.graph(), &["y"]);
}

/// The same for the network as it is in inference.
pub(crate) fn check_settled(net: Net) {
    let graph = net.graph();
    let targets = [value(&graph, "y")];
    check_training(&feed(&graph), Training::new(Arc::new(graph), &targets, |_| true).settled());
}

/// The same for a loss of several values. A learned parameter without a gradient must not matter.
pub(crate) fn check_targets(graph: Graph, targets: &[&str]) {
    let targets: Vec<ValueId> = targets.iter().map(|name| value(&graph, name)).collect();
    check_training(&feed(&graph), Training::new(Arc::new(graph), &targets, |_| true));
}

fn check_training(x: &[f32], mut training: Training) {
    let before = training.parameters().to_vec();
    let analytic = run(&mut training, x).1;
    assert!(!analytic.is_empty());
    for (index, parameter) in before.iter().enumerate() {
        if parameter.role != Role::Learned {
            continue;
        }
        let zeros = vec![0.0; parameter.data.len()];
        let found = analytic.iter().find(|(at, _)| *at == index).map_or(&zeros, |(_, g)| g);
        let scale = found.iter().fold(0.1f64, |top, g| top.max(f64::from(g.abs())));
        let count = parameter.data.len();
        for k in (0..count).step_by(1.max(count / 12)) {
            let mut moved = |by: f32| {
                for (parameter, start) in training.parameters_mut().iter_mut().zip(&before) {
                    parameter.data.clone_from(&start.data);
                }
                training.parameters_mut()[index].data[k] += by;
                run(&mut training, x).0
            };
            let epsilon = 2e-3f32;
            let slope = (moved(epsilon) - moved(-epsilon)) / f64::from(2.0 * epsilon);
            let found = f64::from(found[k]);
            assert!(
                (found - slope).abs() < 1e-2 * scale,
                "{}[{k}]: {found}, finite differences say {slope} (largest {scale})",
                parameter.name
            );
        }
    }
}
