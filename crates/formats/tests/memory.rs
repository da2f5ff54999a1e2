//! Where there is no memory, files are refused in words.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use brickwork_formats::onnx::{ReadOptions, decode, load};
use brickwork_formats::weights::swap;

/// Thousands of bytes of address space that the process has in which files are read.
const LIMIT: u64 = 1 << 20;

/// Runs the ignored test `name` in a process of its own that has no more memory than [`LIMIT`].
#[track_caller]
fn within_limit(name: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v $LIMIT && exec \"$0\" --exact $NAME --ignored --nocapture"]);
    command.arg(std::env::current_exe().expect("the test itself"));
    command.env("LIMIT", LIMIT.to_string()).env("NAME", name).env("FOLDER", folder.path());
    let done = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{done:?}");
}

/// A file of holes in the folder of the test.
fn holes(name: &str, bytes: u64) -> PathBuf {
    let folder = std::env::var_os("FOLDER").expect("set by the test that starts the process");
    let path = Path::new(&folder).join(name);
    File::create(&path).and_then(|file| file.set_len(bytes)).expect("holes");
    path
}

fn plain() -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/onnx/plain.onnx");
    std::fs::read(folder).expect("a model")
}

#[test]
fn models_beyond_memory() {
    within_limit("a_large_model");
}

#[test]
#[ignore = "what `models_beyond_memory` does in a process of its own"]
fn a_large_model() {
    // The second can be read but not decoded.
    for (bytes, needs) in [((1 << 31) - 1, "needs 2147483647"), (600 << 20, "it needs 629145600")] {
        let path = holes("model.onnx", bytes);
        let said = load(&path, &ReadOptions::default()).expect_err("too large").to_string();
        let says = format!("model.onnx: {needs} bytes of memory, which could not be had");
        assert!(said.ends_with(&says), "{said}");
    }
}

#[test]
fn weights_beyond_memory() {
    within_limit("large_weights");
}

#[test]
#[ignore = "what `weights_beyond_memory` does in a process of its own"]
fn large_weights() {
    let graph = decode(&plain(), None, &ReadOptions::default()).expect("it loads");
    let path = holes("w.safetensors", 1 << 32);
    let said = swap(&graph, &path).expect_err("too large").to_string();
    let says = "needs 4294967296 bytes of memory, which could not be had";
    assert!(said.contains("w.safetensors") && said.ends_with(says), "{said}");
}

#[test]
fn external_data_beyond_memory() {
    within_limit("large_external_data");
}

#[test]
#[ignore = "what `external_data_beyond_memory` does in a process of its own"]
fn large_external_data() {
    let path = holes("w.bin", 1 << 32);
    // An initializer of 2^30 float32 numbers that lie there: dims, type, name, place.
    let place = [&[0x0a, 8][..], b"location", &[0x12, 5], b"w.bin"].concat();
    let array =
        [&[8, 128, 128, 128, 128, 4, 16, 1, 0x42, 1], &b"w"[..], &[0x6a, 17], &place, &[0x70, 1]];
    let array = array.concat();
    let graph = [&[0x2a, array.len() as u8][..], &array].concat();
    // Fields of a message follow each other: the graph is the one of the seed and this array.
    let model = [plain(), [&[0x3a, graph.len() as u8][..], &graph].concat()].concat();
    let said = decode(&model, path.parent(), &ReadOptions::default()).expect_err("too large");
    let says = "`w`: it needs 4294967296 bytes of memory, which could not be had";
    assert!(said.to_string().contains(says), "{said}");
}
