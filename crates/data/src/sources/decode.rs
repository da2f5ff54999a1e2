//! Image files to images, whatever their names say: PNG, JPEG, WebP, BMP, TIFF, GIF.
//!
//! Pixels are those that Pillow's `convert("RGB")` gives: palettes and bits become colours, CMYK becomes
//! RGB, alpha is left out where pixels are read. Of 16 bits the higher 8 count. (Of 16-bit grey images
//! Pillow takes all above 255 for white; here they are scaled as those in colour.) Of an animation the
//! first picture counts.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::jpeg;
use crate::error::{DataError, IMAGE_FORMATS};
use crate::image::{Image, Pixels};
use crate::samples::ImageFile;

/// The pixels of an image may take no more memory than this, whatever its header says.
const LARGEST_IMAGE: u64 = 1 << 28;

/// A decoded file.
pub(crate) struct Decoded {
    /// Grey, RGB or RGBA u8, the right way up.
    pub(crate) image: Image,
    /// Whether EXIF data said that it lies on its side, is upside down or mirrored.
    pub(crate) turned: bool,
}

/// Decodes a file, and turns the image as its EXIF data says.
pub(crate) fn read(file: &ImageFile) -> Result<Decoded, DataError> {
    let bytes = file.bytes()?;
    decode(&bytes).map_err(|problem| DataError::Unreadable { path: file.path(), problem })
}

fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    let reader = ImageReader::new(Cursor::new(bytes));
    let reader = reader.with_guessed_format().map_err(|error| error.to_string())?;
    let format = recognised(reader.format(), bytes)?;
    let jpeg = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, LARGEST_IMAGE)?,
        _ => None,
    };
    let (mut decoded, orientation) = match jpeg {
        Some(found) => found,
        None => as_stored(reader).map_err(|error| told(format, &error))?,
    };
    decoded.apply_orientation(orientation);
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let (channels, pixels) = unpack(decoded)?;
    let image = Image::new(height, width, channels, Pixels::U8(pixels));
    let image = image.map_err(|error| error.to_string())?;
    Ok(Decoded { image, turned: orientation != Orientation::NoTransforms })
}

/// The pixels as they lie in the file, and how they are to be turned.
fn as_stored(
    mut reader: ImageReader<Cursor<&[u8]>>,
) -> Result<(DynamicImage, Orientation), ImageError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST_IMAGE);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    let orientation = decoder.orientation()?;
    Ok((DynamicImage::from_decoder(decoder)?, orientation))
}

/// The format, if it can be read and is all there.
fn recognised(found: Option<ImageFormat>, bytes: &[u8]) -> Result<ImageFormat, String> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let cut_short = |format: &str| Err(format!("the {format} data is cut short"));
    match found {
        Some(Jpeg) if !is_complete_jpeg(bytes) => cut_short("JPEG"),
        Some(WebP) if !is_complete_webp(bytes) => cut_short("WebP"),
        Some(format @ (Png | Jpeg | WebP | Bmp | Tiff | Gif)) => Ok(format),
        _ if bytes.is_empty() => Err("the file is empty".to_owned()),
        other => {
            let kind =
                other_kind(other, bytes).map_or(String::new(), |kind| format!(" but {kind}"));
            Err(format!("no {IMAGE_FORMATS} file{kind}; convert it, for example to PNG"))
        }
    }
}

/// What a file is that cannot be read, where its first bytes tell.
fn other_kind(found: Option<ImageFormat>, bytes: &[u8]) -> Option<&'static str> {
    let brand = bytes.get(4..12).unwrap_or_default();
    match (found, brand) {
        (Some(ImageFormat::Avif), _) | (_, b"ftypavif" | b"ftypavis") => Some("AVIF"),
        (_, b"ftypheic" | b"ftypheix" | b"ftypmif1") => Some("HEIC"),
        _ if bytes.starts_with(b"<") => Some("a page of text"),
        (Some(_), _) => Some("an image of another kind"),
        _ => None,
    }
}

/// What the decoder says, in one line that names the format.
fn told(format: ImageFormat, error: &ImageError) -> String {
    match error {
        ImageError::Unsupported(_) => {
            format!("this kind of {format:?} cannot be read ({error}); save it as an 8-bit PNG")
        }
        ImageError::Limits(_) => {
            format!("it would take more than {} MiB ({error})", LARGEST_IMAGE >> 20)
        }
        other => other.to_string(),
    }
}

