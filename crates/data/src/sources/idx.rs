//! IDX: the big-endian arrays MNIST is stored in.

use std::io::Read;

use super::stream::Stream;
use crate::error::DataError;
use crate::samples::Shape;

/// What an IDX file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[n, h, w]` u8.
    Images,
    /// `[n]` u8.
    Labels,
}

/// What a file that begins with `start` holds, if it is IDX.
pub(super) fn kind(start: &[u8]) -> Option<Kind> {
    match start {
        [0, 0, 8, 3, ..] => Some(Kind::Images),
        [0, 0, 8, 1, ..] => Some(Kind::Labels),
        _ => None,
    }
}

/// The images, `[n, h, w]`, and their shape.
pub(super) fn images(mut stream: Stream<impl Read>) -> Result<(Shape, Vec<u8>), DataError> {
    expect(&mut stream, Kind::Images)?;
    let count = extent(&mut stream)?;
    let [height, width] = [extent(&mut stream)?, extent(&mut stream)?];
    let announced = count.checked_mul(height).and_then(|rows| rows.checked_mul(width));
    let shape = Shape { height: height as usize, width: width as usize, channels: 1 };
    Ok((shape, stream.rest(announced)?))
}

/// The labels.
pub(super) fn labels(mut stream: Stream<impl Read>) -> Result<Vec<usize>, DataError> {
    expect(&mut stream, Kind::Labels)?;
    let count = extent(&mut stream)?;
    Ok(stream.rest(Some(count))?.into_iter().map(usize::from).collect())
}

fn expect(stream: &mut Stream<impl Read>, expected: Kind) -> Result<(), DataError> {
    let magic = stream.header::<4>()?;
    if kind(&magic) == Some(expected) {
        return Ok(());
    }
    let expected = match expected {
        Kind::Images => "images: 00 00 08 03",
        Kind::Labels => "labels: 00 00 08 01",
    };
    let problem = format!("begins with {magic:02x?}, expected an IDX file of {expected}");
    Err(DataError::malformed(stream.place.clone(), problem))
}

fn extent(stream: &mut Stream<impl Read>) -> Result<u64, DataError> {
    Ok(u32::from_be_bytes(stream.header()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures;
    use proptest::prelude::*;

    fn stream(bytes: &[u8]) -> Stream<&[u8]> {
        Stream::packed(bytes, bytes.len() as u64, "x".to_owned())
    }

    #[test]
    fn lying_headers_are_refused_before_anything_is_allocated() {
        let lie = [&[0, 0, 8, 3][..], &[0xff; 12], &[1, 2, 3]].concat();
        assert!(matches!(images(stream(&lie)), Err(DataError::Length { .. })));
        let lie = [&[0, 0, 8, 1][..], &[0xff; 4], &[1, 2, 3]].concat();
        assert!(matches!(
            labels(stream(&lie)),
            Err(DataError::Length { announced: 0xffff_ffff, .. })
        ));
        assert!(labels(stream(&[0, 0, 8, 3, 0, 0, 0, 0])).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            for magic in [&[][..], &[0, 0, 8, 1], &[0, 0, 8, 3], &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2]] {
                let all = [magic, &bytes].concat();
                let _ = images(stream(&all));
                let _ = labels(stream(&all));
            }
        }

        #[test]
        fn truncated_files_are_refused(count in 1_usize..5, side in 1_usize..4, cut in 0.0_f64..1.0) {
            let whole = fixtures::idx_images(count, side, side);
            let cut = (whole.len() as f64 * cut) as usize;
            prop_assert!(images(stream(&whole)).is_ok());
            prop_assert!(images(stream(&whole[..cut])).is_err());
            let whole = fixtures::idx_labels(&vec![3; count]);
            prop_assert!(labels(stream(&whole)).is_ok());
            prop_assert!(labels(stream(&whole[..cut.min(whole.len() - 1)])).is_err());
        }
    }
}
