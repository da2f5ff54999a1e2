//! Dense and grouped convolution: picks the quickest way for its shapes, once.
//!
//! Three ways: a product over gathered taps; the same over whole lines of taps, for images of few
//! channels; tiles in transformed form (Winograd).
//!
//! The choice depends on the shapes and on the number of images a caller means to run at a time,
//! never on the images of a batch, so a sample's result does not depend on its neighbours.

use rayon::prelude::*;

use super::depthwise::Extents;
use super::gemm::{Finish, Gather, Packed};
use super::window::Window;
use super::winograd::Winograd;
use crate::buffer::Buffer;
use crate::nd::volume;
use crate::simd::Level;

/// A convolution with packed weights, for images of one size.
#[derive(Debug)]
pub struct Convolution {
    input: [usize; 2],
    output: [usize; 2],
    way: Way,
}

#[derive(Debug)]
enum Way {
    Product {
        weights: Packed,
        gather: Gather,
    },
    /// The taps of a line of the kernel lie side by side in an image that includes its padding.
    Lines {
        weights: Packed,
        gather: Gather,
        padded: Padded,
    },
    Tiles(Winograd),
}

/// What a convolution is made from.
#[derive(Clone, Debug)]
pub struct Shapes {
    /// The sliding window.
    pub window: Window,
    /// Input and output channels.
    pub channels: [usize; 2],
    /// Groups; divides both.
    pub groups: usize,
    /// Height and width of the input and of the output.
    pub sizes: [[usize; 2]; 2],
    /// Images usually run at a time; with none the plain product is taken.
    pub images: usize,
}

impl Convolution {
    /// Packs `weights` (`[o, c / groups, kh, kw]`) and `bias` (`[o]`).
    ///
    /// # Panics
    /// If the lengths do not fit the shapes.
    pub fn new(level: Level, shapes: &Shapes, weights: &[f32], bias: &[f32]) -> Self {
        let Shapes { window, channels: [channels, outputs], groups, .. } = shapes;
        let [input, output] = shapes.sizes;
        shapes.check(weights);
        assert_eq!(bias.len(), *outputs, "bias count");
        let way = if let Some(side) = shapes.tile() {
            Way::Tiles(Winograd::new(level, side, weights, bias, *channels, window.before))
        } else if shapes.has_short_runs() {
            shapes.lines(level, weights, bias)
        } else {
            let taps = volume(&window.kernel);
            Way::Product {
                weights: Packed::new(
                    level,
                    weights,
                    Some(bias),
                    *outputs,
                    *channels,
                    taps,
                    *groups,
                ),
                gather: window.gather(input, *channels, output),
            }
        };
        Self { input, output, way }
    }

    /// The convolution that takes the gradient of the output, `[images, oh, ow, o]`, to that of the
    /// input, `[images, h, w, c]`: every input pixel sums what the outputs that read it pass back.
    ///
    /// # Panics
    /// If the lengths do not fit the shapes.
    pub fn backward(level: Level, shapes: &Shapes, weights: &[f32]) -> Self {
        let [channels, outputs] = shapes.channels;
        let [input, output] = shapes.sizes;
        let back = shapes.backward();
        let turned = shapes.turned(weights, back.is_some());
        if let Some(back) = back {
            return Self::new(level, &back, &turned, &vec![0.0; channels]);
        }
        let taps = volume(&shapes.window.kernel);
        let way = Way::Product {
            weights: Packed::new(level, &turned, None, channels, outputs, taps, shapes.groups),
            gather: shapes.window.scatter(input, outputs, output),
        };
        Self { input: output, output: input, way }
    }

    /// Convolves `input` `[images, h, w, c]` into `out` `[images, oh, ow, o]`. `scratch` is for
    /// the convolution to use.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn run(
        &self,
        images: usize,
        input: &[f32],
        finish: Finish<'_>,
        out: &mut [f32],
        scratch: &mut Buffer,
    ) {
        let rows = volume(&[images, self.output[0], self.output[1]]);
        match &self.way {
            Way::Product { weights, gather } => weights.run(gather, input, rows, finish, out),
            Way::Lines { weights, gather, padded } => {
                let image = padded.fill(images, input, scratch);
                weights.run(gather, image, rows, finish, out);
            }
            Way::Tiles(weights) => {
                let extents = Extents { images, input: self.input, output: self.output };
                weights.run(input, extents, finish, out, scratch);
            }
        }
    }
}

