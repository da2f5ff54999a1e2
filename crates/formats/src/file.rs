//! Files that are complete or untouched.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::error::WriteError;

/// Temporary files being written.
static WRITING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn writing() -> MutexGuard<'static, Vec<PathBuf>> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of writes under way and lets no other write begin or end, for a
/// process that is about to end.
pub fn abandon_writes() {
    let mut writing = writing();
    for path in writing.drain(..) {
        // What cannot be removed now was renamed or removed already.
        let _ = std::fs::remove_file(path);
    }
    // Never unlocked.
    std::mem::forget(writing);
}

/// Writes `bytes` to a temporary file beside `path` and renames it there. If `path` is a symbolic
/// link, the file it leads to is replaced.
///
/// # Errors
/// If the folder is missing or not writable or the disk is full. `path` is then as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let failed = |source: std::io::Error| WriteError::Io { path: path.into(), source };
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if target.is_dir() {
        return Err(failed(std::io::Error::other("it is a folder")));
    }
    let mut file = begin(folder).map_err(failed)?;
    let temporary = file.path().to_owned();
    let done = fill(&mut file, bytes);
    let mut writing = writing();
    let done = done.and_then(|()| file.persist(&target).map_err(|error| error.error));
    writing.retain(|other| *other != temporary);
    done.map(|_| ()).map_err(failed)
}

/// A temporary file that is known to [`abandon_writes`] from the first.
fn begin(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut writing = writing();
    let file = NamedTempFile::with_prefix_in(".brickwork-", folder)?;
    writing.push(file.path().to_owned());
    Ok(file)
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

    #[test]
    #[cfg(unix)]
    fn follows_links() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, link) = (folder.path().join("a.bin"), folder.path().join("link.bin"));
        write_atomically(&path, b"one").expect("first");
        std::os::unix::fs::symlink(&path, &link).expect("link");
        write_atomically(&link, b"two").expect("second");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert!(link.is_symlink());
    }
}
