//! What tells files and folders from others.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Bytes of a folder up to which its files are read whole.
const READ_WHOLE: u64 = 4 << 30;

/// Folders below each other that are looked into.
const DEEPEST: usize = 64;

/// Whether there is a file or folder at `path`, or files whose names begin so, as those of a data set may.
pub(crate) fn is_there(path: &Path) -> bool {
    path.exists() || !beginning(path).unwrap_or_default().is_empty()
}

/// Files whose paths begin with `path`, which is none itself.
fn beginning(path: &Path) -> io::Result<Vec<Listed>> {
    let (folder, start) = (folder_of(path), path.file_name().unwrap_or_default().to_string_lossy());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = PathBuf::from(entry?.file_name());
        let kind = fs::metadata(folder.join(&name))?;
        if kind.is_file() && !start.is_empty() && name.to_string_lossy().starts_with(&*start) {
            found.push(Listed { name, bytes: kind.len() });
        }
    }
    Ok(found)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What tells a file or folder from others: `sha256-` and the SHA-256 of a file's bytes in hex, or of a folder's
/// files, by name, or of the files whose paths begin so. Of files with more than 4 GiB together only names and sizes
/// are taken, and it begins with `listing-`.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn digest_of(path: &Path) -> io::Result<String> {
    let (mut files, mut folder) = (Vec::new(), path);
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => return Ok(format!("sha256-{}", hex(&of_file(path)?))),
        Ok(_) => list(path, Path::new(""), 0, &mut files)?,
        Err(error) => {
            files = beginning(path).unwrap_or_default();
            folder = folder_of(path);
            if files.is_empty() {
                return Err(error);
            }
        }
    }
    files.sort();
    let large = files.iter().map(|file| file.bytes).sum::<u64>() > READ_WHOLE;
    let mut hash = Sha256::new();
    for Listed { name, bytes } in &files {
        hash.update(name.to_string_lossy().as_bytes());
        hash.update([0]);
        match large {
            true => hash.update(bytes.to_le_bytes()),
            false => hash.update(of_file(&folder.join(name))?),
        }
    }
    let kind = if large { "listing" } else { "sha256" };
    Ok(format!("{kind}-{}", hex(&hash.finalize())))
}

/// What tells bytes from others: `sha256-` and their SHA-256 in hex.
pub(crate) fn digest_of_bytes(bytes: &[u8]) -> String {
    format!("sha256-{}", hex(&Sha256::digest(bytes)))
}

/// What tells bytes from others that come one after the other.
#[derive(Default)]
pub(crate) struct Hash(Sha256);

impl Hash {
    /// Takes more of them.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// [`digest_of_bytes`] of all of them.
    pub(crate) fn digest(self) -> String {
        format!("sha256-{}", hex(&self.0.finalize()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    name: PathBuf,
    bytes: u64,
}

/// Adds all files in `folder` of `root`.
fn list(root: &Path, folder: &Path, depth: usize, files: &mut Vec<Listed>) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other(format!("{} lies too deep", root.join(folder).display())));
    }
    for entry in fs::read_dir(root.join(folder))? {
        let name = folder.join(entry?.file_name());
        let found = fs::metadata(root.join(&name))?;
        match found.is_dir() {
            true => list(root, &name, depth + 1, files)?,
            false => files.push(Listed { name, bytes: found.len() }),
        }
    }
    Ok(())
}

fn of_file(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().to_vec()),
            count => hash.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_of_a_folder_tell_it_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("below")).unwrap();
        fs::write(path("below/a"), "1").unwrap();
        let first = digest_of(folder.path()).unwrap();
        assert!(first.starts_with("sha256-") && first.len() == 71, "{first}");
        fs::write(path("below/a"), "2").unwrap();
        let second = digest_of(folder.path()).unwrap();
        fs::rename(path("below/a"), path("below/b")).unwrap();
        let third = digest_of(folder.path()).unwrap();
        assert!(first != second && second != third && first != third);
        let expected = "sha256-d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35";
        assert_eq!(digest_of(&path("below/b")).unwrap(), expected);
        assert_eq!(digest_of_bytes(b"2"), expected);
        assert!(digest_of(&path("gone")).is_err() && !is_there(&path("gone")));

        // Files of one data set that begin alike.
        fs::write(path("below/set-images"), "3").unwrap();
        assert!(is_there(&path("below/set")));
        let set = digest_of(&path("below/set")).unwrap();
        fs::write(path("below/set-labels"), "4").unwrap();
        assert_ne!(digest_of(&path("below/set")).unwrap(), set);
    }
}
