//! The sliding window of convolutions and pools over `[n, c, h, w]`.

use super::gemm::Gather;
use crate::nd::volume;

/// Kernel extent, step, spacing and padding along height and width.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Taps.
    pub kernel: [usize; 2],
    /// Pixels between neighbouring outputs.
    pub stride: [usize; 2],
    /// Pixels between neighbouring taps.
    pub dilation: [usize; 2],
    /// Padding before each axis (top, left).
    pub before: [usize; 2],
    /// Padding after each axis (bottom, right).
    pub after: [usize; 2],
}

impl Window {
    /// A window of `kernel` taps without stride, dilation or padding.
    pub fn plain(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1, 1], dilation: [1, 1], before: [0, 0], after: [0, 0] }
    }

    /// Pixels from the first to the last tap along `axis`, inclusive.
    pub fn span(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Outputs along `axis` for `extent` input pixels: windows that fit the padded input, plus
    /// one that hangs over if `ceil` is set and it starts inside the input or leading padding.
    /// `None` if not even one fits.
    pub fn outputs(&self, axis: usize, extent: usize, ceil: bool) -> Option<usize> {
        let padded = extent + self.before[axis] + self.after[axis];
        let room = padded.checked_sub(self.span(axis))?;
        let stride = self.stride[axis];
        let mut count = room / stride + 1;
        if ceil && !room.is_multiple_of(stride) && count * stride < extent + self.before[axis] {
            count += 1;
        }
        Some(count)
    }

    /// Whether every output reads exactly the pixel at its own place.
    pub fn is_pixelwise(&self) -> bool {
        self.kernel == [1, 1]
            && self.stride == [1, 1]
            && self.before == [0, 0]
            && self.after == [0, 0]
    }

    /// Refuses windows that end beyond what a `usize` counts: for all others, [`pixel`](Self::pixel)
    /// grows with the output and with the tap.
    pub(super) fn check(&self, outputs: [usize; 2]) {
        for axis in [0, 1] {
            let last = |count: usize, step: usize| count.saturating_sub(1).checked_mul(step);
            let end = last(outputs[axis], self.stride[axis])
                .zip(last(self.kernel[axis], self.dilation[axis]))
                .and_then(|(start, span)| start.checked_add(span));
            assert!(end.is_some(), "windows along axis {axis} end beyond what can be counted");
        }
    }

    /// The input pixel under tap `tap` of output `output` along `axis`, if it is not padding.
    pub fn pixel(&self, axis: usize, output: usize, tap: usize, extent: usize) -> Option<usize> {
        let padded = output * self.stride[axis] + tap * self.dilation[axis];
        padded.checked_sub(self.before[axis]).filter(|&pixel| pixel < extent)
    }

    /// Where the taps of every output lie in a channels-last image of `extents` (h, w) and
    /// `channels`, for `outputs` (h, w).
    ///
    /// # Panics
    /// If the image has more than 2^32 elements or a window ends beyond what can be counted.
    pub fn gather(&self, extents: [usize; 2], channels: usize, outputs: [usize; 2]) -> Gather {
        if self.is_pixelwise() && outputs == extents {
            return Gather::rows(channels);
        }
        Gather {
            positions: volume(&outputs),
            taps: volume(&self.kernel),
            offsets: self.gather_all(extents, channels, outputs),
            image: volume(&[extents[0], extents[1], channels]),
        }
    }

    /// The offsets of [`gather`](Self::gather), spelt out for every output.
    pub(crate) fn gather_all(
        &self,
        extents: [usize; 2],
        channels: usize,
        outputs: [usize; 2],
    ) -> Vec<Option<u32>> {
        self.check(outputs);
        check_offsets(extents, channels);
        let mut offsets = Vec::with_capacity(volume(&[volume(&outputs), volume(&self.kernel)]));
        for y in 0..outputs[0] {
            for x in 0..outputs[1] {
                for ky in 0..self.kernel[0] {
                    let row = self.pixel(0, y, ky, extents[0]);
                    for kx in 0..self.kernel[1] {
                        let column = self.pixel(1, x, kx, extents[1]);
                        let pixel = row.zip(column).map(|(r, c)| r * extents[1] + c);
                        offsets.push(pixel.map(|pixel| (pixel * channels) as u32));
                    }
                }
            }
        }
        offsets
    }

    /// The inverse of [`gather`](Self::gather): for every input pixel of `extents` (h, w) and every
    /// tap, where the output that reads the pixel through this tap lies in a channels-last image of
    /// `outputs` (h, w) and `channels`.
    ///
    /// # Panics
    /// As [`gather`](Self::gather).
    pub fn scatter(&self, extents: [usize; 2], channels: usize, outputs: [usize; 2]) -> Gather {
        let output = |axis: usize, pixel: usize, tap: usize| {
            let start = (pixel + self.before[axis]).checked_sub(tap * self.dilation[axis])?;
            let output = start / self.stride[axis];
            (start % self.stride[axis] == 0 && output < outputs[axis]).then_some(output)
        };
        self.check(outputs);
        check_offsets(outputs, channels);
        let (positions, taps) = (volume(&extents), volume(&self.kernel));
        let mut offsets = Vec::with_capacity(volume(&[positions, taps]));
        for (y, x) in (0..positions).map(|k| (k / extents[1], k % extents[1])) {
            for (ky, kx) in (0..taps).map(|k| (k / self.kernel[1], k % self.kernel[1])) {
                let place = output(0, y, ky).zip(output(1, x, kx));
                offsets.push(place.map(|(y, x)| ((y * outputs[1] + x) * channels) as u32));
            }
        }
        Gather { positions, taps, offsets, image: volume(&[outputs[0], outputs[1], channels]) }
    }
}

/// Refuses images of `extents` (h, w) whose offsets need more than 32 bits.
fn check_offsets(extents: [usize; 2], channels: usize) {
    let image = volume(&[extents[0], extents[1], channels]);
    assert!(image as u64 <= 1 << 32, "an image of {image} elements has offsets beyond 32 bits");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_outputs_as_onnx_does() {
        let pool = Window { stride: [2, 2], ..Window::plain([3, 3]) };
        assert_eq!(pool.outputs(0, 112, false), Some(55));
        assert_eq!(pool.outputs(0, 112, true), Some(56));
        assert_eq!(pool.outputs(0, 2, false), None);
        // A window that would start in the trailing padding does not count.
        let padded =
            Window { before: [1, 1], after: [1, 1], stride: [2, 2], ..Window::plain([2, 2]) };
        assert_eq!(padded.outputs(0, 3, true), Some(2));
    }

    #[test]
    fn taps_on_padding_are_missing() {
        let conv = Window { before: [1, 1], after: [1, 1], ..Window::plain([3, 3]) };
        let gather = conv.gather([2, 2], 5, [2, 2]);
        assert_eq!(
            gather.offsets[..9],
            [None, None, None, None, Some(0), Some(5), None, Some(10), Some(15)]
        );
    }
}