/// An image size and the zeros around it.
#[derive(Debug)]
struct Padded {
    /// Height and, in elements, width of an image.
    inner: [usize; 2],
    /// The same with padding.
    outer: [usize; 2],
    /// Where the image starts.
    start: [usize; 2],
}

impl Padded {
    /// Copies images into zeros.
    fn fill<'a>(&self, images: usize, input: &[f32], scratch: &'a mut Buffer) -> &'a [f32] {
        let [height, width] = self.inner;
        assert_eq!(input.len(), volume(&[images, height, width]), "input length");
        let image = scratch.ensure(volume(&[images, self.outer[0], self.outer[1]]));
        image.par_chunks_mut(self.outer[1]).enumerate().for_each(|(line, to)| {
            let (n, y) = (line / self.outer[0], line % self.outer[0]);
            to.fill(0.0);
            if let Some(y) = y.checked_sub(self.start[0]).filter(|&y| y < height) {
                let from = (n * height + y) * width;
                to[self.start[1]..][..width].copy_from_slice(&input[from..from + width]);
            }
        });
        image
    }
}

/// Channels up to which taps are too short to be multiplied one by one.
const SHORT_RUN: usize = 4;
/// Multiplications that take as long as reading one weight from memory.
const WEIGHT_COST: usize = 16;
/// Multiplications that take as long as transforming one number of a tile.
const TRANSFORM_COST: usize = 12;

impl Shapes {
    /// Panics unless `weights` is `[o, c / groups, kh, kw]` with whole groups.
    fn check(&self, weights: &[f32]) {
        let [channels, outputs] = self.channels;
        assert_eq!([channels % self.groups, outputs % self.groups], [0, 0], "groups must divide");
        let count = volume(&[outputs, channels / self.groups, volume(&self.window.kernel)]);
        assert_eq!(weights.len(), count, "weight count");
    }

    /// The shapes of the gradient's way back, where that is a plain convolution with the kernel
    /// turned by half a circle: without strides, and with no more padding than the kernel spans.
    fn backward(&self) -> Option<Self> {
        let Window { dilation, before, after, kernel, stride } = &self.window;
        let most = [0, 1].map(|axis| self.window.span(axis) - 1);
        let rest = |pads: &[usize; 2]| {
            Some([most[0].checked_sub(pads[0])?, most[1].checked_sub(pads[1])?])
        };
        let window = Window {
            before: rest(before)?,
            after: rest(after)?,
            dilation: *dilation,
            ..Window::plain(*kernel)
        };
        (*stride == [1, 1]).then(|| Self {
            window,
            channels: [self.channels[1], self.channels[0]],
            groups: self.groups,
            sizes: [self.sizes[1], self.sizes[0]],
            images: self.images,
        })
    }

    /// Weights `[o, c / groups, taps]` as `[c, o / groups, taps]`, the taps in reverse if asked.
    fn turned(&self, weights: &[f32], reverse: bool) -> Vec<f32> {
        let [channels, outputs] = self.channels;
        let taps = volume(&self.window.kernel);
        let (each, columns) = (channels / self.groups, outputs / self.groups);
        self.check(weights);
        let mut turned = vec![0.0; weights.len()];
        turned.par_chunks_mut((columns * taps).max(1)).enumerate().for_each(|(c, rows)| {
            let (group, i) = (c / each, c % each);
            for (column, row) in rows.chunks_mut(taps).enumerate() {
                let from = ((group * columns + column) * each + i) * taps;
                row.copy_from_slice(&weights[from..from + taps]);
                if reverse {
                    row.reverse();
                }
            }
        });
        turned
    }

