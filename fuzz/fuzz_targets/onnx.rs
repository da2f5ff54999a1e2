//! Any bytes: refused in words, or a graph that can be written, read again, run and analysed.
#![no_main]

mod mutate;
#[allow(dead_code)]
#[path = "../../crates/formats/src/onnx/proto.rs"]
mod proto;

use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_formats::onnx::{ReadOptions, decode, encode};
use brickwork_graph::{Channels, Dim, Graph, groups, why};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match mutate::mutated(&data[..size], seed) {
        Some(bytes) if bytes.len() <= max_size => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    match decode(bytes, None, &ReadOptions::default()) {
        // Only models that load are changed further: the next change is the one that matters.
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Corpus::Reject;
        }
        Ok(graph) if is_small(&graph) => check(graph),
        Ok(_) => {}
    }
    Corpus::Keep
});

fn is_small(graph: &Graph) -> bool {
    let elements: usize = graph.values().iter().map(|value| value.shape.sample_volume()).sum();
    elements < 1_000_000 && graph.steps() < 10_000_000
}

fn check(graph: Graph) {
    let bytes = encode(&graph).expect("a small graph can be written");
    let again = match decode(&bytes, None, &ReadOptions::default()) {
        Ok(again) => again,
        Err(error) => panic!("what was written is refused: {error}\n{graph}"),
    };
    assert_eq!(again.to_string(), graph.to_string(), "what was written reads differently");

    let graph = Arc::new(graph);
    let once = run(&graph, 1);
    let same_again = match (&once, &run(&Arc::new(again), 1)) {
        (Some(once), Some(again)) => once.iter().zip(again).all(|(a, b)| same(a, b)),
        (once, again) => once.is_some() == again.is_some(),
    };
    assert!(same_again, "what was written computes something else\n{graph}");
    let twice = run(&graph, 2);
    assert_eq!(once.is_some(), twice.is_some(), "a batch of two fails, but not of one");
    if let (Some(once), Some(twice)) = (once, twice) {
        samples_are_independent(&graph, &once, &twice);
    }

    let channels = Channels::of(&graph);
    groups(&graph, &channels);
    for &output in graph.outputs() {
        why(&graph, &channels, output);
    }
}

/// The outputs for a batch that repeats one sample, unless a node cannot run.
fn run(graph: &Arc<Graph>, batch: usize) -> Option<Vec<Vec<f32>>> {
    let sample = |len: usize| (0..len).map(|k| (k * 37 % 101) as f32 / 50.0 - 1.0);
    let feeds: Vec<Vec<f32>> = graph
        .inputs()
        .iter()
        .map(|&input| {
            let len = graph.value(input).shape.sample_volume();
            (0..batch).flat_map(|_| sample(len)).collect()
        })
        .collect();
    let feeds: Vec<&[f32]> = feeds.iter().map(Vec::as_slice).collect();
    let mut outputs = vec![Vec::new(); graph.outputs().len()];
    let mut session = Session::new(graph.clone(), graph.outputs());
    session
        .run(batch, &feeds, |index, value| outputs[index] = value.to_tensor().into_data())
        .ok()?;
    Some(outputs)
}

/// A sample's result does not depend on its neighbours, to the last bit.
fn samples_are_independent(graph: &Graph, once: &[Vec<f32>], twice: &[Vec<f32>]) {
    for ((&output, once), twice) in graph.outputs().iter().zip(once).zip(twice) {
        let value = graph.value(output);
        assert_eq!(twice.len(), 2 * once.len(), "size of `{}`", value.name);
        if let Some(Dim::Batch(_)) = value.shape.0.first() {
            let (first, second) = twice.split_at(once.len());
            let equal = same(first, once) && same(second, once);
            assert!(equal, "`{}` mixes samples\n{graph}", value.name);
        }
    }
}

/// Equal to the last bit, but for what kind of NaN a NaN is.
fn same(a: &[f32], b: &[f32]) -> bool {
    let equal = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    a.len() == b.len() && a.iter().zip(b).all(equal)
}
