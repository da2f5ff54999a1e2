//! The kinds of data, and how to tell them apart.

mod arrays;
mod cifar;
mod cifar_names;
pub(crate) mod decode;
mod files;
#[cfg(test)]
pub(crate) mod fixtures;
mod held;
mod idx;
mod idx_folder;
mod jpeg;
mod labelled;
mod listed;
mod npy;
mod npz;
#[cfg(feature = "parquet")]
mod parquet;
mod parts;
mod shards;
mod stream;
mod tensors;
mod tree;

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::samples::{Found, ImageFile};
use crate::split::Split;
use files::Entry;

pub use held::ImageArray;
pub(crate) use held::open as held;
pub use npz::whole_arrays;

/// Reads what is at `path`.
pub(crate) fn open(path: &Path, split: Option<Split>) -> Result<Found, DataError> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => open_folder(path, split),
        Ok(meta) => open_file(path, meta.len(), split),
        Err(error) if error.kind() == ErrorKind::NotFound => open_prefix(path, error, split),
        Err(error) => Err(DataError::io(path, error)),
    }
}

/// Opens a folder. Where it holds one folder that looks like that of a single class, or like nothing, but which
/// holds data of several classes itself, it is that one.
fn open_folder(path: &Path, split: Option<Split>) -> Result<Found, DataError> {
    let entries = files::list(path)?;
    let folders: Vec<&Entry> = entries.iter().filter(|entry| entry.is_folder).collect();
    if let [wrapper] = folders[..] {
        let single = match open_listed(path, &entries, None) {
            Ok(found) => found.classes.len() == 1,
            Err(error) => matches!(error, DataError::Unrecognised { .. }),
        };
        // What cannot be opened as a data set of its own is a folder of images.
        match single.then(|| open_folder(&wrapper.path, split)) {
            Some(Ok(inner)) if inner.classes.len() > 1 => return Ok(inner),
            Some(Err(missing @ DataError::NoSplit { .. })) => return Err(missing),
            _ => {}
        }
    }
    open_listed(path, &entries, split)
}

/// Opens a folder with these entries.
fn open_listed(path: &Path, entries: &[Entry], split: Option<Split>) -> Result<Found, DataError> {
    if let Some(found) = open_records(path, entries, split)? {
        return Ok(found);
    }
    if npz::is_folder(entries) {
        return arrays::open(path, &mut npz::Folder::new(path, entries), split);
    }
    let shards: Vec<&Entry> = entries.iter().filter(|entry| shards::is_name(&entry.name)).collect();
    if !shards.is_empty() {
        return shards::open(path, shards.into_iter().map(|entry| entry.path.clone()), split);
    }
    let tables: Vec<&Entry> = entries.iter().filter(|entry| is_parquet(&entry.name)).collect();
    if !tables.is_empty() {
        return open_parquet(path, tables.into_iter().map(|entry| entry.path.clone()), split);
    }
    let mut inner = Vec::new();
    for entry in entries.iter().filter(|entry| entry.is_folder) {
        let listed = files::list(&entry.path)?;
        if cifar::is_in(&listed) || idx_folder::is_in(&listed)? {
            inner.push((entry, listed));
        }
    }
    match inner.as_slice() {
        [] => open_images(path, entries, split)?
            .ok_or_else(|| DataError::Unrecognised { path: path.into(), found: summary(entries) }),
        [(entry, listed)] => open_records(&entry.path, listed, split)?
            .ok_or_else(|| DataError::Empty { place: entry.path.display().to_string() }),
        several => Err(DataError::Several {
            path: path.into(),
            sets: several.iter().map(|(entry, _)| entry.name.clone()).collect(),
        }),
    }
}

fn is_parquet(name: &str) -> bool {
    files::has_ending(name, &["parquet"])
}

#[cfg(feature = "parquet")]
use parquet::open as open_parquet;

#[cfg(not(feature = "parquet"))]
fn open_parquet(
    path: &Path,
    _: impl IntoIterator<Item = PathBuf>,
    _: Option<Split>,
) -> Result<Found, DataError> {
    let problem = "holds Parquet files, which are read by a build with them: cargo install with \
                   --features parquet";
    Err(DataError::malformed(path.display().to_string(), problem))
}

/// Image files in folders of classes, or else by a table that lists them: folders of one class alone may
/// be those of all images.
fn open_images(
    path: &Path,
    entries: &[Entry],
    split: Option<Split>,
) -> Result<Option<Found>, DataError> {
    let classes = tree::open(path, entries, split);
    if matches!(&classes, Ok(Some(found)) if found.classes.len() > 1) {
        return classes;
    }
    match listed::open_folder(path, entries, split)? {
        Some(found) => Ok(Some(found)),
        None => classes,
    }
}

/// The CIFAR or IDX files of a folder, if it has any.
fn open_records(
    path: &Path,
    entries: &[Entry],
    split: Option<Split>,
) -> Result<Option<Found>, DataError> {
    if cifar::is_in(entries) {
        return cifar::open_folder(path, entries, split).map(Some);
    }
    let files = idx_folder::find(entries, "")?;
    if files.is_empty() { Ok(None) } else { idx_folder::open(path, files, "", split).map(Some) }
}

