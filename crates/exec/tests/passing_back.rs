//! How gradients find their way through a graph, whatever its operators are.

mod common;

use std::sync::Arc;

use brickwork_exec::{Learned, Role, Session, Target, Training};
use brickwork_graph::{Attr, Builder, Form, Graph, Literal, Shape};
use brickwork_tensor::Tensor;
use rayon::ThreadPoolBuilder;

use common::{BATCH, Net, check, check_settled, check_targets, feed, noise, run, same, value};

fn small() -> Net {
    Net::new(3, 4, 5)
}

#[test]
fn values_with_several_readers() {
    let net = small()
        .with("w", &[3, 3, 3, 3])
        .node("Conv", &["v", "w"], &["a"], &same())
        .then("Add", &["a", "v"], "b")
        .then("Sigmoid", &["b"], "c")
        .then("Add", &["c", "b"], "d");
    check(net.then("Add", &["d", "d"], "y"));
}

#[test]
fn one_gradient_for_both_sides_of_a_sum() {
    // Either side could turn the gradient into its own in place.
    let net = small().then("Sigmoid", &["v"], "a").then("Tanh", &["v"], "b");
    check(net.then("Add", &["a", "b"], "y"));
    // The sum's gradient passes through views on its way.
    let net = small()
        .ints("shape", &[0, 3, 20])
        .then("Reshape", &["v", "shape"], "r")
        .then("Sigmoid", &["r"], "a")
        .then("Identity", &["r"], "i")
        .then("Tanh", &["i"], "b");
    check(net.then("Add", &["a", "b"], "y"));
}

#[test]
fn targets_that_are_read_further() {
    let net = || {
        small()
            .then("Tanh", &["v"], "a")
            .then("Flatten", &["a"], "f")
            .then("Sigmoid", &["a"], "b")
            .then("Exp", &["b"], "y")
    };
    for targets in [
        &["a", "y"][..],
        &["y", "b", "a", "v"],
        // The same memory in another shape, and the same value twice.
        &["f", "a"],
        &["y", "y"],
        // The input has no gradient.
        &["x", "b"],
    ] {
        let graph = net().then("Neg", &["f"], "h").graph_of(&["y", "h"]);
        check_targets(graph, targets);
    }
}

#[test]
fn parts_of_a_graph_that_no_target_needs() {
    let graph = small()
        .with("w", &[2, 3, 1, 1])
        .with("other.w", &[2, 3, 1, 1])
        .then("Conv", &["v", "w"], "y")
        .then("Conv", &["v", "other.w"], "other")
        .graph_of(&["y", "other"]);
    check_targets(graph.clone(), &["y"]);
    let x = feed(&graph);
    let targets = [value(&graph, "y")];
    let mut training = Training::new(Arc::new(graph), &targets, |_| true);
    let learned: Vec<usize> = run(&mut training, &x).1.iter().map(|(index, _)| *index).collect();
    let names: Vec<&str> =
        learned.iter().map(|&index| &training.parameters()[index].name[..]).collect();
    assert_eq!(names, ["mix.w", "mix.b", "w"]);
    let other = training.parameters().iter().find(|p| p.name == "other.w").expect("a parameter");
    assert_eq!(other.role, Role::Learned);
}

#[test]
fn results_that_nobody_reads() {
    let parts = |outputs: &[&str]| {
        let net = small().ints("sizes", &[1, 1, 1]).then("Tanh", &["v"], "t");
        net.node("Split", &["t", "sizes"], outputs, &[("axis", Attr::Int(1))])
    };
    check(parts(&["y", "a", "b"]));
    check(parts(&["a", "b", "c"]).then("Mul", &["a", "c"], "y"));
}

#[test]
fn parameters_that_several_nodes_read() {
    let net = small()
        .with("w", &[3, 3, 3, 3])
        .with("c", &[3, 1, 1])
        .node("Conv", &["v", "w"], &["a"], &same())
        .then("Mul", &["a", "c"], "b")
        .node("Conv", &["b", "w"], &["d"], &same());
    check(net.then("Add", &["d", "c"], "y"));
    // The same matrix one way and the other.
    let net = Net::new(2, 2, 3)
        .then("Flatten", &["v"], "f")
        .with("w", &[12, 12])
        .then("MatMul", &["f", "w"], "a")
        .node("Gemm", &["a", "w"], &["y"], &[("transB", Attr::Int(1))]);
    check(net);
}

