//! Any bytes as new weights: refused in words, or a graph that can be written, read and run.
#![no_main]

use std::sync::{Arc, LazyLock};

use brickwork_exec::Session;
use brickwork_formats::onnx::{ReadOptions, decode, encode};
use brickwork_formats::weights::swap_bytes;
use brickwork_graph::Graph;
use libfuzzer_sys::fuzz_target;

static GRAPH: LazyLock<Graph> = LazyLock::new(|| {
    let model = include_bytes!("../seeds/onnx/plain.onnx");
    decode(model, None, &ReadOptions::default()).expect("the model is valid")
});

fuzz_target!(|bytes: &[u8]| {
    let patch = match swap_bytes(&GRAPH, bytes) {
        Err(error) => return assert!(!error.to_string().is_empty()),
        Ok(patch) => patch,
    };
    let graph = Arc::new(patch.apply(&GRAPH).expect("weights of the same shape fit"));
    assert_eq!(graph.to_string(), GRAPH.to_string(), "new weights change the structure");
    let written = encode(&graph).expect("a small graph can be written");
    let again = decode(&written, None, &ReadOptions::default()).expect("it can be read again");
    assert_eq!(again.to_string(), graph.to_string(), "what was written reads differently");
    let feed = vec![0.5; graph.value(graph.inputs()[0]).shape.sample_volume()];
    let mut session = Session::new(graph.clone(), graph.outputs());
    session.outputs(1, &feed).expect("the graph runs");
});
