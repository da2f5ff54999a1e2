//! Bytes with a header that announces how many follow, believed only as far as they exist.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use brickwork_formats::NoMemory;
use flate2::read::MultiGzDecoder;

use super::files::GZIP;
use crate::error::DataError;

/// Deflate cannot shrink anything further than this.
const DEFLATE_RATIO: u64 = 1032;

/// Room made before any bytes are seen.
const FIRST_ROOM: u64 = 1 << 24;

/// Bytes from a file, unpacked.
pub(super) struct Stream<R> {
    reader: R,
    /// No more bytes than this can follow.
    limit: u64,
    /// What errors call it.
    pub(super) place: String,
}

impl Stream<Box<dyn Read>> {
    /// A file, gzipped or not.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let failed = |error| DataError::io(path, error);
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let length = file.get_ref().metadata().map_err(failed)?.len();
        let place = path.display().to_string();
        if file.fill_buf().map_err(failed)?.starts_with(&GZIP) {
            return Ok(Stream::packed(Box::new(MultiGzDecoder::new(file)), length, place));
        }
        Ok(Stream { reader: Box::new(file), limit: length, place })
    }
}

impl<R: Read> Stream<R> {
    /// The result of inflating `length` bytes.
    pub(super) fn packed(reader: R, length: u64, place: String) -> Self {
        Self { reader, limit: length.saturating_mul(DEFLATE_RATIO), place }
    }

    /// The next `N` bytes, a part of the header.
    pub(super) fn header<const N: usize>(&mut self) -> Result<[u8; N], DataError> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|error| self.failed(&error))?;
        self.limit = self.limit.saturating_sub(N as u64);
        Ok(bytes)
    }

    /// The next `count` bytes, fewer if there are no more.
    pub(super) fn next(&mut self, count: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        self.append(&mut bytes, count)?;
        Ok(bytes)
    }

    /// All that follows, which must be `announced` bytes. Memory is taken as they come, at most twice
    /// as much as has come.
    pub(super) fn rest(mut self, announced: Option<u64>) -> Result<Vec<u8>, DataError> {
        let announced = announced.unwrap_or(u64::MAX);
        if announced > self.limit {
            let found = format!("at most {}", self.limit);
            return Err(DataError::Length { place: self.place, announced, found });
        }
        let mut bytes: Vec<u8> = Vec::new();
        while (bytes.len() as u64) < announced {
            let found = bytes.len() as u64;
            let step = (announced - found).min(found.max(FIRST_ROOM));
            if bytes.try_reserve_exact(step as usize).is_err() {
                let source = NoMemory { bytes: announced.into() };
                return Err(DataError::NoMemory { place: self.place, source });
            }
            if self.append(&mut bytes, step)? < step {
                let found = bytes.len().to_string();
                return Err(DataError::Length { place: self.place, announced, found });
            }
        }
        // Packed data ends with a checksum, which is looked at only when more is asked for.
        match self.append(&mut Vec::new(), 1)? {
            0 => Ok(bytes),
            _ => Err(DataError::Length { place: self.place, announced, found: "more".into() }),
        }
    }

    /// Adds up to `count` bytes to `bytes`, and tells how many there were.
    fn append(&mut self, bytes: &mut Vec<u8>, count: u64) -> Result<u64, DataError> {
        let taken = self.reader.by_ref().take(count).read_to_end(bytes);
        let taken = taken.map_err(|error| self.failed(&error))? as u64;
        self.limit = self.limit.saturating_sub(taken);
        Ok(taken)
    }

    fn failed(&self, error: &std::io::Error) -> DataError {
        let problem = format!("cannot read on ({error}); the file is cut short or damaged");
        DataError::malformed(self.place.clone(), problem)
    }
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;

    fn stream(bytes: &[u8], limit: u64) -> Stream<&[u8]> {
        Stream { reader: bytes, limit, place: "x".to_owned() }
    }

    #[test]
    fn the_rest_is_exactly_what_was_announced() {
        assert_eq!(stream(b"abc", 3).rest(Some(3)).expect("all"), b"abc");
        let found =
            |announced, limit| match stream(b"abc", limit).rest(announced).expect_err("refused") {
                DataError::Length { found, .. } => found,
                other => panic!("{other}"),
            };
        assert_eq!(found(Some(2), 3), "more");
        assert_eq!(found(Some(4), 3), "at most 3");
        assert_eq!(found(Some(4), 9), "3");
        assert_eq!(found(Some(u64::MAX), u64::MAX), "3");
        assert_eq!(found(None, 9), "at most 9");
    }

    #[test]
    fn memory_is_taken_as_bytes_come() {
        let whole = vec![7; 3 * FIRST_ROOM as usize];
        let taken = |bytes: &[u8], announced| {
            let mut rest = None;
            let made = measure(|| rest = Some(stream(bytes, u64::MAX).rest(Some(announced))));
            (made.bytes_max, rest.expect("it ran"))
        };
        let (most, rest) = taken(&whole[..3], 1 << 40);
        assert!(rest.is_err() && most < FIRST_ROOM + 100, "{most}");
        let (most, rest) = taken(&whole, 1 << 40);
        assert!(rest.is_err() && most < 6 * FIRST_ROOM + 100, "{most}");
        let rest = taken(&whole, 3 * FIRST_ROOM).1.expect("all");
        assert!(rest == whole && rest.capacity() == whole.len());
    }

    #[test]
    fn headers_end_early_only_with_an_error() {
        let mut short = stream(b"abc", 3);
        assert_eq!(&short.header::<2>().expect("two"), b"ab");
        assert!(short.header::<2>().expect_err("refused").to_string().contains("cut short"));
    }
}
