//! What is written is what was read: the architecture zoo, without its weights.

use brickwork_formats::onnx::{ReadOptions, decode, encode};
use brickwork_graph::Graph;

/// Reads a model, writes it twice and reads it again.
fn there_and_back(name: &str) {
    let path = format!("{}/../../fixtures/zoo/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let read = |bytes: &[u8]| -> Graph {
        decode(bytes, None, &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
    };
    let graph = read(&bytes);
    let written = encode(&graph).expect("it can be written");
    assert!(written == encode(&graph).expect("again"), "writing {name} is not deterministic");
    let again = read(&written);
    assert_eq!(again.to_string(), graph.to_string(), "{name} reads differently");
    assert_eq!(again.metadata(), graph.metadata());
    assert_eq!((again.parameters(), again.macs()), (graph.parameters(), graph.macs()));
    assert!(written == encode(&again).expect("once more"), "{name} is written differently");
}

#[test]
fn squeezenet() {
    there_and_back("squeezenet1_1");
}

#[test]
fn mobilenet() {
    there_and_back("mobilenet_v3_small");
}

#[test]
fn shufflenet() {
    there_and_back("shufflenet_v2_x1_0");
}

#[test]
fn resnet() {
    there_and_back("resnet18");
}

#[test]
fn googlenet() {
    there_and_back("googlenet");
}
