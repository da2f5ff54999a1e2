//! Bytes with a header that announces how many follow, believed only as far as they exist.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::files::GZIP;
use crate::error::DataError;

/// Deflate cannot shrink anything further than this.
const DEFLATE_RATIO: u64 = 1032;

/// Room made before the bytes are seen.
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
        let mut bytes = Vec::with_capacity(count.min(self.limit).min(FIRST_ROOM) as usize);
        let taken = self.reader.by_ref().take(count).read_to_end(&mut bytes);
        taken.map_err(|error| self.failed(&error))?;
        self.limit = self.limit.saturating_sub(bytes.len() as u64);
        Ok(bytes)
    }

    /// All that follows, which must be `announced` bytes.
    pub(super) fn rest(mut self, announced: Option<u64>) -> Result<Vec<u8>, DataError> {
        let announced = announced.unwrap_or(u64::MAX);
        if announced > self.limit {
            let found = format!("at most {}", self.limit);
            return Err(DataError::Length { place: self.place, announced, found });
        }
        let bytes = self.next(announced.saturating_add(1))?;
        match bytes.len() as u64 {
            found if found == announced => Ok(bytes),
            found => {
                let found = if found > announced { "more".into() } else { found.to_string() };
                Err(DataError::Length { place: self.place, announced, found })
            }
        }
    }

    fn failed(&self, error: &std::io::Error) -> DataError {
        let problem = format!("cannot read on ({error}); the file is cut short or damaged");
        DataError::malformed(self.place.clone(), problem)
    }
}

#[cfg(test)]
mod tests {
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
    fn headers_end_early_only_with_an_error() {
        let mut short = stream(b"abc", 3);
        assert_eq!(&short.header::<2>().expect("two"), b"ab");
        assert!(short.header::<2>().expect_err("refused").to_string().contains("cut short"));
    }
}