/// Channels (grey, RGB or RGBA) and pixels.
fn unpack(decoded: DynamicImage) -> Result<(usize, Vec<u8>), String> {
    let color = decoded.color();
    let channels = usize::from(color.channel_count());
    let samples = match color.bytes_per_pixel() / color.channel_count() {
        1 => decoded.into_bytes(),
        2 => decoded.as_bytes().chunks_exact(2).map(high_byte).collect(),
        _ => {
            return Err(
                "its pixels are floating-point numbers; save it with 8 or 16 bits".to_owned()
            );
        }
    };
    Ok(match channels {
        2 => (1, samples.into_iter().step_by(2).collect()),
        channels => (channels, samples),
    })
}

/// Of a pixel of 16 bits in this machine's order.
fn high_byte(pixel: &[u8]) -> u8 {
    (u16::from_ne_bytes([pixel[0], pixel[1]]) >> 8) as u8
}

/// The decoder fills what is missing with grey. Complete data ends with an end marker; the last
/// scan marker must come before it, because thumbnails have their own.
fn is_complete_jpeg(bytes: &[u8]) -> bool {
    let last = |marker| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    last(0xda) < last(0xd9)
}

/// The header says how many bytes follow its first eight.
fn is_complete_webp(bytes: &[u8]) -> bool {
    let announced = bytes.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
    announced.is_some_and(|size| bytes.len() as u64 >= u64::from(size) + 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures;
    use proptest::prelude::*;
    use serde::Deserialize;

    const FORMATS: [ImageFormat; 6] = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Gif,
    ];

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).expect("encodes");
        bytes.into_inner()
    }

    fn read(bytes: &[u8]) -> Image {
        decode(bytes).expect("decodes").image
    }

    fn colourful(width: u32, height: u32) -> DynamicImage {
        DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([(x * 6) as u8, (y * 6) as u8, (x * y % 251) as u8])
        }))
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
            let read = read(&encoded(&image, ImageFormat::Png));
            assert_eq!((read.height(), read.width(), read.channels()), (2, 3, channels));
        }
    }

    #[test]
    fn every_format_keeps_the_pixels() {
        let image = colourful(9, 7);
        for format in FORMATS {
            let Pixels::U8(found) = read(&encoded(&image, format)).pixels().clone() else {
                panic!("bytes")
            };
            // GIF has an alpha channel and 256 colours, JPEG rounds.
            let step = if format == ImageFormat::Gif { 4 } else { 3 };
            let most = match format {
                ImageFormat::Jpeg => 40,
                ImageFormat::Gif => 8,
                _ => 0,
            };
            assert_eq!(found.len(), 63 * step, "{format:?}");
            for (found, wanted) in found.chunks(step).zip(image.as_bytes().chunks(3)) {
                let far = found.iter().zip(wanted).any(|(a, b)| a.abs_diff(*b) > most);
                assert!(!far, "{format:?}: {found:?}, expected {wanted:?}");
            }
        }
    }

    #[test]
    fn of_sixteen_bits_the_higher_eight_count() {
        let deep = [0x0000, 0x00ff, 0x0100, 0x80ff, 0xffff_u16];
        let grey = image::ImageBuffer::from_raw(5, 1, deep.to_vec()).expect("buffer");
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            let read = read(&encoded(&DynamicImage::ImageLuma16(grey.clone()), format));
            assert_eq!(*read.pixels(), Pixels::U8(vec![0, 0, 1, 0x80, 0xff]), "{format:?}");
        }
    }

    /// A little-endian TIFF directory with nothing but an orientation.
    fn exif(orientation: u8) -> Vec<u8> {
        let entry = [0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
        [&b"II*\0\x08\0\0\0\x01\0"[..], &entry, &[0; 4]].concat()
    }

    /// The file with EXIF data as JPEG, PNG and WebP files hold it.
    fn with_exif(file: &[u8], format: ImageFormat, exif: &[u8]) -> Vec<u8> {
        let chunk = |name: &[u8], size: [u8; 4]| [name, &size, exif].concat();
        let size = exif.len() as u32;
        match format {
            ImageFormat::Jpeg => {
                let size = (size as u16 + 8).to_be_bytes();
                [&file[..2], &[0xff, 0xe1], &size, b"Exif\0\0", exif, &file[2..]].concat()
            }
            ImageFormat::Png => {
                let body = [b"eXIf", exif].concat();
                let mut sum = flate2::Crc::new();
                sum.update(&body);
                let sum = sum.sum().to_be_bytes();
                [&file[..33], &size.to_be_bytes(), &body, &sum, &file[33..]].concat()
            }
            ImageFormat::WebP => {
                // An extended header, the picture as it was, the data.
                let extended = [b"VP8X".as_slice(), &[10, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 1, 0, 0]];
                let tail = chunk(b"EXIF", size.to_le_bytes());
                let body = [b"WEBP", &extended.concat()[..], &file[12..], &tail].concat();
                [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
            }
            other => panic!("no place for EXIF data in {other:?}"),
        }
    }

    #[test]
    fn images_are_turned_as_their_exif_data_says() {
        // Two rows of three pixels, and the same for each orientation from 1 to 8 (EXIF 2.32, 4.6.4).
        let rows: [&[u8]; 8] = [
            &[0, 100, 200, 50, 150, 250],
            &[200, 100, 0, 250, 150, 50],
            &[250, 150, 50, 200, 100, 0],
            &[50, 150, 250, 0, 100, 200],
            &[0, 50, 100, 150, 200, 250],
            &[50, 0, 150, 100, 250, 200],
            &[250, 200, 150, 100, 50, 0],
            &[200, 250, 100, 150, 0, 50],
        ];
        let grey = image::GrayImage::from_raw(3, 2, rows[0].to_vec()).expect("buffer");
        // JPEG keeps such pixels only in blocks, of which it rounds each to one shade.
        let blocks = image::imageops::resize(&grey, 48, 32, image::imageops::FilterType::Nearest);
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg] {
            let each = if format == ImageFormat::Jpeg { 16 } else { 1 };
            let plain = if each > 1 { &blocks } else { &grey };
            let file = encoded(&DynamicImage::ImageLuma8(plain.clone()).to_rgb8().into(), format);
            for (orientation, wanted) in (1..).zip(rows) {
                let found = decode(&with_exif(&file, format, &exif(orientation))).expect("decodes");
                let sides = if orientation < 5 { [2, 3] } else { [3, 2] };
                let Decoded { image, turned } = found;
                assert_eq!([image.height() / each, image.width() / each], sides);
                assert_eq!(turned, orientation != 1);
                let Pixels::U8(pixels) = image.pixels() else { panic!("bytes") };
                for (k, &wanted) in wanted.iter().enumerate() {
                    let (row, column) = (k / sides[1] * each, k % sides[1] * each);
                    let at = ((row + each / 2) * image.width() + column + each / 2) * 3;
                    let near = pixels[at].abs_diff(wanted) <= 3;
                    assert!(near, "{format:?} {orientation}: {} at {k}", pixels[at]);
                }
            }
        }
    }

    #[test]
    fn images_that_were_turned_are_counted() {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["a/1.png", "a/2.png", "b/3.png"]);
        let plain = std::fs::read(path.join("a/2.png")).expect("reads");
        let turned = with_exif(&plain, ImageFormat::Png, &exif(6));
        std::fs::write(path.join("a/2.png"), turned).expect("writes");
        let data = crate::Dataset::open(&path, None).expect("opens");
        assert_eq!(data.turned(), 0);
        assert!((0..3).all(|index| data.image(index).is_ok()));
        assert_eq!(data.turned(), 1);
        assert_eq!(data.subset(&[0, 2]).expect("subset").turned(), 0);
        let both = crate::Dataset::join(vec![data.clone(), data.subset(&[1]).expect("subset")]);
        assert_eq!(both.turned(), 2);
    }

    #[test]
    fn orientations_in_a_tiff_directory_count() {
        let file = encoded(&colourful(3, 2), ImageFormat::Tiff);
        // The directory is rewritten behind the file, with one entry more.
        let word = |at: usize| u16::from_le_bytes([file[at], file[at + 1]]);
        let start = u32::from_le_bytes([file[4], file[5], file[6], file[7]]) as usize;
        let count = usize::from(word(start));
        let entries = &file[start + 2..start + 2 + 12 * count];
        let place = entries.chunks(12).position(|e| u16::from_le_bytes([e[0], e[1]]) > 0x112);
        let (before, behind) = entries.split_at(12 * place.unwrap_or(count));
        let own = [0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0];
        let more = ((count + 1) as u16).to_le_bytes();
        let mut turned = [&file[..], &more, before, &own, behind, &[0; 4]].concat();
        turned[4..8].copy_from_slice(&(file.len() as u32).to_le_bytes());
        let Decoded { image, turned } = decode(&turned).expect("decodes");
        assert_eq!((image.height(), image.width(), turned), (3, 2, true));
    }

    #[test]
    fn what_is_no_image_is_called_what_it_is() {
        let said = |bytes: &[u8]| decode(bytes).err().expect("refused");
        assert_eq!(said(b""), "the file is empty");
        assert!(said(b"<html>404</html>").contains("but a page of text"));
        assert!(said(b"\0\0\0\x1cftypheic\0\0\0\0").contains("but HEIC; convert it"));
        assert!(said(b"\0\0\0\x1cftypavif\0\0\0\0").contains("but AVIF; convert it"));
        assert!(said(b"nonsense").starts_with("no PNG, JPEG, WebP, BMP, TIFF or GIF file;"));
        let floats = DynamicImage::ImageRgb32F(image::Rgb32FImage::new(2, 2));
        assert!(said(&encoded(&floats, ImageFormat::Tiff)).contains("floating-point"));
    }

    #[test]
    fn huge_headers_are_refused() {
        let mut png = fixtures::png(4, 4, 7);
        png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        assert!(decode(&png).is_err());
        let mut bmp = encoded(&colourful(4, 4), ImageFormat::Bmp);
        bmp[18..26].copy_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0]);
        assert!(decode(&bmp).is_err());
        let mut gif = encoded(&colourful(4, 4), ImageFormat::Gif);
        gif[6..10].copy_from_slice(&[0xff; 4]);
        assert!(decode(&gif).is_err());
    }

    /// What `fixtures/make_pillow.py` had Pillow write and read.
    #[derive(Deserialize)]
    struct Golden {
        name: String,
        height: usize,
        width: usize,
        file: String,
        pixels: String,
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("digits");
        (0..text.len()).step_by(2).map(digits).collect()
    }

    #[test]
    fn pixels_are_those_of_pillow() {
        let text = include_str!("../../../../fixtures/decoded.json");
        let golden: Vec<Golden> = serde_json::from_str(text).expect("reads");
        assert!(golden.len() >= 20);
        for Golden { name, height, width, file, pixels } in golden {
            let found = decode(&hex(&file)).unwrap_or_else(|why| panic!("{name}: {why}")).image;
            assert_eq!([found.height(), found.width()], [height, width], "{name}");
            let Pixels::U8(found_pixels) = found.pixels() else { panic!("bytes") };
            let rgb = found_pixels.chunks(found.channels()).flat_map(|pixel| match *pixel {
                [grey] => [grey; 3],
                [red, green, blue, ..] => [red, green, blue],
                _ => panic!("grey, RGB or RGBA"),
            });
            let wanted = hex(&pixels);
            assert_eq!(wanted.len(), 3 * height * width);
            // Inks of a TIFF file are mixed in floating point.
            let most = u8::from(name == "tif-cmyk");
            let far = rgb.zip(&wanted).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(far <= Some(most), "{name}: up to {far:?} apart");
        }
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(
            spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            early: bool,
        ) {
            let grey = DynamicImage::ImageLuma8(image::GrayImage::new(9, 9));
            for (image, format) in
                FORMATS.map(|format| (colourful(17, 9), format)).into_iter().chain([(grey, ImageFormat::Jpeg)])
            {
                let mut bytes = encoded(&image, format);
                for (spot, byte) in &spots {
                    let reach = if early { bytes.len().min(200) } else { bytes.len() };
                    let at = spot.index(reach);
                    bytes[at] = *byte;
                }
                // An error is as good an answer as an image.
                let _ = decode(&bytes);
            }
        }

        #[test]
        fn truncated_files_are_refused(cut in 0.0_f64..1.0) {
            let image = colourful(40, 40);
            for format in FORMATS {
                let whole = encoded(&image, format);
                let cut = (whole.len() as f64 * cut) as usize;
                prop_assert!(decode(&whole).is_ok());
                // Without its final checksum a PNG is still whole, and a GIF without the ends of its last block.
                let cut = match format {
                    ImageFormat::Png => cut.saturating_sub(12),
                    ImageFormat::Gif => cut.saturating_sub(6),
                    _ => cut,
                };
                prop_assert!(decode(&whole[..cut]).is_err(), "{format:?} {cut} of {}", whole.len());
            }
        }
    }
}
