//! Files in pieces: large tensors apart, so that what models have in common is stored once.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::files::sha256;

/// Bytes from which a tensor is a piece of its own.
const LARGE: usize = 1024;

/// The form of the files.
pub(crate) const VERSION: u32 = 1;

/// How a model's file is put together, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) version: u32,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// The blobs of which it is made, in order.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) facts: Facts,
}

/// A run of bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// The blob that holds it, by its SHA-256.
    pub(crate) blob: String,
    /// Where in the blob it begins.
    pub(crate) from: u64,
    /// How long it is.
    pub(crate) length: u64,
}

/// A file in pieces.
pub(crate) struct Split<'a> {
    pub(crate) pieces: Vec<Piece>,
    /// The large tensors.
    pub(crate) tensors: Vec<&'a [u8]>,
    /// All else, one after the other.
    pub(crate) rest: Vec<u8>,
}

/// Takes the bytes of an ONNX file apart.
pub(crate) fn split(bytes: &[u8]) -> Split<'_> {
    let tensors = raw_data(bytes);
    let mut rest = Vec::new();
    let mut place = 0;
    for Range { start, end } in
        tensors.iter().cloned().chain(std::iter::once(bytes.len()..bytes.len()))
    {
        rest.extend_from_slice(&bytes[place..start]);
        place = end;
    }
    let own = sha256(&rest);
    let (mut pieces, mut place, mut from) = (Vec::new(), 0, 0);
    for Range { start, end } in
        tensors.iter().cloned().chain(std::iter::once(bytes.len()..bytes.len()))
    {
        if start > place {
            let length = (start - place) as u64;
            pieces.push(Piece { blob: own.clone(), from, length });
            from += length;
        }
        if end > start {
            pieces.push(Piece {
                blob: sha256(&bytes[start..end]),
                from: 0,
                length: (end - start) as u64,
            });
        }
        place = end;
    }
    let tensors = tensors.into_iter().map(|range| &bytes[range]).collect();
    Split { pieces, tensors, rest }
}

/// Where the raw data of large tensors are in an ONNX file: `ModelProto.graph.initializer.raw_data`, field 9 in 5 in 7. What
/// looks otherwise has none, and is stored as it is.
fn raw_data(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for graph in fields(bytes, 0..bytes.len(), 7) {
        for tensor in fields(bytes, graph, 5) {
            found.extend(fields(bytes, tensor, 9).into_iter().filter(|range| range.len() >= LARGE));
        }
    }
    found
}

/// The places of all fields of a number that hold bytes, in a message of protobuf; none if it is no such message.
fn fields(bytes: &[u8], message: Range<usize>, number: u64) -> Vec<Range<usize>> {
    let (mut place, end) = (message.start, message.end);
    let mut found = Vec::new();
    while place < end {
        let Some(key) = varint(bytes, &mut place, end) else { return Vec::new() };
        let length = match key & 7 {
            0 => varint(bytes, &mut place, end).map(|_| 0),
            1 => Some(8),
            2 => varint(bytes, &mut place, end),
            5 => Some(4),
            _ => None,
        };
        let next = length.and_then(|length| place.checked_add(usize::try_from(length).ok()?));
        let Some(next) = next.filter(|next| *next <= end) else { return Vec::new() };
        if key >> 3 == number && key & 7 == 2 {
            found.push(place..next);
        }
        place = next;
    }
    found
}

/// A number in the form of protobuf.
fn varint(bytes: &[u8], place: &mut usize, end: usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*place).filter(|_| *place < end)?;
        *place += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(Split { pieces, tensors, rest }: &Split<'_>) -> Vec<u8> {
        let blobs: Vec<&[u8]> = tensors.iter().copied().chain([&rest[..]]).collect();
        let piece = |piece: &Piece| {
            let blob = blobs.iter().find(|blob| sha256(blob) == piece.blob).unwrap();
            blob[piece.from as usize..(piece.from + piece.length) as usize].to_vec()
        };
        pieces.iter().flat_map(piece).collect()
    }

    #[test]
    fn pieces_make_the_whole() {
        let assets = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/assets");
        for name in ["digits.onnx", "garments.onnx"] {
            let bytes = std::fs::read(format!("{assets}/{name}")).unwrap();
            let split = split(&bytes);
            assert!(split.tensors.len() > 2, "{name}: {} tensors", split.tensors.len());
            assert!(
                split.rest.len() < bytes.len() / 4,
                "{name}: {} bytes are left",
                split.rest.len()
            );
            assert!(joined(&split) == bytes, "{name}");
        }
    }

    #[test]
    fn what_is_no_model_is_one_piece() {
        for bytes in [&b""[..], b"no model", &[0xff; 4000], &[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
            let split = split(bytes);
            assert!(split.tensors.is_empty() && split.rest == bytes);
            assert_eq!(joined(&split), bytes);
        }
    }
}
