//! The numeric loops, each over plain slices.

pub mod batch_norm;
pub mod contribution;
pub mod convolution;
pub mod copy;
pub mod correlate;
pub mod depthwise;
pub mod elementwise;
pub mod exact;
pub mod gemm;
pub mod pointwise;
pub mod pool;
pub mod resize;
pub mod rows;
pub mod sparse;
pub mod window;
pub mod winograd;

/// How many rows of `width` lie in `len` elements.
///
/// # Panics
/// If `width` is zero or the last row is not whole.
fn whole_rows(len: usize, width: usize) -> usize {
    assert!(width > 0 && len.is_multiple_of(width), "{len} elements are not whole rows of {width}");
    len / width
}

#[cfg(test)]
mod testing {
    /// Numbers from -1 to 1 without a pattern.
    pub(super) fn noise(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|k| ((k * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0).collect()
    }
}
