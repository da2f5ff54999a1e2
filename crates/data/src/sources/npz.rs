//! NPZ: a zip archive of NPY arrays, or a folder of such files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use brickwork_tensor::Nd;
use zip::ZipArchive;
use zip::result::ZipError;

use super::arrays::{Array, ArrayFile};
use super::files::{self, Entry};
use super::npy;
use super::stream::Stream;
use crate::error::DataError;

/// An open archive.
pub(super) struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl Npz {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| DataError::io(path, error))?;
        let mut archive =
            ZipArchive::new(BufReader::new(file)).map_err(|error| failed(path, &error))?;
        if archive.has_overlapping_files().map_err(|error| failed(path, &error))? {
            let problem = "its arrays overlap; save them again with numpy.savez";
            return Err(DataError::malformed(path.display().to_string(), problem));
        }
        let names: Result<Vec<_>, ZipError> = archive.file_names().collect();
        let names = names.map_err(|error| failed(path, &error))?;
        let mut names: Vec<String> =
            names.iter().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect();
        if names.is_empty() && !archive.is_empty() {
            let problem = "is an archive without NumPy arrays; if it holds images, unpack it";
            return Err(DataError::malformed(path.display().to_string(), problem));
        }
        names.sort();
        Ok(Self { path: path.into(), archive, names })
    }
}

/// The whole numbers in an NPZ file, by the names of their arrays; arrays of others are left out.
///
/// # Errors
/// If the file cannot be read, or a number takes more than 64 bits.
pub fn whole_arrays(path: &Path) -> Result<BTreeMap<String, Nd<i64>>, DataError> {
    let mut file = Npz::open(path)?;
    let mut found = BTreeMap::new();
    for name in file.names.clone() {
        let array = file.array(&name)?;
        if let Some(numbers) = array.whole()? {
            found.insert(name, numbers);
        }
    }
    Ok(found)
}

impl ArrayFile for Npz {
    fn kind(&self) -> &'static str {
        "NumPy arrays"
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn array(&mut self, name: &str) -> Result<Array, DataError> {
        let entry = self.archive.by_name(&format!("{name}.npy"));
        let entry = entry.map_err(|error| failed(&self.path, &error))?;
        let length = entry.compressed_size();
        npy::read(Stream::packed(entry, length, format!("{}, {name}", self.path.display())))
    }

    fn class_names(&self) -> Result<Option<Vec<String>>, DataError> {
        Ok(None)
    }
}

/// A folder of NPY files.
pub(super) struct Folder {
    path: PathBuf,
    names: Vec<String>,
}

/// Whether a folder holds two NPY files or more.
pub(super) fn is_folder(entries: &[Entry]) -> bool {
    arrays_among(entries).count() > 1
}

/// The names of NPY files without their endings.
fn arrays_among(entries: &[Entry]) -> impl Iterator<Item = &str> {
    let names = entries.iter().filter(|entry| !entry.is_folder).map(|entry| &entry.name[..]);
    names.filter_map(|name| name.strip_suffix(".npy"))
}

impl Folder {
    /// Of these entries, which [are](is_folder) some.
    pub(super) fn new(path: &Path, entries: &[Entry]) -> Self {
        Self { path: path.into(), names: arrays_among(entries).map(str::to_owned).collect() }
    }
}

impl ArrayFile for Folder {
    fn kind(&self) -> &'static str {
        "NumPy arrays"
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn array(&mut self, name: &str) -> Result<Array, DataError> {
        npy::read(Stream::open(&self.path.join(format!("{name}.npy")))?)
    }

    fn class_names(&self) -> Result<Option<Vec<String>>, DataError> {
        files::lines(&self.path.join("classes.txt"))
    }
}

fn failed(path: &Path, error: &ZipError) -> DataError {
    DataError::malformed(path.display().to_string(), format!("not a readable archive: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::sources::fixtures::{file, folder, npy, npz};

    #[test]
    fn whole_numbers_of_any_width_and_sign() {
        let folder = folder();
        let arrays = [
            ("pairs", npy("<i2", &[2, 2], &[1, 0, 255, 255, 0, 1, 7, 0])),
            ("real", npy("<f4", &[1], &[0; 4])),
            ("small", npy("|u1", &[3], &[0, 9, 255])),
        ];
        let found = whole_arrays(&file(&folder, "a.npz", &npz(&arrays))).expect("reads");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["pairs", "small"]);
        assert_eq!(found["pairs"], Nd::new([2, 2], vec![1, -1, 256, 7]));
        assert_eq!(found["small"], Nd::vector(vec![0, 9, 255]));
        let huge = npz(&[("n", npy("<u8", &[1], &[255; 8]))]);
        let error = whole_arrays(&file(&folder, "b.npz", &huge)).expect_err("refused").to_string();
        assert!(error.contains("18446744073709551615"), "{error}");
    }
    #[test]
    fn arrays_over_one_another_are_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("a.npy", SimpleFileOptions::default()).expect("entry");
        writer.write_all(&npy("|u1", &[1 << 20], &[0; 1 << 20])).expect("entry");
        for name in ["b.npy", "c.npy"] {
            writer.shallow_copy_file("a.npy", name).expect("another name for the same bytes");
        }
        let bytes = writer.finish().expect("archive").into_inner();
        let error = whole_arrays(&file(&folder(), "a.npz", &bytes)).expect_err("refused");
        assert!(
            error
                .to_string()
                .ends_with("a.npz: its arrays overlap; save them again with numpy.savez")
        );
    }
}
