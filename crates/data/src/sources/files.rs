//! Looking at folders and the first bytes of files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::DataError;

/// A visible file or folder in a folder.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) is_folder: bool,
}

/// What is in `folder`, sorted by name, without names that begin with a dot.
///
/// # Errors
/// If it cannot be read, or holds a link to itself or to a folder around it.
pub(super) fn list(folder: &Path) -> Result<Vec<Entry>, DataError> {
    let failed = |error| DataError::io(folder, error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Archives made on a Mac have such a folder beside the one that was packed.
        if name.starts_with('.') || name == "__MACOSX" {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(failed)?;
        let is_folder = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
        if is_folder && kind.is_symlink() {
            let [target, around] =
                [path.as_path(), folder].map(fs::canonicalize).map(|found| found.map_err(failed));
            if around?.starts_with(target?) {
                let problem = "is a link to a folder that it is in itself; remove it";
                return Err(DataError::malformed(path.display().to_string(), problem));
            }
        }
        entries.push(Entry { name, path, is_folder });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The lines of a text file that hold something, if the file is there.
pub(super) fn lines(path: &Path) -> Result<Option<Vec<String>>, DataError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Ok(Some(lines.map(str::to_owned).collect()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataError::io(path, error)),
    }
}

/// How names of image files end that can be read. What they hold tells itself.
const IMAGES: [&str; 10] =
    ["bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// How names of image files end that cannot be read, and would silently be missing.
const OTHER_IMAGES: [&str; 21] = [
    "arw", "avif", "cr2", "dib", "dng", "exr", "hdr", "heic", "heif", "ico", "j2k", "jp2", "jxl",
    "nef", "pbm", "pgm", "pnm", "ppm", "psd", "qoi", "tga",
];

/// Whether a name ends as those of image files do that can be read.
pub(super) fn is_image_name(name: &str) -> bool {
    has_ending(name, &IMAGES)
}

/// Whether a name ends as those of image files do that cannot be read.
pub(super) fn is_other_image_name(name: &str) -> bool {
    has_ending(name, &OTHER_IMAGES)
}

/// Whether a name ends as those of image files do, of formats that are read or not.
pub(super) fn is_any_image_name(name: &str) -> bool {
    is_image_name(name) || is_other_image_name(name)
}

/// Whether a name has one of the endings, whatever its case.
pub(super) fn has_ending(name: &str, endings: &[&str]) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// How gzip files begin.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first 9 bytes of a file, or all if it has fewer, after unpacking gzip.
pub(super) fn start(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |error| DataError::io(path, error);
    let mut file = BufReader::with_capacity(64, File::open(path).map_err(failed)?);
    let first = file.fill_buf().map_err(failed)?;
    let packed: Vec<u8> = first.iter().take(9).copied().collect();
    if !packed.starts_with(&GZIP) {
        return Ok(packed);
    }
    let mut unpacked = Vec::new();
    match MultiGzDecoder::new(file).take(9).read_to_end(&mut unpacked) {
        Ok(_) => Ok(unpacked),
        Err(_) => Ok(packed),
    }
}
