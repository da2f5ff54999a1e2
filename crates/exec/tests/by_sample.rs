//! Gradients of single samples, kept apart in a batch.

mod common;

use std::sync::Arc;

use brickwork_exec::{Learned, Role, Target, Training};
use brickwork_graph::{Attr, Graph};

use common::{BATCH, Net, feed, noise, same};

/// Every learned parameter's gradient, by index, for outputs pulled in the direction of `v`.
fn gradients(
    training: &mut Training,
    batch: usize,
    x: &[f32],
    v: &[f32],
) -> Vec<(usize, Vec<f32>)> {
    let pull = |targets: &mut [Target<'_>]| {
        targets[0].gradient.copy_from_slice(v);
        true
    };
    let mut found = Vec::new();
    let read = |learned: &mut [Learned<'_>]| {
        found = learned.iter().map(|one| (one.index, one.gradient.to_vec())).collect();
    };
    training.step(batch, &[x], 0, pull, read).expect("trains");
    found
}

/// Every sample's gradients in a batch are those it has alone, and every learned parameter has them.
fn check(graph: Graph) {
    let x = feed(&graph);
    let graph = Arc::new(graph);
    let outputs: usize = graph.value(graph.outputs()[0]).shape.sample_volume();
    let v = noise(BATCH * outputs, 7);
    let fresh = || Training::new(graph.clone(), graph.outputs(), |_| true).settled();
    let together = gradients(&mut fresh().by_sample(), BATCH, &x, &v);
    let learned = fresh().parameters().iter().filter(|p| p.role == Role::Learned).count();
    assert_eq!(together.len(), learned);
    let mut alone = fresh();
    for sample in 0..BATCH {
        let own = |data: &[f32]| {
            let each = data.len() / BATCH;
            data[sample * each..(sample + 1) * each].to_vec()
        };
        let expected = gradients(&mut alone, 1, &own(&x), &own(&v));
        for ((index, all), (also, expected)) in together.iter().zip(&expected) {
            assert_eq!(index, also);
            let scale = expected.iter().fold(0.1f32, |top, x| top.max(x.abs()));
            for (a, b) in own(all).iter().zip(expected) {
                assert!((a - b).abs() < 1e-4 * scale, "parameter {index}: {a} {b}");
            }
        }
    }
}

#[test]
fn of_convolutions_and_what_stands_between_them() {
    let net = Net::new(16, 10, 10)
        .with("w", &[32, 16, 3, 3])
        .with("b", &[32])
        .node("Conv", &["v", "w", "b"], &["a"], &same())
        .norm("a", "n", 32)
        .with("slope", &[32, 1, 1])
        .then("PRelu", &["n", "slope"], "p")
        .with("scale", &[10])
        .with("bias", &[10])
        .then("LayerNormalization", &["p", "scale", "bias"], "m")
        .with("gate", &[1, 32, 1, 1])
        .then("Mul", &["m", "gate"], "g")
        .with("d", &[32, 1, 3, 3])
        .node("Conv", &["g", "d"], &["h"], &[("group", Attr::Int(32))])
        .with("q", &[8, 16, 1, 1]);
    check(net.node("Conv", &["h", "q"], &["y"], &[("group", Attr::Int(2))]).graph());
}

#[test]
fn of_linear_layers_and_constants_of_a_samples_shape() {
    let net = Net::new(2, 3, 4)
        .then("Flatten", &["v"], "f")
        .with("w", &[24, 7])
        .with("b", &[7])
        .then("Gemm", &["f", "w", "b"], "g")
        .with("c", &[1, 7])
        .then("Add", &["g", "c"], "s")
        .with("m", &[7, 5]);
    check(net.then("MatMul", &["s", "m"], "y").graph());
}

#[test]
fn of_parameters_that_several_nodes_read() {
    let net = Net::new(3, 4, 5)
        .with("w", &[3, 3, 3, 3])
        .with("c", &[3, 1, 1])
        .node("Conv", &["v", "w"], &["a"], &same())
        .then("Mul", &["a", "c"], "b")
        .node("Conv", &["b", "w"], &["d"], &same());
    check(net.then("Add", &["d", "c"], "y").graph());
}

#[test]
fn of_samples_that_see_each_other_are_refused() {
    let graph = Arc::new(Net::new(4, 6, 6).norm("v", "y", 4).graph());
    let mut training = Training::new(graph.clone(), graph.outputs(), |_| true).by_sample();
    let error = training.check(BATCH).expect_err("batch statistics mix samples").to_string();
    assert!(error.contains("cannot be told apart by sample"), "{error}");
}
