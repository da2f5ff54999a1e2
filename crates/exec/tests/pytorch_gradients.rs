//! Gradients and a short training run against PyTorch's, from `fixtures/gradients.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use brickwork_exec::{Optimiser, OptimiserKind, Role, Session, Training, cross_entropy};
use brickwork_graph::{Attr, Builder, Form, Graph, Literal, Shape};
use brickwork_tensor::{Nd, Tensor};
use serde::Deserialize;

type Arrays = BTreeMap<String, Vec<f32>>;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
    network: Run,
}

/// A network and what it is fed with.
#[derive(Deserialize)]
struct Net {
    name: String,
    input: Vec<usize>,
    nodes: Vec<Node>,
    ints: BTreeMap<String, Vec<i64>>,
    floats: BTreeMap<String, Array>,
    x: Vec<f32>,
    /// Running statistics in the end.
    after: Arrays,
}

#[derive(Deserialize)]
struct Node {
    kind: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attrs: BTreeMap<String, Value>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Value {
    Int(i64),
    Float(f32),
    Text(String),
    Ints(Vec<i64>),
}

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f32>,
}

/// The loss `sum of r * y` and its gradients.
#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    net: Net,
    r: Vec<f32>,
    loss: f64,
    gradients: Arrays,
}

/// Steps on one batch.
#[derive(Deserialize)]
struct Run {
    #[serde(flatten)]
    net: Net,
    labels: Vec<usize>,
    rate: f32,
    momentum: f64,
    losses: Vec<f64>,
}

fn fixture() -> Fixture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/gradients.json");
    serde_json::from_str(&fs::read_to_string(path).expect("fixture")).expect("json")
}

impl Net {
    fn graph(&self) -> Graph {
        let mut builder = Builder::new(&self.name, 17, None);
        builder.input("x", Shape::batched(&self.input));
        for (name, list) in &self.ints {
            builder.constant(name, Literal::Ints(Nd::vector(list.clone())));
        }
        for (name, Array { shape, data }) in &self.floats {
            builder.constant(name, Literal::Floats(Tensor::new(shape.clone(), data.clone())));
        }
        self.nodes.iter().for_each(|node| builder.node(&node.form()));
        builder.output("y");
        builder.finish().unwrap_or_else(|problems| panic!("{}: {problems}", self.name))
    }

    fn training(&self) -> Training {
        let graph = Arc::new(self.graph());
        Training::new(graph.clone(), graph.outputs(), |_| true)
    }

    fn batch(&self) -> usize {
        self.x.len() / self.input.iter().product::<usize>()
    }

    fn check_statistics(&self, training: &Training, tolerance: f32) {
        let statistics = training.parameters().iter().filter(|p| p.role == Role::Statistic);
        let found: Arrays = statistics.map(|p| (p.name.clone(), p.data.clone())).collect();
        self.check(&found, &self.after, tolerance);
    }

    /// Whether arrays agree up to `tolerance` of their largest element. Where that is the rest of a
    /// sum whose terms cancel, a tenth of the largest element of all arrays counts.
    fn check(&self, found: &Arrays, expected: &Arrays, tolerance: f32) {
        let names = |arrays: &Arrays| arrays.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(found), names(expected), "{}", self.name);
        let largest = |data: &[f32]| data.iter().fold(0.0f32, |top, x| top.max(x.abs()));
        let all = expected.values().map(|data| largest(data)).fold(0.0, f32::max);
        for (name, expected) in expected {
            let (net, found, unit) = (&self.name, &found[name], largest(expected).max(0.1 * all));
            assert_eq!(found.len(), expected.len(), "{net}: {name}");
            for (k, (x, y)) in found.iter().zip(expected).enumerate() {
                let fits = (x - y).abs() <= tolerance * unit;
                assert!(fits, "{net}: {name}[{k}] is {x}, expected {y} (of {unit})");
            }
        }
    }
}

impl Node {
    fn form(&self) -> Form {
        let attr = |value: &Value| match value.clone() {
            Value::Int(int) => Attr::Int(int),
            Value::Float(float) => Attr::Float(float),
            Value::Text(text) => Attr::Text(text),
            Value::Ints(list) => Attr::Ints(list),
        };
        Form {
            name: self.outputs[0].clone(),
            kind: self.kind.clone(),
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            attrs: self.attrs.iter().map(|(name, value)| (name.clone(), attr(value))).collect(),
            ..Form::default()
        }
    }
}

impl Case {
    fn check_loss(&self, y: &[f32]) {
        assert_eq!(y.len(), self.r.len(), "{}", self.net.name);
        let terms = || y.iter().zip(&self.r).map(|(y, r)| f64::from(*y) * f64::from(*r));
        let (found, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
        let fits = (found - self.loss).abs() < 1e-6 * size;
        assert!(fits, "{}: {found}, expected {}", self.net.name, self.loss);
    }
}

#[test]
fn results_are_those_of_pytorch_without_training_too() {
    // Those of batch normalisation differ.
    for case in fixture().cases.iter().filter(|case| case.net.after.is_empty()) {
        let graph = Arc::new(case.net.graph());
        let mut session = Session::new(graph.clone(), graph.outputs());
        let outputs = session.outputs(case.net.batch(), &case.net.x).expect("runs");
        case.check_loss(outputs[0].data());
    }
}

#[test]
fn gradients_are_those_of_pytorch() {
    let cases = fixture().cases;
    assert!(cases.len() > 60);
    for case in &cases {
        let net = &case.net;
        let mut training = net.training();
        let names: Vec<String> = training.parameters().iter().map(|p| p.name.clone()).collect();
        let mut found = Arrays::new();
        let step = training.step(
            net.batch(),
            &[&net.x],
            1,
            |targets| {
                case.check_loss(targets[0].data);
                targets[0].gradient.copy_from_slice(&case.r);
                true
            },
            |learned| {
                let named = learned.iter().map(|l| (names[l.index].clone(), l.gradient.to_vec()));
                found = named.collect();
            },
        );
        step.unwrap_or_else(|error| panic!("{}: {error}", net.name));
        net.check(&found, &case.gradients, 1e-5);
        net.check_statistics(&training, 1e-5);
    }
}

#[test]
fn a_residual_network_learns_as_in_pytorch() {
    let Run { net, labels, rate, momentum, losses } = fixture().network;
    let mut training = net.training();
    let lengths: Vec<usize> = training.parameters().iter().map(|p| p.data.len()).collect();
    let kind = OptimiserKind::Sgd { momentum, nesterov: false, decay: 0.0 };
    let mut optimiser = Optimiser::new(kind, &lengths).expect("an optimiser");
    for (step, expected) in losses.iter().enumerate() {
        let mut loss = 0.0;
        let done = training.step(
            labels.len(),
            &[&net.x],
            step as u64,
            |targets| {
                let found = cross_entropy(targets[0].data, &labels, 0.0, targets[0].gradient);
                loss = found.expect("a loss");
                true
            },
            |learned| {
                optimiser.begin_step();
                for l in learned {
                    optimiser.update(l.index, l.data, l.gradient, rate, false, None);
                }
            },
        );
        done.expect("trains");
        assert!((loss - expected).abs() < 1e-4, "step {step}: {loss}, expected {expected}");
    }
    assert!(losses[losses.len() - 1] < 0.3 * losses[0]);
    net.check_statistics(&training, 1e-4);
}
