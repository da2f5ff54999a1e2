//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::BoxError;

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a folder, and all above it, unless it is there.
pub(crate) fn make_folder(path: &Path) -> Result<(), BoxError> {
    fs::create_dir_all(path).map_err(BoxError::file("make the folder", path))
}

/// Writes a file by way of another in the folder `new`, on the same disk.
pub(crate) fn write(new: &Path, path: &Path, bytes: &[u8]) -> Result<(), BoxError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    make_folder(new)?;
    make_folder(folder)?;
    put(new, folder, path, bytes).map_err(BoxError::file("write", path))
}

fn put(new: &Path, folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix("").tempfile_in(new)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // So that the name outlives a power cut as the bytes do. Not every system lets folders be synced.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, BoxError> {
    brickwork_formats::read_whole(path).map_err(BoxError::file("read", path))
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), BoxError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BoxError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Everything in a folder, by name; nothing if there is none.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, BoxError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(BoxError::file("read", folder))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths =
        paths.collect::<io::Result<Vec<_>>>().map_err(BoxError::file("read", folder))?;
    paths.sort();
    Ok(paths)
}
