//! NPZ: a zip archive of NPY arrays.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::arrays::{Array, ArrayFile};
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
        let archive =
            ZipArchive::new(BufReader::new(file)).map_err(|error| failed(path, &error))?;
        let names: Result<Vec<_>, ZipError> = archive.file_names().collect();
        let names = names.map_err(|error| failed(path, &error))?;
        let mut names: Vec<String> =
            names.iter().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect();
        names.sort();
        Ok(Self { path: path.into(), archive, names })
    }
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

fn failed(path: &Path, error: &ZipError) -> DataError {
    DataError::malformed(path.display().to_string(), format!("not a readable archive: {error}"))
}
