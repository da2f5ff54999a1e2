//! PNG and JPEG files to images.

use std::io::Cursor;
use std::path::Path;

use brickwork_formats::read_whole;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use crate::error::DataError;
use crate::image::{Image, Pixels};

/// No image may take more memory than this, whatever its header says.
const LARGEST_IMAGE: u64 = 1 << 28;

/// Decodes the file at `path` to grey, RGB or RGBA u8.
pub(crate) fn read(path: &Path) -> Result<Image, DataError> {
    let bytes = read_whole(path).map_err(|error| DataError::io(path, error))?;
    decode(&bytes).map_err(|problem| DataError::Unreadable { path: path.into(), problem })
}

fn decode(bytes: &[u8]) -> Result<Image, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| error.to_string())?;
    match reader.format() {
        Some(ImageFormat::Png) => {}
        Some(ImageFormat::Jpeg) if is_complete_jpeg(bytes) => {}
        Some(ImageFormat::Jpeg) => return Err("the JPEG data is cut short".to_owned()),
        _ => return Err("neither PNG nor JPEG".to_owned()),
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST_IMAGE);
    reader.limits(limits);
    let decoded = reader.decode().map_err(|error| error.to_string())?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let (channels, pixels) = unpack(decoded);
    Image::new(height, width, channels, Pixels::U8(pixels)).map_err(|error| error.to_string())
}

fn unpack(decoded: DynamicImage) -> (usize, Vec<u8>) {
    match decoded.color().channel_count() {
        1 | 2 => (1, decoded.into_luma8().into_raw()),
        3 => (3, decoded.into_rgb8().into_raw()),
        _ => (4, decoded.into_rgba8().into_raw()),
    }
}

/// The decoder fills what is missing with grey. Complete data ends with an end marker; the last
/// scan marker must come before it, because thumbnails have their own.
fn is_complete_jpeg(bytes: &[u8]) -> bool {
    let last = |marker| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    last(0xda) < last(0xd9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures;
    use proptest::prelude::*;

    fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).expect("encodes");
        bytes.into_inner()
    }

    #[test]
    fn every_png_kind_becomes_grey_rgb_or_rgba() {
        let kinds = [
            (DynamicImage::new_luma8(3, 2), 1),
            (DynamicImage::new_luma_a8(3, 2), 1),
            (DynamicImage::new_luma16(3, 2), 1),
            (DynamicImage::new_rgb8(3, 2), 3),
            (DynamicImage::new_rgb16(3, 2), 3),
            (DynamicImage::new_rgba8(3, 2), 4),
        ];
        for (image, channels) in kinds {
            let read = decode(&encoded(image, ImageFormat::Png)).expect("decodes");
            assert_eq!((read.height(), read.width(), read.channels()), (2, 3, channels));
        }
    }

    #[test]
    fn huge_headers_are_refused() {
        let mut png = fixtures::png(4, 4, 7);
        png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        assert!(decode(&png).is_err());
    }

    proptest! {
        #[test]
        fn truncated_files_are_refused(cut in 0.0_f64..1.0) {
            let image = DynamicImage::ImageRgb8(image::RgbImage::from_fn(40, 40, |x, y| {
                image::Rgb([(x * 6) as u8, (y * 6) as u8, (x * y % 251) as u8])
            }));
            for format in [ImageFormat::Png, ImageFormat::Jpeg] {
                let whole = encoded(image.clone(), format);
                let cut = (whole.len() as f64 * cut) as usize;
                prop_assert!(decode(&whole).is_ok());
                // Without its final checksum a PNG is still whole.
                let cut = if format == ImageFormat::Png { cut.saturating_sub(12) } else { cut };
                prop_assert!(decode(&whole[..cut]).is_err(), "{format:?} {cut} of {}", whole.len());
            }
        }
    }
}
