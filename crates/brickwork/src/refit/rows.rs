//! Which rows a layer's least-squares problem is made of, and what stands in them.

use brickwork_tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::options::RefitOptions;
use crate::model::layers::LayerInfo;
use crate::refit::staged_run::StagedValue;

/// The rows of a least-squares problem: (image, output position).
pub(crate) struct Rows {
    chosen: Vec<(usize, usize)>,
    /// Output width.
    width: usize,
}

impl Rows {
    /// The same number of positions from every image, at random.
    pub(crate) fn choose(
        layer: &LayerInfo,
        target: &StagedValue,
        options: &RefitOptions,
        salt: u64,
    ) -> Self {
        let (positions, width) = match layer.weighted.window {
            Some(_) => (target.extents[1] * target.extents[2], target.extents[2]),
            None => (target.extents[..target.extents.len() - 1].iter().product(), 1),
        };
        let images = target.data.len() / target.extents.iter().product::<usize>().max(1);
        let each = options.rows.div_ceil(images.max(1)).clamp(1, positions);
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed ^ (salt << 32));
        let mut order: Vec<usize> = (0..positions).collect();
        let mut chosen = Vec::with_capacity(images * each);
        for image in 0..images {
            for k in 0..each {
                let other = rng.random_range(k..positions);
                order.swap(k, other);
                chosen.push((image, order[k]));
            }
        }
        Self { chosen, width }
    }
}

/// Inputs of one group at the chosen rows: `[inputs * taps, rows]`, features in `[i, k]` order.
pub(super) fn features(
    layer: &LayerInfo,
    x: &StagedValue,
    rows: &Rows,
    first: usize,
    inputs: usize,
) -> Tensor {
    let count = rows.chosen.len();
    let taps = layer.weighted.taps();
    let mut data = vec![0.0f32; inputs * taps * count];
    let each: usize = x.extents.iter().product();
    let strides = strides(x);
    for (row, &(image, position)) in rows.chosen.iter().enumerate() {
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
                        data[(i * taps + tap) * count + row] = image[at + (first + i) * strides[0]];
                    }
                }
            }
            None => {
                let channels = layer.weighted.inputs;
                let logical = row_of(x, position, channels);
                for i in 0..inputs {
                    data[i * count + row] =
                        image[logical + (first + i) * strides[strides.len() - 1]];
                }
            }
        }
    }
    Tensor::new([inputs * taps, count], data)
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
