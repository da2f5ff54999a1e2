//! Plain `f32` storage that starts on a cache line.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;

/// A zero-initialised `f32` buffer whose first element lies on a 64-byte boundary, so that
/// vector loads at multiples of the vector width never cross a cache line.
#[derive(Debug, Default)]
pub struct Buffer {
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let storage = vec![0.0; len + LINE / size_of::<f32>()];
        let start = storage.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
        Self { storage, start, len }
    }

    /// A buffer with a copy of `data`.
    pub fn copy_of(data: &[f32]) -> Self {
        let mut buffer = Self::zeroed(data.len());
        buffer.copy_from_slice(data);
        buffer
    }

    /// Makes the buffer at least `len` long; what it held is lost if it has to grow.
    pub fn ensure(&mut self, len: usize) -> &mut [f32] {
        if self.len < len {
            *self = Self::zeroed(len);
        }
        &mut self[..len]
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_line_and_grows() {
        let mut buffer = Buffer::copy_of(&[1.0, 2.0]);
        assert_eq!(buffer.as_ptr().align_offset(LINE), 0);
        assert_eq!(&buffer[..], [1.0, 2.0]);
        assert_eq!(buffer.ensure(5), [0.0; 5]);
    }
}
