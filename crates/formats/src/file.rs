//! Files that are complete or untouched.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::WriteError;

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
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    set_usual_permissions(&file).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
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
