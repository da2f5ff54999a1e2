//! The sliding window of convolutions and pools over `[n, c, h, w]`.

use super::gemm::Gather;

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

    /// The input pixel under tap `tap` of output `output` along `axis`, if it is not padding.
    pub fn pixel(&self, axis: usize, output: usize, tap: usize, extent: usize) -> Option<usize> {
        let padded = output * self.stride[axis] + tap * self.dilation[axis];
        padded.checked_sub(self.before[axis]).filter(|&pixel| pixel < extent)
    }

    /// Where the taps of every output lie in a channels-last image of `extents` (h, w) and
    /// `channels`, for `outputs` (h, w).
    pub fn gather(&self, extents: [usize; 2], channels: usize, outputs: [usize; 2]) -> Gather {
        if self.is_pixelwise() && outputs == extents {
            return Gather::rows(channels);
        }
        Gather {
            positions: outputs[0] * outputs[1],
            taps: self.kernel[0] * self.kernel[1],
            offsets: self.gather_all(extents, channels, outputs),
            image: extents[0] * extents[1] * channels,
        }
    }

    /// The offsets of [`gather`](Self::gather), spelt out for every output.
    pub(crate) fn gather_all(
        &self,
        extents: [usize; 2],
        channels: usize,
        outputs: [usize; 2],
    ) -> Vec<Option<u32>> {
        let mut offsets =
            Vec::with_capacity(outputs[0] * outputs[1] * self.kernel[0] * self.kernel[1]);
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
    pub fn scatter(&self, extents: [usize; 2], channels: usize, outputs: [usize; 2]) -> Gather {
        let output = |axis: usize, pixel: usize, tap: usize| {
            let start = (pixel + self.before[axis]).checked_sub(tap * self.dilation[axis])?;
            let output = start / self.stride[axis];
            (start % self.stride[axis] == 0 && output < outputs[axis]).then_some(output)
        };
        let taps = self.kernel[0] * self.kernel[1];
        let mut offsets = Vec::with_capacity(extents[0] * extents[1] * taps);
        for (y, x) in (0..extents[0] * extents[1]).map(|k| (k / extents[1], k % extents[1])) {
            for (ky, kx) in (0..taps).map(|k| (k / self.kernel[1], k % self.kernel[1])) {
                let place = output(0, y, ky).zip(output(1, x, kx));
                offsets.push(place.map(|(y, x)| ((y * outputs[1] + x) * channels) as u32));
            }
        }
        Gather {
            positions: extents[0] * extents[1],
            taps,
            offsets,
            image: outputs[0] * outputs[1] * channels,
        }
    }
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