    /// Outputs per side of the tiles to work by, if that is quicker than the plain product.
    fn tile(&self) -> Option<usize> {
        let plain = Window {
            before: self.window.before,
            after: self.window.after,
            ..Window::plain([3, 3])
        };
        if self.images == 0 || self.groups != 1 || self.window != plain {
            return None;
        }
        let [c, o] = self.channels;
        let [height, width] = self.sizes[1];
        let direct = 9 * c * o * (self.images * height * width + WEIGHT_COST);
        [4, 2]
            .into_iter()
            .map(|side| {
                let points = (side + 2) * (side + 2);
                let tiles = self.images * height.div_ceil(side) * width.div_ceil(side);
                let products = points * c * o * (tiles + WEIGHT_COST);
                (side, products + points * tiles * (c + o) * TRANSFORM_COST)
            })
            .min_by_key(|&(_, cost)| cost)
            .filter(|&(_, cost)| cost < direct)
            .map(|(side, _)| side)
    }

    fn has_short_runs(&self) -> bool {
        let [_, width] = self.window.kernel;
        self.groups == 1
            && self.channels[0] <= SHORT_RUN
            && width > 1
            && self.window.dilation[1] == 1
    }

    fn lines(&self, level: Level, weights: &[f32], bias: &[f32]) -> Way {
        let [c, o] = self.channels;
        let Window { kernel: [kh, kw], before, after, .. } = &self.window;
        let [input, output] = self.sizes;
        let [height, width] = [0, 1].map(|axis| input[axis] + before[axis] + after[axis]);
        let mut turned = Vec::with_capacity(weights.len());
        for w in weights.chunks_exact((c * kh * kw).max(1)) {
            for run in 0..kw * c {
                let (kx, channel) = (run / c, run % c);
                turned.extend((0..*kh).map(|ky| w[(channel * kh + ky) * kw + kx]));
            }
        }
        let line =
            Window { kernel: [*kh, 1], before: [0; 2], after: [0; 2], ..self.window.clone() };
        Way::Lines {
            weights: Packed::new(level, &turned, Some(bias), o, kw * c, *kh, 1),
            gather: line.gather([height, width], c, output),
            padded: Padded {
                inner: [input[0], input[1] * c],
                outer: [height, width * c],
                start: [before[0], before[1] * c],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;
    use proptest::prelude::*;

    /// The definition, in f64, channels last.
    fn naive(shapes: &Shapes, images: usize, x: &[f32], w: &[f32], b: &[f32]) -> Vec<f64> {
        let [c, o] = shapes.channels;
        let [[h, width], [oh, ow]] = shapes.sizes;
        let [kh, kw] = shapes.window.kernel;
        let (gc, go) = (c / shapes.groups, o / shapes.groups);
        let mut out = Vec::new();
        for (n, y, column, k) in (0..images * oh * ow * o)
            .map(|i| (i / (oh * ow * o), i / (ow * o) % oh, i / o % ow, i % o))
        {
            let mut sum = f64::from(b[k]);
            for (ky, kx) in (0..kh * kw).map(|t| (t / kw, t % kw)) {
                let row = shapes.window.pixel(0, y, ky, h);
                let Some((r, s)) = row.zip(shapes.window.pixel(1, column, kx, width)) else {
                    continue;
                };
                for i in 0..gc {
                    let x = x[((n * h + r) * width + s) * c + k / go * gc + i];
                    sum += f64::from(x) * f64::from(w[((k * gc + i) * kh + ky) * kw + kx]);
                }
            }
            out.push(sum);
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(80))]
        #[test]
        fn every_way_equals_the_definition(
            kernel in [1usize..5, 1usize..5], stride in [1usize..3, 1usize..3],
            dilation in [1usize..3, 1usize..3], before in [0usize..3, 0usize..3],
            after in [0usize..3, 0usize..3], input in [1usize..12, 1usize..12],
            gc in 1usize..9, go in 1usize..20, groups in 1usize..3, images in 1usize..4,
        ) {
            let window = Window { kernel, stride, dilation, before, after };
            let output = [0, 1].map(|axis| window.outputs(axis, input[axis], false));
            let (Some(oh), Some(ow)) = (output[0], output[1]) else { return Ok(()) };
            let channels = [gc * groups, go * groups];
            let shapes = Shapes { window, channels, groups, sizes: [input, [oh, ow]], images };
            let x = noise(images * input[0] * input[1] * channels[0], 1);
            let w = noise(channels[1] * gc * kernel[0] * kernel[1], 2);
            let b = noise(channels[1], 3);
            let expected = naive(&shapes, images, &x, &w, &b);
            for level in Level::available() {
                let conv = Convolution::new(level, &shapes, &w, &b);
                let mut out = vec![f32::NAN; expected.len()];
                conv.run(images, &x, Finish::PLAIN, &mut out, &mut Buffer::default());
                for (a, b) in out.iter().zip(&expected) {
                    prop_assert!((f64::from(*a) - b).abs() < 1e-4, "{level:?} {:?}: {a} {b}", conv.way);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(80))]
        /// `<conv(x), dy> = <x, backward(dy)>`: the way back is the transpose.
        #[test]
        fn the_way_back_is_the_transpose(
            kernel in [1usize..5, 1usize..5], stride in [1usize..4, 1usize..4],
            dilation in [1usize..3, 1usize..3], before in [0usize..4, 0usize..4],
            after in [0usize..4, 0usize..4], input in [1usize..12, 1usize..12],
            gc in 1usize..9, go in 1usize..20, groups in 1usize..3, images in 1usize..4,
        ) {
            let window = Window { kernel, stride, dilation, before, after };
            let output = [0, 1].map(|axis| window.outputs(axis, input[axis], false));
            let (Some(oh), Some(ow)) = (output[0], output[1]) else { return Ok(()) };
            let channels = [gc * groups, go * groups];
            let shapes = Shapes { window, channels, groups, sizes: [input, [oh, ow]], images };
            let x = noise(images * input[0] * input[1] * channels[0], 1);
            let w = noise(channels[1] * gc * kernel[0] * kernel[1], 2);
            let dy = noise(images * oh * ow * channels[1], 3);
            let y = naive(&shapes, images, &x, &w, &vec![0.0; channels[1]]);
            let forth: f64 = y.iter().zip(&dy).map(|(a, b)| a * f64::from(*b)).sum();
            for level in Level::available() {
                let back = Convolution::backward(level, &shapes, &w);
                let mut dx = vec![f32::NAN; x.len()];
                back.run(images, &dy, Finish::PLAIN, &mut dx, &mut Buffer::default());
                let round: f64 =
                    dx.iter().zip(&x).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let scale = 1.0 + (y.len() as f64).sqrt();
                prop_assert!((forth - round).abs() < 1e-4 * scale, "{:?}: {forth} {round}", back.way);
            }
        }
    }

    #[test]
    fn each_way_is_taken_where_it_pays() {
        let way = |kernel, channels, size, images| {
            let window = Window { before: [1; 2], after: [1; 2], ..Window::plain(kernel) };
            let output = [0, 1].map(|axis| window.outputs(axis, size, false).unwrap());
            let shapes = Shapes { window, channels, groups: 1, sizes: [[size; 2], output], images };
            let weights = vec![0.0; channels[0] * channels[1] * kernel[0] * kernel[1]];
            Convolution::new(Level::portable(), &shapes, &weights, &vec![0.0; channels[1]]).way
        };
        assert!(matches!(way([7, 7], [3, 64], 224, 1), Way::Lines { .. }));
        assert!(matches!(way([3, 3], [64, 64], 56, 1), Way::Tiles(_)));
        assert!(matches!(way([1, 1], [64, 64], 56, 1), Way::Product { .. }));
        assert!(matches!(way([3, 3], [512, 512], 2, 1), Way::Product { .. }));
        assert!(matches!(way([3, 3], [512, 512], 2, 64), Way::Tiles(_)));
    }
}
