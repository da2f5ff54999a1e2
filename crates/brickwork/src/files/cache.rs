//! Results that were computed before, kept in a folder: whoever asks for the same again need not compute it again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use brickwork_formats::write_atomically;

use crate::model::digest::digest_of_bytes;
use crate::model::error::Error;
use crate::model::progress::Progress;

/// How names of its files end.
const ENDING: &str = "result";

/// Bytes that are kept, if nobody says how many.
const MOST: u64 = 4 << 30;

/// A folder of results. Each file is named by all that its result follows from, and begins with the digest of what it
/// holds: what is damaged counts as not there. Where there is more than a number of bytes, what was used least
/// recently goes first.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    /// What tells the program from others, whose results may differ.
    program: String,
    most: u64,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Files.
    pub files: usize,
    /// Bytes of them together.
    pub bytes: u64,
}

/// One result.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct KeptFile {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl Kept {
    fn of(files: &[KeptFile]) -> Self {
        Self { files: files.len(), bytes: files.iter().map(|file| file.bytes).sum() }
    }
}

impl Cache {
    /// The results that `program` keeps in `folder`, which is made when the first is written. At most 4 GiB.
    pub fn new(folder: impl Into<PathBuf>, program: &str) -> Self {
        let program = format!("{} {program}", env!("CARGO_PKG_VERSION"));
        Self { folder: folder.into(), program, most: MOST }
    }

    /// The same with at most `bytes`.
    pub fn of_at_most(self, bytes: u64) -> Self {
        Self { most: bytes, ..self }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was computed from all that `key` tells of, if it is kept.
    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let path = self.path(key);
        let mut written = fs::read(&path).ok()?;
        let end = written.iter().position(|&byte| byte == b'\n').filter(|&end| {
            let (head, rest) = (&written[..end], &written[end + 1..]);
            head == digest_of_bytes(rest).as_bytes()
        });
        let whole = end.map(|end| {
            written.drain(..=end);
            written
        });
        match &whole {
            // Used just now; where that cannot be noted, it only goes sooner.
            Some(_) => {
                drop(File::open(&path).and_then(|file| file.set_modified(SystemTime::now())))
            }
            None => drop(fs::remove_file(&path)),
        }
        whole
    }

    /// Keeps what was computed from all that `key` tells of. A folder that cannot be written is no reason to stop, but
    /// `progress` is told.
    pub(crate) fn put(&self, key: &str, result: &[u8], progress: &dyn Progress) {
        let written = [digest_of_bytes(result).as_bytes(), b"\n", result].concat();
        let kept = fs::create_dir_all(&self.folder)
            .and_then(|()| write_atomically(&self.path(key), &written).map_err(io::Error::other))
            .and_then(|()| self.shrink());
        if let Err(error) = kept {
            let folder = self.folder.display();
            progress.note(&format!("nothing is kept in {folder} for another time: {error}"));
        }
    }

    /// Numbers that were computed from all that `key` tells of: what is kept, or what this `work` gives, which is kept from
    /// then on; and whether it was kept before.
    ///
    /// # Errors
    /// If the work fails.
    pub(crate) fn numbers_or(
        &self,
        key: &str,
        work: impl FnOnce() -> Result<Vec<f32>, Error>,
        progress: &dyn Progress,
    ) -> Result<(Vec<f32>, bool), Error> {
        if let Some(bytes) = self.get(key) {
            let number = |four: &[u8; 4]| f32::from_le_bytes(*four);
            return Ok((bytes.as_chunks().0.iter().map(number).collect(), true));
        }
        let found = work()?;
        let bytes: Vec<u8> = found.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.put(key, &bytes, progress);
        Ok((found, false))
    }

    /// How much is kept.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn kept(&self) -> io::Result<Kept> {
        Ok(Kept::of(&self.files()?))
    }

    /// Removes all that is kept, and tells how much it was.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn clear(&self) -> io::Result<Kept> {
        let files = self.files()?;
        files.iter().try_for_each(|file| fs::remove_file(&file.path))?;
        Ok(Kept::of(&files))
    }

    fn path(&self, key: &str) -> PathBuf {
        let digest = digest_of_bytes(format!("{}\n{key}", self.program).as_bytes());
        self.folder.join(digest).with_extension(ENDING)
    }

    /// All files, the least recently used first.
    fn files(&self) -> io::Result<Vec<KeptFile>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            // Another program may remove one in the meantime.
            let Ok(found) = fs::metadata(&path) else { continue };
            if found.is_file() && path.extension().is_some_and(|ending| ending == ENDING) {
                files.push(KeptFile { used: found.modified()?, bytes: found.len(), path });
            }
        }
        files.sort();
        Ok(files)
    }

    fn shrink(&self) -> io::Result<()> {
        let files = self.files()?;
        let mut left = Kept::of(&files).bytes;
        for file in files {
            if left <= self.most {
                break;
            }
            let _ = fs::remove_file(file.path);
            left -= file.bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::progress::Silent;

    #[test]
    fn results_are_kept_for_the_same_program() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("below"), "one");
        assert_eq!((cache.get("a"), cache.kept().unwrap()), (None, Kept::default()));
        cache.put("a", b"result\n", &Silent);
        assert_eq!(cache.get("a").unwrap(), b"result\n");
        assert_eq!(Cache::new(cache.folder(), "two").get("a"), None);
        assert_eq!(cache.get("b"), None);
        assert_eq!(cache.clear().unwrap().files, 1);
        assert_eq!(cache.get("a"), None);
    }

    #[test]
    fn what_is_damaged_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), "");
        cache.put("a", b"result", &Silent);
        let file = cache.path("a");
        for bytes in [&b""[..], b"result", b"sha256-0\nresult"] {
            fs::write(&file, bytes).unwrap();
            assert_eq!(cache.get("a"), None);
            assert!(!file.exists());
        }
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), "");
        let day = std::time::Duration::from_secs(86400);
        for (name, days) in [("old", 3), ("older", 4)] {
            cache.put(name, &[7; 1000], &Silent);
            let file = File::options().write(true).open(cache.path(name)).unwrap();
            file.set_modified(SystemTime::now() - days * day).unwrap();
        }
        let cache = cache.of_at_most(2500);
        cache.put("new", &[7; 1000], &Silent);
        assert_eq!(
            [cache.get("older"), cache.get("old")].map(|found| found.is_some()),
            [false, true]
        );
        assert!(cache.get("new").is_some());
    }
}
