//! Files that are complete or untouched.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::error::WriteError;

/// Temporary files being written.
static WRITING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the temporary files of writes under way, for a process that is about to end.
pub fn abandon_writes() {
    let mut writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    for path in writing.drain(..) {
        // What cannot be removed now was renamed or removed already.
        let _ = std::fs::remove_file(path);
    }
}

/// Writes `bytes` to a temporary file beside `path` and renames it there.
///
/// # Errors
/// If the folder is missing or not writable or the disk is full. `path` is then as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let failed = |source: std::io::Error| WriteError::Io { path: path.into(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return Err(failed(std::io::Error::other("it is a folder")));
    }
    let mut file = NamedTempFile::with_prefix_in(".brickwork-", folder).map_err(failed)?;
    let temporary = file.path().to_owned();
    let writing = || WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    writing().push(temporary.clone());
    let done =
        fill(&mut file, bytes).and_then(|()| file.persist(path).map_err(|error| error.error));
    writing().retain(|other| *other != temporary);
    done.map(|_| ()).map_err(failed)
}

fn fill(file: &mut NamedTempFile, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    set_usual_permissions(file)
}

/// Temporary files are private to their owner; results are as readable as any file made here.
#[cfg(unix)]
fn set_usual_permissions(file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_usual_permissions(_: &NamedTempFile) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_reports_missing_folders() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.bin");
        write_atomically(&path, b"one").expect("first");
        write_atomically(&path, b"two").expect("second");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
        let lost = folder.path().join("missing/b.bin");
        assert!(write_atomically(&lost, b"x").unwrap_err().to_string().contains("missing/b.bin"));
        assert!(write_atomically(folder.path(), b"x").is_err());
    }
}