/// A path that does not exist may be a folder and the start of the names of IDX files in it.
fn open_prefix(path: &Path, missing: Error, split: Option<Split>) -> Result<Found, DataError> {
    if let (Some(folder), Some(start)) = (path.parent(), path.file_name()) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if folder.is_dir() {
            let start = start.to_string_lossy();
            let files = idx_folder::find(&files::list(folder)?, &start)?;
            if !files.is_empty() {
                return idx_folder::open(folder, files, &start, split);
            }
        }
    }
    Err(DataError::io(path, missing))
}

fn open_file(path: &Path, length: u64, split: Option<Split>) -> Result<Found, DataError> {
    let start = files::start(path)?;
    match start.as_slice() {
        [b'P', b'A', b'R', b'1', ..] => open_parquet(path, [path.to_owned()], split),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => arrays::open(path, &mut npz::Npz::open(path)?, split),
        [size @ .., b'{'] if size.len() == 8 => {
            arrays::open(path, &mut tensors::Tensors::open(path)?, split)
        }
        start if idx::kind(start).is_some() => Err(DataError::malformed(
            path.display().to_string(),
            "is one IDX file; images and labels come in two, so open their folder instead, \
             or the folder and the start of their names",
        )),
        _ if path.file_name().is_some_and(|name| shards::is_name(&name.to_string_lossy())) => {
            shards::open(path, [path.to_owned()], split)
        }
        start => {
            let named = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            let table =
                if listed::is_name(&named) { listed::open_file(path, split)? } else { None };
            match (table, cifar::Flavour::of_file(path, length)?) {
                (Some(found), _) => Ok(found),
                (None, Some(flavour)) => cifar::open_file(path, flavour, split),
                (None, None) => Err(DataError::Unrecognised {
                    path: path.into(),
                    found: looks(&named, start, length),
                }),
            }
        }
    }
}

/// All image files in a folder and below.
pub(crate) fn files_in(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut images = Vec::new();
    tree::gather(folder, tree::DEPTH, &mut images)?;
    Ok(images)
}

/// Whether a path ends as those of image files do, of formats that are read or not.
pub(crate) fn is_image_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    files::is_any_image_name(&name)
}

/// Why an image file cannot be read, if it is not there or its name tells of a format that is not read.
pub(crate) fn unread(file: &ImageFile) -> Option<DataError> {
    let path = file.path();
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let is_missing = matches!(file, ImageFile::Own(path) if !path.is_file());
    let doubtful = files::is_other_image_name(&name) || is_missing;
    doubtful.then(|| decode::read(file).err()).flatten()
}

/// What a folder holds, in words.
fn summary(entries: &[Entry]) -> String {
    let folders = entries.iter().filter(|entry| entry.is_folder).count();
    let images = entries.iter().filter(|entry| files::is_any_image_name(&entry.name)).count();
    if folders == 0 && images > 0 {
        return format!(
            "a folder of {images} image files without what says their classes (folders of classes, or a table \
             beside them of names and labels, such as labels.csv)"
        );
    }
    let mut names: Vec<&str> = entries.iter().take(5).map(|entry| entry.name.as_str()).collect();
    if entries.len() > names.len() {
        names.push("…");
    }
    let named = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    format!("a folder of {folders} folders and {} files{named}", entries.len() - folders)
}

/// What a file looks like by its name and its first bytes, with what could be done.
fn looks(name: &str, start: &[u8], length: u64) -> String {
    let packed = [".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".7z", ".rar"];
    let lower = name.to_lowercase();
    let known = match start {
        _ if packed.iter().any(|ending| lower.ends_with(ending)) => "a packed archive (unpack it)",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            "one NumPy array (images and labels come in two: open the folder with both, such as images.npy and \
             labels.npy, or save them as one file by numpy.savez)"
        }
        [0x80, 2..=5, ..] => {
            "a Python pickle, which can run any code when it is opened (take the binary version of CIFAR, or save \
             images and labels by numpy.savez)"
        }
        [0x89, b'H', b'D', b'F', ..] => "an HDF5 file (save images and labels by numpy.savez)",
        [b'M', b'A', b'T', b'L', b'A', b'B', ..] => {
            "a MATLAB file (save images and labels by numpy.savez)"
        }
        [b'A', b'R', b'R', b'O', b'W', ..] => "an Arrow file (save it as Parquet)",
        _ if files::is_any_image_name(name) => {
            "a single image (open a folder of images, or ask `predict` for its class)"
        }
        [] => "an empty file",
        _ if std::str::from_utf8(start).is_ok_and(|text| !text.contains('\0')) => "text",
        _ => return format!("a file of {length} bytes of a kind that is not known"),
    };
    format!("a file of {length} bytes that looks like {known}")
}

#[cfg(test)]
mod tests {
    use super::fixtures;
    use crate::{DataError, Dataset};

