//! JPEG files to the bytes of libjpeg-turbo, which Pillow reads them with. Decoders round differently, which
//! scores show.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, FrameHeader, PixelFormat};

/// What decoding takes beside the pixels, for every byte of them: coefficients and planes.
const BESIDE: u64 = 3;

/// The image of a JPEG file of at most `most` bytes of pixels, and how it is to be turned. None if its frame
/// is none that this decoder is known to be safe with: four components of different sizes, or no lines.
pub(super) fn decode(
    bytes: &[u8],
    most: u64,
) -> Result<Option<(DynamicImage, Orientation)>, String> {
    let limits = DecodeLimits {
        max_pixels: most / 3,
        max_memory: Some(most * (BESIDE + 1)),
        ..DecodeLimits::default()
    };
    let failed = |error: libjpeg_turbo_rs::JpegError| error.to_string();
    let decoder = Decoder::new_with_limits(bytes, limits).map_err(failed)?;
    if !is_usual(decoder.header()) {
        return Ok(None);
    }
    let found = decoder.decode_image().map_err(failed)?;
    let orientation = found.exif_orientation().and_then(Orientation::from_exif);
    let sides = (found.width as u32, found.height as u32);
    let decoded = match found.pixel_format {
        PixelFormat::Grayscale => GrayImage::from_raw(sides.0, sides.1, found.data).map(Into::into),
        PixelFormat::Rgb => RgbImage::from_raw(sides.0, sides.1, found.data).map(Into::into),
        PixelFormat::Cmyk => {
            let pixels = found.data.chunks_exact(4).flat_map(rgb_of_inks).collect();
            RgbImage::from_raw(sides.0, sides.1, pixels).map(Into::into)
        }
        other => return Err(format!("pixels of the kind {other:?} cannot be read")),
    };
    let decoded: DynamicImage =
        decoded.ok_or("the decoder gave other pixels than its header says")?;
    Ok(Some((decoded, orientation.unwrap_or(Orientation::NoTransforms))))
}

fn is_usual(frame: &FrameHeader) -> bool {
    let whole = frame
        .components
        .iter()
        .all(|one| (one.horizontal_sampling, one.vertical_sampling) == (1, 1));
    frame.height > 0 && frame.width > 0 && (frame.components.len() < 4 || whole)
}

/// Files hold inks upside down. As Pillow's `Convert.c` has it.
fn rgb_of_inks(stored: &[u8]) -> [u8; 3] {
    let light = u32::from(stored[3]);
    [0, 1, 2].map(|k| {
        let product = (255 - u32::from(stored[k])) * light + 128;
        (light - ((product + (product >> 8)) >> 8)) as u8
    })
}
