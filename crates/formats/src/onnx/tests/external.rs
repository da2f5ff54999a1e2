//! Data that lies in other files, or is said to.

use std::path::Path;

use super::*;

fn entry(key: &str, value: &str) -> Entry {
    Entry { key: key.to_owned(), value: value.to_owned() }
}

/// A model whose weights `w` (4 numbers) lie where `entries` say.
fn stored(entries: &[(&str, &str)]) -> Model {
    let outside = Tensor {
        raw_data: None,
        data_location: 1,
        external_data: entries.iter().map(|(key, value)| entry(key, value)).collect(),
        ..halves("w", &[4])
    };
    model(vec![node("Add", "x w", "y", &[])], vec![outside])
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let numbers: Vec<u8> = (0..8u8).flat_map(|k| f32::from(k).to_le_bytes()).collect();
    std::fs::write(folder.path().join("w.bin"), numbers).expect("it can be written");
    std::fs::create_dir(folder.path().join("deeper")).expect("it can be made");
    folder
}

fn read_in(folder: &Path, entries: &[(&str, &str)]) -> Result<Graph, String> {
    let bytes = stored(entries).encode_to_vec();
    decode(&bytes, Some(folder), &ReadOptions::default()).map_err(|error| error.to_string())
}

#[track_caller]
fn refused_in(folder: &Path, entries: &[(&str, &str)], part: &str) {
    let said = read_in(folder, entries).expect_err("it lies");
    assert!(said.contains("`w`: ") && said.contains(part), "expected `{part}` in:\n{said}");
}

#[test]
fn honest_places_are_read() {
    let folder = folder();
    for (entries, first) in [
        (vec![("location", "w.bin"), ("offset", "16"), ("length", "16")], 4.0),
        (vec![("location", "./w.bin"), ("offset", "16")], 4.0),
        (vec![("location", "w.bin"), ("length", "16")], 0.0),
    ] {
        let graph = read_in(folder.path(), &entries).expect("it is honest");
        let id = graph.find_value("w").expect("it is there");
        assert_eq!(graph.value(id).constant.as_ref().map(|c| c.data()[0]), Some(first));
    }
}

#[test]
fn places_outside_the_folder() {
    let folder = folder();
    let absolute = folder.path().join("w.bin");
    let absolute = absolute.to_str().expect("a plain path");
    for place in ["../w.bin", "deeper/../../w.bin", "deeper/../w.bin", absolute, "/etc/passwd", ""]
    {
        refused_in(folder.path(), &[("location", place)], "expected a place in the model's folder");
    }
}

#[test]
fn places_that_are_no_files() {
    let folder = folder();
    refused_in(folder.path(), &[("location", "missing.bin")], "external data at `missing.bin`: ");
    refused_in(folder.path(), &[("location", "deeper")], "`deeper`, which is no file");
    refused_in(folder.path(), &[("location", "w.bin\0")], "external data at `w.bin");
    refused_in(folder.path(), &[], "external data without a location");
}

#[test]
fn offsets_and_lengths_beyond_the_end() {
    let folder = folder();
    let at = |key, number| [("location", "w.bin"), (key, number)];
    let says = "external data at offset 33 of `w.bin`, which has 32 bytes";
    refused_in(folder.path(), &at("offset", "33"), says);
    refused_in(folder.path(), &at("offset", "18446744073709551615"), "offset 18446744073709551615");
    let says = "33 bytes of external data at offset 0 of `w.bin`, which has 32";
    refused_in(folder.path(), &at("length", "33"), says);
    refused_in(folder.path(), &at("length", "18446744073709551615"), "18446744073709551615 bytes");
    let both = [("location", "w.bin"), ("offset", "20"), ("length", "16")];
    refused_in(folder.path(), &both, "16 bytes of external data at offset 20");
}

#[test]
fn lengths_that_do_not_fit_the_shape() {
    let folder = folder();
    let says = "shape [4] needs 4 numbers of 4 bytes each, found 32 bytes";
    refused_in(folder.path(), &[("location", "w.bin")], says);
    let says = "shape [4] needs 4 numbers of 4 bytes each, found 8 bytes";
    refused_in(folder.path(), &[("location", "w.bin"), ("length", "8")], says);
}

#[test]
fn numbers_that_are_none() {
    let folder = folder();
    for number in ["-1", "1e3", "", "0x10", "99999999999999999999"] {
        for key in ["offset", "length"] {
            let says = format!("external data with {key} `{number}`, expected a number");
            refused_in(folder.path(), &[("location", "w.bin"), (key, number)], &says);
        }
    }
}

#[test]
fn a_model_without_a_folder_has_no_external_data() {
    refused(&stored(&[("location", "w.bin")]), &["`w`: external data, but the model did not come"]);
}

#[test]
fn unknown_locations() {
    let mut model = stored(&[]);
    model.graph.as_mut().expect("a graph").initializer[0].data_location = 2;
    refused(&model, &["`w`: data location 2 is not supported"]);
}
