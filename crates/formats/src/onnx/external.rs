//! Arrays that lie in files beside the model.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto::Tensor;
use crate::memory::room;

/// Bytes read at once; elements of all sizes fit in without a rest.
const CHUNK: usize = 1 << 16;

/// The files beside a model. All arrays in one of them together are no longer than the file.
pub(super) struct External<'a> {
    folder: Option<&'a Path>,
    /// Bytes of every file that was met which no array has taken yet.
    left: HashMap<PathBuf, u64>,
}

/// Where an array lies.
pub(super) struct Place<'a> {
    location: &'a str,
    path: PathBuf,
    offset: u64,
    /// Bytes.
    pub(super) length: u64,
    /// Bytes in the whole file.
    total: u64,
}

impl<'a> External<'a> {
    /// Files are looked for in `folder`.
    pub(super) fn new(folder: Option<&'a Path>) -> Self {
        Self { folder, left: HashMap::new() }
    }

    /// Where the array of `tensor` lies.
    ///
    /// # Errors
    /// In words, if that is no place in a file of the model's folder.
    pub(super) fn place<'t>(&self, tensor: &'t Tensor) -> Result<Place<'t>, String> {
        let location = entry(tensor, "location").ok_or("external data without a location")?;
        let folder = self.folder.ok_or("external data, but the model did not come from a file")?;
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || !Path::new(location).components().all(inside) {
            return Err(format!(
                "external data at `{location}`, expected a place in the model's folder"
            ));
        }
        let failed = |error: std::io::Error| format!("external data at `{location}`: {error}");
        let path = folder.join(location).canonicalize().map_err(failed)?;
        if !path.starts_with(folder.canonicalize().map_err(failed)?) {
            return Err(format!(
                "external data at `{location}`, a symbolic link that leads out of the model's \
                 folder; put the file itself there"
            ));
        }
        let about = std::fs::metadata(&path).map_err(failed)?;
        if !about.is_file() {
            return Err(format!("external data at `{location}`, which is no file"));
        }
        let total = about.len();
        let offset = number(tensor, "offset")?.unwrap_or(0);
        let rest = total.checked_sub(offset).ok_or_else(|| {
            format!("external data at offset {offset} of `{location}`, which has {total} bytes")
        })?;
        let length = number(tensor, "length")?.unwrap_or(rest);
        if length > rest {
            return Err(format!(
                "{length} bytes of external data at offset {offset} of `{location}`, which has \
                 {total}"
            ));
        }
        Ok(Place { location, path, offset, length, total })
    }

    /// The elements at `place`, of `size` bytes each.
    ///
    /// # Errors
    /// In words, if the file cannot be read, the arrays read before leave too little of it, or
    /// there is not as much memory.
    pub(super) fn read<T>(
        &mut self,
        place: Place<'_>,
        size: usize,
        element: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<T>, String> {
        let Place { location, path, offset, length, total } = place;
        let failed = |error: std::io::Error| format!("external data at `{location}`: {error}");
        let mut file = File::open(&path).map_err(failed)?;
        let left = self.left.entry(path).or_insert(total);
        *left = left.checked_sub(length).ok_or_else(|| {
            format!(
                "external data at `{location}`, where arrays overlap: together they take more \
                 than its {total} bytes"
            )
        })?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let bytes = usize::try_from(length).map_err(|error| error.to_string())?;
        let mut elements = room(bytes / size).map_err(|error| format!("it {error}"))?;
        let mut chunk = [0; CHUNK];
        for start in (0..bytes).step_by(CHUNK) {
            let chunk = &mut chunk[..CHUNK.min(bytes - start)];
            file.read_exact(chunk).map_err(failed)?;
            elements.extend(chunk.chunks_exact(size).map(&element));
        }
        Ok(elements)
    }
}

fn entry<'a>(tensor: &'a Tensor, key: &str) -> Option<&'a str> {
    tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

fn number(tensor: &Tensor, key: &str) -> Result<Option<u64>, String> {
    let parse = |text: &str| {
        text.parse().map_err(|_| format!("external data with {key} `{text}`, expected a number"))
    };
    entry(tensor, key).map(parse).transpose()
}