    #[test]
    fn several_folders_with_data_are_listed() {
        let folder = fixtures::folder();
        fixtures::file(&folder, "cifar/test.bin", &fixtures::records(&[&[0, 1]]));
        fixtures::file(&folder, "mnist/labels-idx1", &fixtures::idx_labels(&[0]));
        let refused = Dataset::open(folder.path(), None).expect_err("refused").to_string();
        assert!(refused.contains("2 data sets: cifar, mnist; open one"), "{refused}");
        fixtures::file(&folder, "mnist/labels-idx1", b"");
        assert_eq!(Dataset::open(folder.path(), None).expect("cifar").labels(), [1]);
    }

    #[test]
    fn data_may_lie_in_folders_of_one() {
        let folder = fixtures::folder();
        let path =
            fixtures::tree(&folder, &["x/y/set/a/1.png", "x/y/set/b/2.png", "x/y/set/b/c/3.png"]);
        fixtures::file(&folder, "tree/x/readme.txt", b"about");
        let data = Dataset::open(&path, None).expect("opens");
        assert_eq!((data.classes(), data.len()), (&["a".into(), "b".into()][..], 3));
        // One class with folders in its folder stays one class.
        let inner = fixtures::folder();
        let one = fixtures::tree(&inner, &["a/b/1.png", "a/2.png"]);
        assert_eq!(Dataset::open(&one, None).expect("opens").classes(), ["a"]);
        let tables = fixtures::tree(&folder, &["wrap/set/images/1.png", "wrap/set/images/2.png"]);
        fixtures::file(&folder, "tree/wrap/set/labels.csv", b"path,label\n1.png,a\n2.png,b\n");
        let data = Dataset::open(tables.join("wrap"), None).expect("opens");
        assert_eq!(data.classes(), ["a", "b"]);
        let parts = ["p/x/y/train/a/1.png", "p/x/y/train/b/2.png", "p/x/y/test/b/3.png"];
        let path = fixtures::tree(&folder, &parts).join("p");
        assert_eq!(Dataset::open(&path, Some(crate::Split::Test)).expect("test").labels(), [1]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["tree/a/1.png", "tree/b/2.png", "other/3.png"]);
        let set = path.join("tree");
        std::os::unix::fs::symlink(path.join("other"), set.join("c")).expect("linked");
        assert_eq!(Dataset::open(&set, None).expect("opens").classes(), ["a", "b", "c"]);
        std::os::unix::fs::symlink("..", set.join("b/loop")).expect("linked");
        let refused = Dataset::open(&set, None).expect_err("refused").to_string();
        assert!(refused.contains("loop: is a link to a folder that it is in itself"), "{refused}");
    }

    #[test]
    fn arrays_may_lie_in_files_of_their_own() {
        let folder = fixtures::folder();
        let images = fixtures::npy("|u1", &[2, 2, 2, 3], &fixtures::counted(24));
        fixtures::file(&folder, "x_train.npy", &images);
        fixtures::file(&folder, "y_train.npy", &fixtures::npy("|u1", &[2, 1], &[1, 0]));
        let data = Dataset::open(folder.path(), Some(crate::Split::Train)).expect("opens");
        assert_eq!(data.labels(), [1, 0]);
        std::fs::remove_file(folder.path().join("y_train.npy")).expect("removed");
        fixtures::file(&folder, "labels.npy", &fixtures::npy("|u1", &[2], &[1, 0]));
        let refused = Dataset::open(folder.path(), None).expect_err("refused").to_string();
        assert!(refused.contains("has the array"), "{refused}");
    }

    #[test]
    fn what_is_not_recognised_is_described() {
        let folder = fixtures::folder();
        let nothing = Dataset::open(folder.path(), None).expect_err("refused").to_string();
        assert!(nothing.contains("a folder of 0 folders and 0 files"), "{nothing}");
        let path = fixtures::file(&folder, "notes.txt", b"hello, world");
        let text = Dataset::open(&path, None).expect_err("refused").to_string();
        assert!(text.contains("a file of 12 bytes that looks like text"), "{text}");
        for (name, start, words) in [
            ("a.npy", &b"\x93NUMPY\x01\0"[..], "one NumPy array"),
            ("data_batch_1", b"\x80\x04\x95", "a Python pickle"),
            ("a.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            ("a.tar.gz", b"whatever", "a packed archive"),
            ("a.jpg", b"\xff\xd8\xff", "a single image"),
            ("a", b"\x01\x02\0", "a kind that is not known"),
        ] {
            let path = fixtures::file(&folder, name, start);
            let said = Dataset::open(&path, None).expect_err("refused").to_string();
            assert!(said.contains(words) && !said.contains('['), "{name}: {said}");
            std::fs::remove_file(path).expect("removed");
        }
        assert!(text.contains(".safetensors"), "{text}");
        let named = Dataset::open(folder.path(), None).expect_err("refused").to_string();
        assert!(named.contains("0 folders and 1 files (notes.txt)"), "{named}");
        let empty = fixtures::file(&folder, "empty", b"");
        assert!(matches!(Dataset::open(&empty, None), Err(DataError::Unrecognised { .. })));
        let missing = Dataset::open(folder.path().join("gone"), None).expect_err("refused");
        assert!(missing.to_string().contains("gone"), "{missing}");
        assert!(Dataset::open(folder.path().join("gone/too"), None).is_err());
    }
}
