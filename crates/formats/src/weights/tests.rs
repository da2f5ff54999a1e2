//! Weight files that lie.

use super::*;
use crate::onnx::{ReadOptions, decode};

fn graph() -> Graph {
    let bytes = include_bytes!("../../../../fuzz/seeds/onnx/plain.onnx");
    decode(bytes, None, &ReadOptions::default()).expect("it loads")
}

/// A file with this header and `len` bytes of data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// The header entry of one array.
fn entry(name: &str, dtype: &str, shape: &[usize], from: usize, to: usize) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{from},{to}]}}"#)
}

/// A file with one array of zeros.
fn one(name: &str, dtype: &str, shape: &[usize], bytes: usize) -> Vec<u8> {
    file(&format!("{{{}}}", entry(name, dtype, shape, 0, bytes)), &vec![0; bytes])
}

#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    let said = match swap_bytes(&graph(), bytes) {
        Ok(_) => panic!("it is taken"),
        Err(error) => error.to_string(),
    };
    assert!(said.contains(part), "expected `{part}` in:\n{said}");
}

/// The first number of a constant after the swap.
fn swapped(bytes: &[u8], name: &str) -> Tensor {
    let graph = graph();
    let patch = swap_bytes(&graph, bytes).unwrap_or_else(|error| panic!("{error}"));
    let graph = patch.apply(&graph).unwrap_or_else(|error| panic!("{error}"));
    let id = graph.find_value(name).expect("it is there");
    graph.value(id).constant.as_deref().expect("it is a constant").clone()
}

#[test]
fn headers_that_are_none() {
    refused(b"", "not a readable file: ");
    refused(b"short", "not a readable file: ");
    refused(&[0xff; 64], "not a readable file: ");
    refused(&file("", b""), "not a readable file: ");
    refused(&file("{\"w", b""), "not a readable file: ");
    refused(&file("[1, 2]", b""), "not a readable file: ");
    refused(&file("{\"w\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,0]}}", b""), "F31");
    refused(&file(&"[".repeat(100_000), b""), "not a readable file: ");
    refused(&file(&"{\"a\":".repeat(100_000), b""), "not a readable file: ");
    let long = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    refused(&long, "not a readable file: ");
    let beyond = [&100u64.to_le_bytes()[..], b"{}"].concat();
    refused(&beyond, "not a readable file: ");
}

#[test]
fn every_prefix_is_refused() {
    let whole = one("b1", "F32", &[4], 16);
    for end in 0..whole.len() {
        refused(&whole[..end], "not a readable file: ");
    }
}

#[test]
fn offsets_that_overlap_leave_gaps_or_run_backwards() {
    let two = |a: (usize, usize), b: (usize, usize)| {
        let entries = [entry("b1", "F32", &[4], a.0, a.1), entry("b2", "F32", &[3], b.0, b.1)];
        file(&format!("{{{}}}", entries.join(",")), &[0; 28])
    };
    assert!(swap_bytes(&graph(), &two((0, 16), (16, 28))).is_ok());
    for (a, b) in
        [((0, 16), (12, 24)), ((0, 16), (0, 12)), ((4, 20), (20, 32)), ((0, 16), (20, 32))]
    {
        refused(&two(a, b), "not a readable file: ");
    }
    refused(&file(&format!("{{{}}}", entry("b1", "F32", &[4], 16, 0)), &[0; 16]), "not a readable");
    refused(&file(&format!("{{{}}}", entry("b1", "F32", &[4], 0, 16)), &[0; 15]), "not a readable");
    refused(&file(&format!("{{{}}}", entry("b1", "F32", &[4], 0, 16)), &[0; 17]), "not a readable");
    refused(&file(&format!("{{{}}}", entry("b1", "F32", &[4], 0, 12)), &[0; 12]), "not a readable");
}

