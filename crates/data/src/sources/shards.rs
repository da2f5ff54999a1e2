//! WebDataset: tar archives of images, each beside a file of the same name with its label.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tar::Archive;

use super::files;
use super::labelled::Labelled;
use crate::error::DataError;
use crate::samples::{Found, ImageFile};
use crate::split::Split;

/// No label is longer than this, in bytes.
const LONGEST_LABEL: u64 = 1 << 20;

/// Fields of a JSON file that hold the label.
const FIELDS: [&str; 5] = ["label", "cls", "class", "class_name", "target"];

/// Whether a name is that of a shard.
pub(super) fn is_name(name: &str) -> bool {
    files::has_ending(name, &["tar"])
}

/// Opens shards. The parts they are of are told by their names, such as `train-0000.tar`.
pub(super) fn open(
    path: &Path,
    shards: impl IntoIterator<Item = PathBuf>,
    split: Option<Split>,
) -> Result<Found, DataError> {
    let mut found = Labelled::default();
    for shard in shards {
        let name = shard.file_name().map(|name| name.to_string_lossy().into_owned());
        let part = Split::of_name(&name.unwrap_or_default());
        for (image, label) in index(&shard)? {
            found.add(part, image, vec![label]);
        }
    }
    found.choose("WebDataset shards", path, split)
}

/// The images of a shard with their labels, in its order. Images themselves are passed over.
fn index(shard: &Path) -> Result<Vec<(ImageFile, String)>, DataError> {
    let failed = |error| DataError::io(shard, error);
    let archive: Arc<Path> = shard.into();
    let mut file = Archive::new(BufReader::new(File::open(shard).map_err(failed)?));
    let mut images: Vec<(String, ImageFile)> = Vec::new();
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for entry in file.entries_with_seek().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(failed)?.to_string_lossy().into_owned();
        let Some((key, ending)) = split_key(&name) else { continue };
        let (key, ending) = (key.to_owned(), ending.to_lowercase());
        let named = format!("image.{ending}");
        if files::is_any_image_name(&named) {
            let (offset, length) = (entry.raw_file_position(), entry.size());
            let image = ImageFile::Entry { archive: archive.clone(), name, offset, length };
            images.push((key, image));
        } else if matches!(&ending[..], "cls" | "json") {
            let mut text = String::new();
            entry.by_ref().take(LONGEST_LABEL).read_to_string(&mut text).map_err(failed)?;
            labels.extend(label(&ending, &text).map(|label| (key, label)));
        }
    }
    let mut lost = Vec::new();
    let mut found = Vec::new();
    for (key, image) in images {
        match labels.get(&key) {
            Some(label) => found.push((image, label.clone())),
            None => lost.push(key),
        }
    }
    match lost.first() {
        None => Ok(found),
        Some(key) if found.is_empty() && key.contains('/') => Err(DataError::malformed(
            shard.display().to_string(),
            "holds images in folders and no labels beside them; unpack it and open the folder",
        )),
        Some(key) => Err(DataError::malformed(
            shard.display().to_string(),
            format!(
                "{} images have no label, the first is {key}; each needs a file of its name that ends in \
                 .cls, or in .json with a field `label`",
                lost.len()
            ),
        )),
    }
}

/// The key and the ending of an entry's name: what stands before and behind the first dot of its file's
/// name.
fn split_key(name: &str) -> Option<(&str, &str)> {
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = start + name[start..].find('.')?;
    // A dot in front hides a file.
    (dot > start).then(|| (&name[..dot], &name[dot + 1..]))
}

/// The label that a file holds.
fn label(ending: &str, text: &str) -> Option<String> {
    if ending == "cls" {
        return Some(text.trim().to_owned()).filter(|label| !label.is_empty());
    }
    let value: Value = serde_json::from_str(text).ok()?;
    match FIELDS.iter().find_map(|field| value.get(field))? {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use crate::sources::fixtures::{self, file};
    use tempfile::TempDir;

    fn shard(folder: &TempDir, name: &str, entries: &[(&str, &[u8])]) -> PathBuf {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, name, *bytes).expect("entry");
        }
        file(folder, name, &archive.into_inner().expect("archive"))
    }

    #[test]
    fn images_meet_their_labels() {
        let folder = fixtures::folder();
        let (first, second) = (fixtures::png(4, 4, 1), fixtures::png(4, 4, 2));
        let json = br#"{"label": "owl", "score": 1}"#;
        let train: [(&str, &[u8]); 5] = [
            ("a/0.png", &first),
            ("a/0.cls", b"cat\n"),
            ("a/1.json", json),
            ("a/1.png", &second),
            ("a/1.txt", b"about"),
        ];
        shard(&folder, "set/train-000.tar", &train);
        shard(&folder, "set/test-000.tar", &[("7.png", &first), ("7.cls", b"cat")]);
        let path = folder.path().join("set");
        let data = Dataset::open(&path, Some(Split::Train)).expect("opens");
        assert_eq!(
            (data.classes(), data.labels()),
            (&["cat".into(), "owl".into()][..], &[0, 1][..])
        );
        let pixels = data.image(1).expect("decodes").pixels().clone();
        assert_eq!(pixels, crate::Pixels::U8([2, 1, 0].repeat(16)));
        assert!(data.place(1).ends_with("train-000.tar/a/1.png"));
        assert_eq!(Dataset::open(&path, Some(Split::Test)).expect("opens").labels(), [0]);
        assert_eq!(Dataset::open(path.join("test-000.tar"), None).expect("opens").len(), 1);
    }

    #[test]
    fn images_without_labels_are_named() {
        let folder = fixtures::folder();
        let image = fixtures::png(4, 4, 1);
        let path =
            shard(&folder, "x.tar", &[("0.png", &image), ("1.png", &image), ("1.cls", b"3")]);
        let error = Dataset::open(path, None).expect_err("refused").to_string();
        assert!(error.contains("1 images have no label, the first is 0"), "{error}");
        let path = shard(&folder, "z.tar", &[("set/a/0.png", &image), ("set/b/1.png", &image)]);
        let error = Dataset::open(path, None).expect_err("refused").to_string();
        assert!(error.contains("unpack it and open the folder"), "{error}");
        let broken = file(&folder, "y.tar", &[7; 600]);
        assert!(Dataset::open(broken, None).is_err());
    }

    #[test]
    fn keys_end_at_the_first_dot() {
        assert_eq!(split_key("a.b/c.d.png"), Some(("a.b/c", "d.png")));
        assert_eq!(split_key("c.png"), Some(("c", "png")));
        assert_eq!((split_key("none"), split_key(".hidden")), (None, None));
    }
}
