//! Data that lies in other files, or is said to.

use std::path::Path;

use allocation_counter::measure;

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

#[cfg(unix)]
#[test]
fn links_out_of_the_folder() {
    use std::os::unix::fs::symlink;
    let (folder, other) = (folder(), folder());
    let link = |from: &Path, to: &str| symlink(from, folder.path().join(to)).expect("a link");
    link(&other.path().join("w.bin"), "file.bin");
    link(other.path(), "all");
    link(Path::new("w.bin"), "same.bin");
    for place in ["file.bin", "all/w.bin"] {
        let says = format!("external data at `{place}`, a symbolic link that leads out of");
        refused_in(folder.path(), &[("location", place)], &says);
    }
    let inside = read_in(folder.path(), &[("location", "same.bin"), ("length", "16")]);
    assert!(inside.is_ok(), "{inside:?}");
}

/// Bytes in a file of holes.
const HOLES: u64 = 1 << 24;

/// What comes of 400 arrays in one file of holes, at places and of lengths that depend on their
/// number, within a few times the length of the file.
fn many(place: impl Fn(u64) -> (&'static str, u64, u64)) -> Result<Graph, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = std::fs::File::create(folder.path().join("w.bin")).expect("a file");
    file.set_len(HOLES).expect("holes");
    let arrays = (0..400).map(|k| {
        let (location, offset, length) = place(k);
        let places = [("offset", offset.to_string()), ("length", length.to_string())];
        let places = places.iter().map(|(key, value)| entry(key, value));
        Tensor {
            raw_data: None,
            data_location: 1,
            external_data: places.chain([entry("location", location)]).collect(),
            dims: vec![length as i64 / 4],
            ..halves(&format!("w{k}"), &[0])
        }
    });
    let bytes = model(vec![node("Relu", "x", "y", &[])], arrays.collect()).encode_to_vec();
    let mut read = None;
    let made =
        measure(|| read = Some(decode(&bytes, Some(folder.path()), &ReadOptions::default())));
    assert!(made.bytes_max < 2 * HOLES, "{made:?}");
    read.expect("it was read").map_err(|error| error.to_string())
}

#[test]
fn one_place_is_read_once_for_all_its_arrays() {
    assert!(many(|_| ("w.bin", 0, HOLES)).is_ok());
    let shorter = HOLES / 400 / 4 * 4;
    assert!(many(|k| ("w.bin", k * shorter, shorter)).is_ok());
}

#[test]
fn arrays_that_overlap() {
    let says = "arrays overlap: together they take more than its 16777216 bytes";
    let refused = |place: fn(u64) -> (&'static str, u64, u64)| many(place).expect_err("too many");
    let said = refused(|k| ("w.bin", 4 * k, HOLES - 4 * k));
    assert!(said.contains("399 problems") && said.contains(says), "{said}");
    let said = refused(|k| (["w.bin", "./w.bin", "././w.bin"][k as usize % 3], 0, HOLES));
    assert!(said.contains("2 problems") && said.contains(says), "{said}");
    let said = refused(|k| ("w.bin", HOLES / 2 - 4 * k, HOLES / 2));
    assert!(said.contains("398 problems") && said.contains(says), "{said}");
}

#[test]
fn arrays_of_one_place_may_be_tied() {
    let folder = folder();
    let mut model = stored(&[("location", "w.bin"), ("length", "16")]);
    let graph = model.graph.as_mut().expect("a graph");
    graph.initializer.push(Tensor { name: "v".to_owned(), ..graph.initializer[0].clone() });
    graph.node = vec![node("Add", "x w", "a", &[]), node("Mul", "a v", "y", &[])];
    let read = decode(&model.encode_to_vec(), Some(folder.path()), &ReadOptions::default());
    let read = read.unwrap_or_else(|error| panic!("{error}"));
    let data = |name| read.value(read.find_value(name).expect("it is there")).constant.as_ref();
    assert!(Arc::ptr_eq(data("w").expect("constant"), data("v").expect("constant")));
    let named_twice = changed(model, |graph| graph.initializer[1].name = "w".to_owned());
    let said = decode(&named_twice.encode_to_vec(), Some(folder.path()), &ReadOptions::default());
    assert!(said.expect_err("refused").to_string().contains("`w`: the name is used twice"));
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
