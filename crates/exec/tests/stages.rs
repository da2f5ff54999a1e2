//! Few samples at a time in the wide part of a network: nothing but the time depends on it.

mod common;

use std::sync::Arc;

use brickwork_exec::{Fetched, Session};
use brickwork_graph::{Attr, Graph, ValueId};
use common::{Net, noise, value};

/// A network that gets narrow twice, with a sum and a join across each of the narrowings.
fn narrowing() -> Graph {
    let pool = [("kernel_shape", Attr::Ints(vec![2, 2])), ("strides", Attr::Ints(vec![2, 2]))];
    Net::new(3, 16, 16)
        .with("a.w", &[6, 3, 1, 1])
        .then("Conv", &["v", "a.w"], "a")
        .then("Relu", &["a"], "ra")
        .node("MaxPool", &["ra"], &["p"], &pool)
        .node("AveragePool", &["ra"], &["q"], &pool)
        .with("b.w", &[6, 6, 3, 3])
        .node("Conv", &["p", "b.w"], &["b"], &[("pads", Attr::Ints(vec![1; 4]))])
        .then("Add", &["q", "b"], "s")
        .node("MaxPool", &["s"], &["t"], &pool)
        .node("MaxPool", &["b"], &["u"], &pool)
        .node("Concat", &["t", "u"], &["c"], &[("axis", Attr::Int(1))])
        .then("GlobalAveragePool", &["c"], "g")
        .then("Flatten", &["g"], "y")
        .graph()
}

/// What a session fetches of a batch, in order.
fn found(session: &mut Session, batch: usize, images: &[f32]) -> Vec<(usize, Vec<f32>)> {
    let mut found = Vec::new();
    let observe = |index, value: Fetched<'_>| found.push((index, value.to_tensor().into_data()));
    session.run(batch, &[images], observe).expect("it runs");
    found.sort_by_key(|(index, _)| *index);
    found
}

#[test]
fn results_are_those_of_the_whole_batch() {
    let graph = Arc::new(narrowing());
    let ends: [&[&str]; 4] = [&["y"], &["c", "y"], &["s", "y"], &["ra", "y"]];
    for fetches in ends {
        let fetches: Vec<ValueId> = fetches.iter().map(|name| value(&graph, name)).collect();
        for cached in [1, 2_500, 7_000, 30_000] {
            let mut whole = Session::new(graph.clone(), &fetches).caching(0);
            let mut split = Session::new(graph.clone(), &fetches).caching(cached);
            for batch in [1, 2, 5, 7, 2] {
                let images = noise(batch * 3 * 16 * 16, batch);
                let expected = found(&mut whole, batch, &images);
                assert_eq!(expected, found(&mut split, batch, &images), "{cached}, {batch}");
            }
        }
    }
}

#[test]
fn every_node_is_timed_over_the_batch() {
    let graph = Arc::new(narrowing());
    let images = noise(6 * 3 * 16 * 16, 1);
    let timed = |cached| {
        let mut session = Session::new(graph.clone(), graph.outputs()).caching(cached);
        let ticks = std::cell::Cell::new(0.0);
        let clock = || ticks.replace(ticks.get() + 1.0);
        let times = session.timings(6, &images, clock).expect("it runs");
        times.into_iter().unzip::<_, _, Vec<String>, Vec<f64>>()
    };
    let (names, whole) = timed(0);
    assert!(whole.iter().all(|&ticks| ticks == 1.0));
    // As many samples at a time as fit, and more of them once values are smaller.
    for (cached, first, last) in [(2_500, 6.0, 2.0), (10_000, 2.0, 1.0)] {
        let (same, split) = timed(cached);
        assert_eq!(same, names);
        assert_eq!((split[0], split.last()), (first, Some(&last)), "{cached}: {split:?}");
    }
}
