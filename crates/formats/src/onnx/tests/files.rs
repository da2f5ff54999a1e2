//! Bytes that are no model, or half of one.

use super::*;

const PLAIN: &[u8] = include_bytes!("../../../../../fuzz/seeds/onnx/plain.onnx");

fn said(bytes: &[u8]) -> String {
    match decode(bytes, None, &ReadOptions::default()) {
        Ok(graph) => panic!("it loads:\n{graph}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn text_is_no_model() {
    assert!(said(b"PK\x03\x04 this is no model").starts_with("model: not a readable file: "));
}

#[test]
fn nothing_is_no_model() {
    assert_eq!(said(b""), "model: not a readable file: it holds no graph");
}

#[test]
fn a_model_without_a_graph() {
    let model = Model { graph: None, ..model(vec![], vec![]) };
    refused(&model, &["it holds no graph"]);
}

#[test]
fn every_prefix_of_a_model_is_refused_or_the_same_model() {
    let whole = decode(PLAIN, None, &ReadOptions::default()).expect("it loads").to_string();
    for end in 0..PLAIN.len() {
        if let Ok(graph) = decode(&PLAIN[..end], None, &ReadOptions::default()) {
            assert_eq!(graph.to_string(), whole, "cut at {end}");
        }
    }
    assert!(said(&PLAIN[..PLAIN.len() / 2]).contains("not a readable file"));
}

#[test]
fn any_byte_may_be_any_other() {
    let mut bytes = PLAIN.to_vec();
    for at in 0..bytes.len() {
        for other in [0x00, 0x01, 0x7f, 0x80, 0xff, PLAIN[at] ^ 0x10] {
            bytes[at] = other;
            if let Ok(graph) = decode(&bytes, None, &ReadOptions::default()) {
                let written = encode(&graph).expect("it can be written");
                let again =
                    decode(&written, None, &ReadOptions::default()).expect("it can be read");
                assert_eq!(again.to_string(), graph.to_string());
            }
        }
        bytes[at] = PLAIN[at];
    }
}

#[test]
fn operator_sets_outside_7_to_28() {
    let plain = || model(vec![node("Relu", "x", "y", &[])], vec![]);
    refused(&at_opset(plain(), 6), &["operator set 6 is not supported, expected 7 to 28"]);
    refused(&at_opset(plain(), 29), &["operator set 29 is not supported, expected 7 to 28"]);
    refused(&Model { opset_import: vec![], ..plain() }, &["operator set 1 is not supported"]);
    assert!(read(&at_opset(plain(), 7)).is_ok());
    assert!(read(&at_opset(plain(), 28)).is_ok());
}

#[test]
fn nested_messages_cannot_exhaust_the_stack() {
    // graph { node { attribute { g { node { attribute { g { ...
    let mut nested = Vec::new();
    for _ in 0..2_000 {
        nested = field(1, &field(5, &field(6, &nested)));
    }
    assert!(said(&field(7, &nested)).contains("operator set"));
    // Groups are the one thing a protobuf reader has to walk while it skips them.
    let groups = [13 << 3 | 3].repeat(1_000_000);
    assert!(said(&groups).contains("recursion limit"));
    assert!(said(&field(7, &groups)).contains("recursion limit"));
}

#[test]
fn a_length_beyond_the_end() {
    let mut bytes = vec![7 << 3 | 2];
    prost::encoding::encode_varint(u64::MAX, &mut bytes);
    assert!(said(&bytes).contains("not a readable file"));
}

#[test]
fn a_file_that_is_missing_is_named() {
    let missing = std::path::Path::new("nowhere/missing.onnx");
    let error = crate::onnx::load(missing, &ReadOptions::default()).expect_err("it is missing");
    assert!(error.to_string().starts_with("cannot read nowhere/missing.onnx: "));
}

#[test]
fn a_file_beyond_two_gibibytes_is_not_even_read() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.as_file().set_len(1 << 31).expect("a sparse file");
    let error = crate::onnx::load(file.path(), &ReadOptions::default()).expect_err("too large");
    assert!(error.to_string().contains("it has 2147483648 bytes, but an ONNX file ends below"));
}

#[test]
fn the_seeds_of_the_fuzz_target_survive() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/onnx");
    let seeds: Vec<_> = std::fs::read_dir(folder).expect("the folder exists").flatten().collect();
    assert!(seeds.len() >= 9);
    for seed in seeds {
        let bytes = std::fs::read(seed.path()).expect("it can be read");
        survives(&Model::decode(bytes.as_slice()).expect("it is a model"));
    }
}