#[test]
fn frozen_layers_pass_gradients_on() {
    let graph = small()
        .with("frozen.w", &[3, 3, 3, 3])
        .node("Conv", &["v", "frozen.w"], &["a"], &same())
        .with("w", &[2, 3, 1, 1])
        .then("Conv", &["a", "w"], "y")
        .graph();
    let (x, target) = (feed(&graph), graph.outputs()[0]);
    let graph = Arc::new(graph);
    let gradients = |learns: fn(&str) -> bool| {
        let mut training = Training::new(graph.clone(), &[target], learns);
        let found = run(&mut training, &x).1;
        let name = |index: usize| training.parameters()[index].name.clone();
        found.into_iter().map(|(index, g)| (name(index), g)).collect::<Vec<_>>()
    };
    let all = gradients(|_| true);
    let but_one: Vec<_> = all.iter().filter(|(name, _)| name != "frozen.w").cloned().collect();
    assert_eq!(gradients(|name| name != "frozen.w"), but_one);
    // Behind frozen layers, no gradient has to pass through them.
    let last: Vec<_> = all.into_iter().filter(|(name, _)| name == "w").collect();
    assert_eq!(gradients(|name| name == "w"), last);
}

#[test]
fn statistics_follow_only_where_gradients_pass() {
    let net = small().norm("v", "n", 3).with("w", &[2, 3, 1, 1]);
    let graph = Arc::new(net.then("Conv", &["n", "w"], "y").graph());
    let x = feed(&graph);
    let statistics = |training: &Training| -> Vec<Vec<f32>> {
        let own = training.parameters().iter().filter(|p| p.role == Role::Statistic);
        own.map(|p| p.data.clone()).collect()
    };
    for (name, follows) in [("w", false), ("n.gamma", true), ("mix.b", true)] {
        let mut training = Training::new(graph.clone(), graph.outputs(), |other| other == name);
        let before = statistics(&training);
        run(&mut training, &x);
        assert_eq!(before != statistics(&training), follows, "{name}");
    }
}

#[test]
fn dropout_in_front_of_all_that_is_learned() {
    let graph = Net::new(3, 8, 8)
        .then("Dropout", &["v"], "d")
        .with("w", &[2, 3, 1, 1])
        .then("Conv", &["d", "w"], "y")
        .graph();
    let (x, targets) = (feed(&graph), [graph.outputs()[0], value(&graph, "d")]);
    let mut training = Training::new(Arc::new(graph), &targets, |name| name == "w");
    let mut dropped = 0;
    let step = training.step(
        BATCH,
        &[&x],
        5,
        |targets| {
            dropped = targets[1].data.iter().filter(|&&x| x == 0.0).count();
            false
        },
        |_| {},
    );
    step.expect("trains");
    assert!((200..376).contains(&dropped), "{dropped} of 576");
}

#[test]
fn gradients_of_the_network_in_inference() {
    let net = || {
        let net = small().norm("v", "n", 3).then("Dropout", &["n"], "d").with("w", &[2, 3, 1, 1]);
        net.then("Conv", &["d", "w"], "y")
    };
    check_settled(net());
    let graph = Arc::new(net().graph());
    let (x, targets) = (feed(&graph), graph.outputs().to_vec());
    let mut training = Training::new(graph.clone(), &targets, |_| true).settled();
    let constants = |training: &Training| -> Vec<Vec<f32>> {
        training.parameters().iter().map(|p| p.data.clone()).collect()
    };
    let (before, mut found) = (constants(&training), Vec::new());
    let read = |targets: &mut [Target<'_>]| {
        found = targets[0].data.to_vec();
        true
    };
    training.step(BATCH, &[&x], 1, read, |_| {}).expect("trains");
    assert_eq!(before, constants(&training));
    let expected = Session::new(graph, &targets).outputs(BATCH, &x).expect("runs").remove(0);
    for (a, b) in found.iter().zip(expected.data()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

/// A network with most kinds of sums in it.
fn broad() -> Graph {
    Net::new(16, 20, 20)
        .with("w", &[32, 16, 3, 3])
        .node("Conv", &["v", "w"], &["a"], &same())
        .norm("a", "n", 32)
        .with("slope", &[32, 1, 1])
        .then("PRelu", &["n", "slope"], "p")
        .node("LRN", &["p"], &["l"], &[("size", Attr::Int(5))])
        .with("scale", &[20])
        .with("bias", &[20])
        .then("LayerNormalization", &["l", "scale", "bias"], "m")
        .with("gate", &[1, 32, 1, 1])
        .then("Mul", &["m", "gate"], "g")
        .with("d", &[32, 1, 3, 3])
        .node("Conv", &["g", "d"], &["y"], &[("group", Attr::Int(32))])
        .graph()
}

#[test]
fn gradients_do_not_depend_on_the_number_of_threads() {
    let graph = Arc::new(broad());
    let x = feed(&graph);
    let on = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| run(&mut Training::new(graph.clone(), graph.outputs(), |_| true), &x))
    };
    let alone = on(1);
    assert!(on(2) == alone && on(5) == alone);
}

