//! Which rows a layer's least-squares problem is made of, and what stands in them.

use brickwork_tensor::Tensor;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::options::RefitOptions;
use crate::model::layers::LayerInfo;
use crate::refit::staged_run::StagedValue;

/// Rows that a thread takes at a time.
const ROWS_AT_ONCE: usize = 64;

/// The rows of a least-squares problem: (image, output position).
pub(crate) struct Rows {
    chosen: Vec<(usize, usize)>,
    /// The first so many are to be fitted; the others, of images apart, tell how well that went.
    pub(super) fitting: usize,
    /// Output width.
    width: usize,
}

/// One image in so many tells how well the others were fitted.
pub(super) const TELLS: usize = 4;

/// How many positions a layer's `target` has in an image, and how many of them are in a line.
fn positions(layer: &LayerInfo, target: &StagedValue) -> [usize; 2] {
    match layer.weighted.window {
        Some(_) => [target.extents[1] * target.extents[2], target.extents[2]],
        None => [target.extents[..target.extents.len() - 1].iter().product(), 1],
    }
}

impl Rows {
    /// The same number of positions from every image, at random.
    pub(crate) fn choose(
        layer: &LayerInfo,
        target: &StagedValue,
        options: &RefitOptions,
        salt: u64,
    ) -> Self {
        let [positions, width] = positions(layer, target);
        let images = target.data.len() / target.extents.iter().product::<usize>().max(1);
        let each = options.rows.div_ceil(images.max(1)).clamp(1, positions);
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed ^ (salt << 32));
        let mut order: Vec<usize> = (0..positions).collect();
        let mut draw = |image: usize| {
            let mut own = Vec::with_capacity(each);
            for k in 0..each {
                let other = rng.random_range(k..positions);
                order.swap(k, other);
                own.push((image, order[k]));
            }
            own
        };
        let (tell, fit): (Vec<usize>, Vec<usize>) =
            (0..images).partition(|image| image % TELLS == TELLS - 1);
        let mut chosen: Vec<(usize, usize)> = fit.into_iter().flat_map(&mut draw).collect();
        let fitting = chosen.len();
        chosen.extend(tell.into_iter().flat_map(draw));
        Self { chosen, fitting, width }
    }

    /// So many positions, at random, of each of some images: those at `images` of `target`. Which ones depends on
    /// an image's own seed alone, not on the others.
    pub(super) fn of_images(
        layer: &LayerInfo,
        target: &StagedValue,
        each: usize,
        images: &[SeededImage],
    ) -> Self {
        let [positions, width] = positions(layer, target);
        let draw = |image: &SeededImage| {
            let mut rng = ChaCha8Rng::seed_from_u64(image.seed);
            let mut all: Vec<usize> = (0..positions).collect();
            let (drawn, _) = all.partial_shuffle(&mut rng, each.min(positions));
            drawn.iter().map(|&position| (image.index, position)).collect::<Vec<_>>()
        };
        let chosen: Vec<(usize, usize)> = images.iter().flat_map(draw).collect();
        Self { fitting: chosen.len(), chosen, width }
    }
}

/// An image, and what its positions are drawn by.
pub(super) struct SeededImage {
    pub(super) index: usize,
    pub(super) seed: u64,
}

/// Some inputs from the `first` on at the chosen rows: `[rows, inputs * taps]`, features in `[i, k]` order.
pub(super) fn features(
    layer: &LayerInfo,
    x: &StagedValue,
    rows: &Rows,
    first: usize,
    inputs: usize,
) -> Tensor {
    let count = rows.chosen.len();
    let taps = layer.weighted.taps();
    let mut data = vec![0.0f32; count * inputs * taps];
    let each: usize = x.extents.iter().product();
    let strides = strides(x);
    let places = data.par_chunks_mut(inputs * taps).zip(&rows.chosen);
    places.with_min_len(ROWS_AT_ONCE).for_each(|(row, &(image, position))| {
        let image = &x.data[image * each..(image + 1) * each];
        match &layer.weighted.window {
            Some(window) => {
                let (oy, ox) = (position / rows.width, position % rows.width);
                for tap in 0..taps {
                    let iy = window.pixel(0, oy, tap / window.kernel[1], x.extents[1]);
                    let ix = window.pixel(1, ox, tap % window.kernel[1], x.extents[2]);
                    let Some((iy, ix)) = iy.zip(ix) else { continue };
                    let at = iy * strides[1] + ix * strides[2];
                    for i in 0..inputs {
                        row[i * taps + tap] = image[at + (first + i) * strides[0]];
                    }
                }
            }
            None => {
                let logical = row_of(x, position, layer.weighted.inputs);
                for (i, own) in row.iter_mut().enumerate() {
                    *own = image[logical + (first + i) * strides[strides.len() - 1]];
                }
            }
        }
    });
    Tensor::new([count, inputs * taps], data)
}

/// Strides of a held value's axes, without the batch.
fn strides(held: &StagedValue) -> Vec<usize> {
    let mut extents = vec![1];
    extents.extend(&held.extents);
    held.order.strides(&extents)[1..].to_vec()
}

/// Offset of the `position`-th row of channels on a value's last axis.
fn row_of(held: &StagedValue, mut position: usize, channels: usize) -> usize {
    debug_assert_eq!(held.extents.last(), Some(&channels));
    let strides = strides(held);
    let mut at = 0;
    for axis in (0..held.extents.len() - 1).rev() {
        at += position % held.extents[axis] * strides[axis];
        position /= held.extents[axis];
    }
    at
}

/// A layer's results, or a value of their shape, at the chosen rows: `[channels, rows]` for the given
/// channels.
pub(super) fn picked(
    layer: &LayerInfo,
    y: &StagedValue,
    rows: &Rows,
    channels: &[usize],
) -> Tensor {
    let count = rows.chosen.len();
    let each: usize = y.extents.iter().product();
    let strides = strides(y);
    let mut data = vec![0.0f32; channels.len() * count];
    let image_like = layer.weighted.window.is_some();
    let channel = if image_like { strides[0] } else { strides[strides.len() - 1] };
    for (row, &(image, position)) in rows.chosen.iter().enumerate() {
        let at = image * each
            + if image_like {
                position / rows.width * strides[1] + position % rows.width * strides[2]
            } else {
                row_of(y, position, y.extents[y.extents.len() - 1])
            };
        for (o, &c) in channels.iter().enumerate() {
            data[o * count + row] = y.data[at + c * channel];
        }
    }
    Tensor::new([channels.len(), count], data)
}
