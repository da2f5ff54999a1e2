//! Files that are complete or untouched.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::error::WriteError;
use crate::memory::room;

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

/// All bytes of a file.
///
/// # Errors
/// If it cannot be read or there is not as much memory.
pub fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = room(length).map_err(|error| io::Error::new(ErrorKind::OutOfMemory, error))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes `bytes` to a temporary file beside `path` and renames it there. If `path` is a symbolic
/// link, the file it leads to is replaced, or made if it is not there. A file that is replaced
/// leaves its permissions to the new one; others have those that the process gives new files.
///
/// # Errors
/// If the folder is missing or not writable, the disk is full or links lead in a circle. `path` is
/// then as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    replace(path, bytes).map_err(|source| WriteError::Io { path: path.into(), source })
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = followed(path)?;
    let old = match std::fs::metadata(&target) {
        Ok(old) if old.is_dir() => return Err(io::Error::other("it is a folder")),
        Ok(old) if !old.is_file() => return Err(io::Error::other("it is no regular file")),
        old => old.ok().map(|old| old.permissions()),
    };
    let mut file = begin(folder_of(&target), old.as_ref())?;
    let temporary = file.path().to_owned();
    let done = fill(&mut file, bytes, old);
    let mut writing = writing();
    let done = done.and_then(|()| file.persist(&target).map_err(|error| error.error));
    writing.retain(|other| *other != temporary);
    drop(writing);
    done?;
    // The file is in its place. A system that syncs no folders may lose the renaming, and no more, if
    // the power fails now.
    let _ = sync_folder(folder_of(&target));
    Ok(())
}

/// Symbolic links that may lead from one to the next.
const MOST_LINKS: usize = 40;

/// The place that `path` leads to through symbolic links, whether there is a file or not.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..=MOST_LINKS {
        match std::fs::read_link(&path) {
            Ok(next) => path = folder_of(&path).join(next),
            // No link, or nothing at all; whatever else is wrong, writing will say.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other(format!(
        "more than {MOST_LINKS} symbolic links lead from one to the next"
    )))
}

/// The folder in which `path` lies.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A temporary file that is known to [`abandon_writes`] from the first. Nobody may read it who may
/// not read a file of the permissions `old`, or a new one.
fn begin(folder: &Path, old: Option<&Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".brickwork-");
    #[cfg(unix)]
    builder.permissions(old.cloned().unwrap_or_else(|| Permissions::from_mode(0o666)));
    #[cfg(not(unix))]
    let _ = old;
    let mut writing = writing();
    let file = builder.tempfile_in(folder)?;
    writing.push(file.path().to_owned());
    Ok(file)
}

fn fill(file: &mut NamedTempFile, bytes: &[u8], old: Option<Permissions>) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Some(old) = old.filter(|_| cfg!(unix)) {
        file.as_file().set_permissions(old)?;
    }
    file.as_file().sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
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
        let said = write_atomically(folder.path(), b"x").unwrap_err().to_string();
        assert!(said.ends_with("it is a folder"), "{said}");
        assert!(sync_folder(folder.path()).is_ok());
    }
}

#[cfg(all(test, unix))]
mod unix_tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn permissions_stay() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.bin");
        write_atomically(&path, b"one").expect("first");
        for mode in [0o600, 0o640, 0o666, 0o755, 0o444] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("they are set");
            write_atomically(&path, format!("{mode:o}").as_bytes()).expect("again");
            assert_eq!(std::fs::read_to_string(&path).expect("read"), format!("{mode:o}"));
            let found = std::fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(found & 0o7777, mode, "{found:o}");
        }
    }

    #[test]
    fn links_are_followed_to_files_that_are_there_or_not() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(folder.path().join("deeper")).expect("made");
        let at = |name: &str| folder.path().join(name);
        symlink("deeper/second", at("first")).expect("link");
        symlink("../third", at("deeper/second")).expect("link");
        symlink(at("a.bin"), at("third")).expect("link");
        for content in ["one", "two"] {
            write_atomically(&at("first"), content.as_bytes()).expect("it is written");
            assert_eq!(std::fs::read_to_string(at("a.bin")).expect("read"), content);
        }
        assert!(["first", "deeper/second", "third"].iter().all(|link| at(link).is_symlink()));
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 4);
        symlink("missing/b.bin", at("lost")).expect("link");
        assert!(write_atomically(&at("lost"), b"x").is_err() && at("lost").is_symlink());
    }

    #[test]
    fn links_in_a_circle_and_what_is_no_file_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let at = |name: &str| folder.path().join(name);
        symlink("b", at("a")).expect("link");
        symlink("a", at("b")).expect("link");
        let said = write_atomically(&at("a"), b"x").unwrap_err().to_string();
        assert!(said.contains("more than 40 symbolic links"), "{said}");
        symlink("/dev/null", at("null")).expect("link");
        let said = write_atomically(&at("null"), b"x").unwrap_err().to_string();
        assert!(said.ends_with("it is no regular file"), "{said}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 3);
    }
}
