//! Where there is no memory, data are refused in words.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{BufWriter, Read, Write, repeat};
use std::path::PathBuf;
use std::process::Command;

use brickwork_data::Dataset;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Thousands of bytes of address space that the process has in which data are opened.
const LIMIT: u64 = 1 << 19;

/// Opens the data at `path` in a process of its own that has no more memory than [`LIMIT`]; it must
/// say `says`.
#[track_caller]
fn refused_within_limit(path: PathBuf, says: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v $LIMIT && exec \"$0\" --exact opening --ignored"]);
    command.arg(std::env::current_exe().expect("the test itself"));
    command.env("LIMIT", LIMIT.to_string()).env("DATA", path).env("SAYS", says);
    let done = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{done:?}");
}

#[test]
#[ignore = "what the other tests do in a process of its own"]
fn opening() {
    let of = |name| std::env::var(name).expect("set by the test that starts the process");
    let error = Dataset::open(of("DATA"), None).expect_err("it is too large").to_string();
    assert!(error.ends_with(&of("SAYS")), "{error}");
}

#[test]
fn packed_arrays_beyond_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("set.npz");
    let mut writer = ZipWriter::new(BufWriter::new(File::create(&path).expect("a file")));
    for (name, shape, bytes) in
        [("images", "655360, 32, 32", 655_360 << 10), ("labels", "655360,", 655_360)]
    {
        writer.start_file(format!("{name}.npy"), SimpleFileOptions::default()).expect("entry");
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape})}}");
        let length = (header.len() as u16).to_le_bytes();
        let start = [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes()].concat();
        writer.write_all(&start).expect("a header");
        std::io::copy(&mut repeat(0).take(bytes), &mut writer).expect("an array of zeros");
    }
    writer.finish().expect("an archive").flush().expect("it is written");
    let says = "set.npz, images: needs 671088640 bytes of memory, which could not be had";
    refused_within_limit(path, says);
}

#[test]
fn files_beyond_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("test_batch.bin");
    File::create(&path).and_then(|file| file.set_len(3073 << 20)).expect("holes");
    refused_within_limit(path, "needs 3222274048 bytes of memory, which could not be had");
}