#[test]
fn shapes_and_offsets_that_overflow() {
    let huge = |shape: &[usize]| one("b1", "F32", shape, 16);
    refused(&huge(&[usize::MAX, usize::MAX]), "not a readable file: ");
    refused(&huge(&[usize::MAX]), "not a readable file: ");
    refused(&huge(&[1 << 62, 4]), "not a readable file: ");
    // Each part is possible, the sum is not.
    let part = (1usize << 61) - 1;
    let mut entries: Vec<String> =
        (0..8).map(|k| entry(&format!("w{k}"), "U8", &[part], k * part, (k + 1) * part)).collect();
    entries.push(entry("w8", "U8", &[7], 8 * part, 8 * part + 7));
    refused(&file(&format!("{{{}}}", entries.join(",")), &[]), "not a readable file: ");
}

#[test]
fn names_full_of_digits_are_fine() {
    let name = "9".repeat(40);
    let entries = [entry(&name, "F32", &[4], 0, 16), entry("a\\\"1", "F32", &[0], 16, 16)];
    refused(&file(&format!("{{{}}}", entries.join(",")), &[0; 16]), "no name matches");
}

#[test]
fn no_matching_names() {
    let said = "no name matches: the model has `w1`, `b1`, `s`, the file `conv.weight`";
    refused(&one("conv.weight", "F32", &[4], 16), said);
    refused(&file("{}", b""), "no name matches: the model has `w1`, `b1`, `s`, the file ``");
}

#[test]
fn wrong_types_and_shapes_are_all_listed() {
    let entries = [
        entry("b1", "F64", &[4], 0, 32),
        entry("s", "I32", &[4], 32, 48),
        entry("w2", "F32", &[2, 6], 48, 96),
        entry("b2", "F32", &[3, 1], 96, 108),
    ];
    let bytes = file(&format!("{{{}}}", entries.join(",")), &[0; 108]);
    refused(&bytes, "4 problems in the model");
    refused(&bytes, "`b1`: data type F64, expected F32, F16 or BF16");
    refused(&bytes, "`s`: data type I32, expected F32, F16 or BF16");
    refused(&bytes, "`w2`: shape [2, 6], expected [3, 4]");
    refused(&bytes, "`b2`: shape [3, 1], expected [3]");
}

#[test]
fn empty_arrays_are_of_another_shape() {
    refused(&one("b1", "F32", &[0], 0), "`b1`: shape [0], expected [4]");
    refused(&one("b1", "F32", &[0, 1 << 40, 1 << 20], 0), "expected [4]");
}

#[test]
fn nan_and_infinite_weights() {
    for strange in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let header = format!("{{{}}}", entry("b1", "F32", &[4], 0, 16));
        let data = [0.5, strange, 0.5, 0.5].map(f32::to_le_bytes).concat();
        refused(&file(&header, &data), "`b1`: it holds NaN or infinite numbers");
    }
    let header = format!("{{{}}}", entry("b1", "F16", &[4], 0, 8));
    refused(&file(&header, &[0xff; 8]), "`b1`: it holds NaN or infinite numbers");
}

#[test]
fn all_real_types_are_read_and_matrices_may_be_transposed() {
    let header = |dtype: &str, bytes: usize| format!("{{{}}}", entry("b1", dtype, &[4], 0, bytes));
    for (dtype, half) in [("F32", &[0, 0, 0, 0x3f][..]), ("F16", &[0, 0x38]), ("BF16", &[0, 0x3f])]
    {
        let data = half.repeat(4);
        assert_eq!(swapped(&file(&header(dtype, data.len()), &data), "b1").data(), [0.5; 4]);
    }
    let header = format!("{{{}}}", entry("w2", "F32", &[4, 3], 0, 48));
    let data: Vec<u8> = (0..12u8).flat_map(|k| f32::from(k).to_le_bytes()).collect();
    let new = swapped(&file(&header, &data), "w2");
    assert_eq!((new.shape(), &new.data()[..4]), (&[3, 4][..], &[0.0, 3.0, 6.0, 9.0][..]));
}

#[test]
fn a_missing_file_is_named() {
    let error = swap(&graph(), Path::new("nowhere/w.safetensors")).expect_err("it is missing");
    assert!(error.to_string().starts_with("cannot read nowhere/w.safetensors: "));
}
