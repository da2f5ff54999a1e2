//! One image in memory.

use crate::error::DataError;

/// The numbers of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// Intensities from 0 to 255.
    U8(Vec<u8>),
    /// Intensities in whatever unit the file has.
    F32(Vec<f32>),
}

impl Pixels {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(pixels) => pixels.len(),
            Self::F32(pixels) => pixels.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One image as it was stored: channels are grey, RGB or RGBA.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Pixels,
}

impl Image {
    /// An image over `pixels` in `[height, width, channels]` order.
    ///
    /// # Errors
    /// [`DataError::Malformed`] if an extent is 0 or `pixels` holds another number of values.
    pub fn new(
        height: usize,
        width: usize,
        channels: usize,
        pixels: Pixels,
    ) -> Result<Self, DataError> {
        let expected = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
        match expected {
            Some(expected) if expected > 0 && expected == pixels.len() => {
                Ok(Self { height, width, channels, pixels })
            }
            _ => Err(DataError::malformed(
                "image",
                format!("{} values cannot be {height} by {width} by {channels}", pixels.len()),
            )),
        }
    }

    /// Rows; at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns; at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Numbers per pixel: 1 for grey, 3 for RGB, 4 for RGB and alpha.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// `height * width * channels` numbers in `[height, width, channels]` order.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_must_match_the_pixels() {
        assert!(Image::new(2, 1, 3, Pixels::U8(vec![0; 6])).is_ok());
        assert!(Image::new(2, 2, 3, Pixels::U8(vec![0; 6])).is_err());
        assert!(Image::new(0, 2, 3, Pixels::F32(vec![])).is_err());
        assert!(Image::new(usize::MAX, 2, 3, Pixels::U8(vec![0; 6])).is_err());
    }
}