#[test]
fn batches_of_several_sizes_do_not_disturb_each_other() {
    let graph = Arc::new(broad());
    let (x, more) = (feed(&graph), noise(5 * 16 * 20 * 20, 8));
    let fresh = || Training::new(graph.clone(), graph.outputs(), |_| true);
    let mut used = fresh();
    used.step(5, &[&more], 1, |_| true, |_| {}).expect("trains");
    used.step(1, &[&more[..16 * 400]], 1, |_| false, |_| {}).expect("trains");
    let first = run(&mut used, &x);
    assert_eq!(first.1, run(&mut fresh(), &x).1);
    assert_eq!(first, run(&mut used, &x));
}

#[test]
fn what_stands_before_the_first_layer_is_not_learned() {
    let mut builder = Builder::new("net", 17, None);
    builder.input("x", Shape::batched(&[3, 2, 2]));
    let floats = |shape: &[usize], data| Literal::Floats(Tensor::new(shape, data));
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

#[test]
fn a_single_slope_is_learned() {
    let net = Net::new(4, 3, 3).floats("slope", &[1], vec![0.25]);
    let graph = net.then("PRelu", &["v", "slope"], "y").graph();
    let training = Training::new(Arc::new(graph.clone()), graph.outputs(), |_| true);
    let slope = training.parameters().iter().find(|p| p.name == "slope").expect("a slope");
    assert_eq!(slope.role, Role::Learned);
    check_targets(graph, &["y"]);
}

#[test]
fn statistics_stored_with_a_scale_follow_the_batches_alone() {
    let shared = |parts: [&str; 4]| {
        let mut net = Net::new(4, 3, 3).floats("ones", &[4], vec![1.0; 4]);
        net = net.floats("zeros", &[4], vec![0.0; 4]);
        for (name, number) in [("gamma", 1.0), ("beta", 0.0), ("mean", 0.0), ("var", 1.0)] {
            net = net.floats(name, &[4], vec![number; 4]);
        }
        net.then("BatchNormalization", &["v", parts[0], parts[1], parts[2], parts[3]], "y").graph()
    };
    // The scale and the variance after a step that moves the scale.
    let step = |graph: Graph| {
        let x = feed(&graph);
        let graph = Arc::new(graph);
        let mut training = Training::new(graph.clone(), graph.outputs(), |_| true);
        let learn = |learned: &mut [Learned<'_>]| {
            learned.iter_mut().for_each(|one| one.data.iter_mut().for_each(|w| *w += 0.5));
        };
        let loss = |targets: &mut [Target<'_>]| {
            targets[0].gradient.fill(1.0);
            true
        };
        training.step(BATCH, &[&x], 0, loss, learn).expect("trains");
        let trained = training.trained().expect("a sound graph");
        let node = trained.nodes().iter().find(|node| node.inputs.len() == 5).expect("a norm");
        let constant = |slot: usize| trained.value(node.inputs[slot].expect("a constant"));
        (1..5).map(|slot| constant(slot).constant.clone().expect("data")).collect::<Vec<_>>()
    };
    let apart = step(shared(["gamma", "beta", "mean", "var"]));
    let together = step(shared(["ones", "zeros", "zeros", "ones"]));
    assert_eq!(apart, together);
    assert!(apart[0].data() != apart[3].data(), "scale and variance moved alike");
}
