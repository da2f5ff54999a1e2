//! Closed-form repair of a cut: every layer is refitted to what the source layer computes, on what
//! the cut network really delivers to it.
//!
//! For a layer with cut inputs `x` (rows of receptive fields) and the source's pre-activations `y`
//! at the kept outputs, `W = W0 + (X'X + mu I)^-1 X'(Y - X W0)` on centred data, `mu` = lambda times
//! the mean diagonal of `X'X`, and `b = mean(y) - W' mean(x)`: ridge regression towards the kept
//! weights. Layers are refitted front to back; no gradient, no labels.

use std::sync::Arc;

use brickwork_graph::{Graph, Patch};
use brickwork_tensor::kernels::gemm::{Finish, Gather, Packed};
use brickwork_tensor::{Level, Tensor};
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::card::{KeptLayer, RefitNote};
use crate::error::Error;
use crate::kept::KeptMap;
use crate::layers::{LayerInfo, layers};
use crate::progress::Progress;
use crate::stages::{Held, Stages, largest_stage, place_of};

/// How to refit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefitOptions {
    /// Rows (image, position) of a layer's least-squares problem, at most.
    pub rows: usize,
    /// Ridge relative to the mean diagonal of the second moments.
    pub lambda: f64,
    /// Seed of the choice of rows.
    pub seed: u64,
}

impl Default for RefitOptions {
    fn default() -> Self {
        Self { rows: 16_384, lambda: 1e-2, seed: 0 }
    }
}

/// Bytes of activations a refit may hold.
const MEMORY: usize = 4 << 30;

/// How many images of `source` a refit can hold at once.
pub fn image_limit(source: &Graph) -> usize {
    (MEMORY / (2 * size_of::<f32>() * largest_stage(source).max(1))).max(1)
}

/// Refits every layer of `cut`, a cut of `source` with the given kept channels, on calibration
/// images `[n, c, h, w]` that are already preprocessed.
///
/// # Errors
/// If a network cannot run.
pub fn refit(
    source: &Arc<Graph>,
    cut: &Graph,
    kept: &KeptMap,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<(Graph, RefitNote), Error> {
    let source_layers = layers(source);
    let mut current = Arc::new(cut.clone());
    let mut theirs = Stages::new(source, images, batch);
    let mut ours = Stages::new(&current, images, batch);
    let mut changed = false;
    progress.begin("refitting layers", source_layers.len() as u64);
    for (place, target) in source_layers.iter().enumerate() {
        let layer = layers(&current).into_iter().find(|layer| layer.name == target.name);
        let (Some(layer), Some(kept)) = (layer, kept.get(&target.name)) else { continue };
        let whole = kept.input.len() == target.weighted.inputs
            && kept.output.len() == target.weighted.outputs;
        if changed || !whole {
            changed = true;
            ours.advance(&current, place_of(layer.node), layer.input)?;
            theirs.advance(source, place_of(target.node) + 1, target.output)?;
            let (Some(x), Some(y)) =
                (ours.get(&current, layer.input), theirs.get(source, target.output))
            else {
                continue;
            };
            let rows = Rows::choose(images.shape()[0], &layer, y, options, place as u64);
            let patch = refit_layer(&current, &layer, kept, x, y, &rows, options);
            current = Arc::new(patch.apply(&current)?);
        }
        progress.step(1);
    }
    let note = RefitNote {
        images: images.shape()[0],
        rows: options.rows,
        lambda: options.lambda,
        seed: options.seed,
    };
    Ok((Arc::unwrap_or_clone(current), note))
}

/// The rows of a least-squares problem: (image, output position).
struct Rows {
    chosen: Vec<(usize, usize)>,
    /// Output width.
    width: usize,
}

impl Rows {
    /// The same number of positions from every image, at random.
    fn choose(
        images: usize,
        layer: &LayerInfo,
        target: &Held,
        options: &RefitOptions,
        salt: u64,
    ) -> Self {
        let (positions, width) = match layer.weighted.window {
            Some(_) => (target.extents[1] * target.extents[2], target.extents[2]),
            None => (target.extents[..target.extents.len() - 1].iter().product(), 1),
        };
        let each = options.rows.div_ceil(images).clamp(1, positions);
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

/// The patch that gives a layer its refitted weights and bias.
fn refit_layer(
    graph: &Graph,
    layer: &LayerInfo,
    kept: &KeptLayer,
    x: &Held,
    y: &Held,
    rows: &Rows,
    options: &RefitOptions,
) -> Patch {
    let weighted = &layer.weighted;
    let (taps, groups) = (weighted.taps(), weighted.groups);
    let (inputs, outputs) = (weighted.inputs / groups, weighted.outputs / groups);
    let mut weights = layer.weights(graph);
    let mut bias = vec![0.0f32; weighted.outputs];
    for group in 0..groups {
        let features = features(layer, x, rows, group * inputs, inputs);
        let own: Vec<usize> = kept.output[group * outputs..(group + 1) * outputs].to_vec();
        let targets = targets(layer, y, rows, &own);
        let at = group * outputs * inputs * taps;
        let block = &mut weights.data_mut()[at..at + outputs * inputs * taps];
        let centred = weighted.bias_slot.is_some();
        // Stored as [o, i, k]; the features of a row are in the same order.
        let shift =
            solve(features, targets, block, inputs * taps, outputs, options.lambda, centred);
        bias[group * outputs..(group + 1) * outputs].copy_from_slice(&shift);
    }
    let mut patch = Patch::new(format!("refitting `{}`", layer.name));
    if let Some(stored) = &graph.value(layer.weight).constant {
        let data = Arc::new(weighted.store(&weights, stored));
        // A constant of its own: shared weights are refitted for each reader.
        patch.operand(layer.node, 1, &graph.value(layer.weight).name, data);
    }
    if let Some(slot) = weighted.bias_slot {
        let name = match graph.node(layer.node).input(slot) {
            Some(value) => graph.value(value).name.clone(),
            None => format!("{}.bias", layer.name),
        };
        patch.operand(layer.node, slot, name, Arc::new(Tensor::vector(bias)));
    }
    patch
}

/// Inputs of one group at the chosen rows: `[inputs * taps, rows]`, features in `[i, k]` order.
fn features(layer: &LayerInfo, x: &Held, rows: &Rows, first: usize, inputs: usize) -> Tensor {
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
fn strides(held: &Held) -> Vec<usize> {
    let mut extents = vec![1];
    extents.extend(&held.extents);
    held.order.strides(&extents)[1..].to_vec()
}

/// Offset of the `position`-th row of channels on a value's last axis.
fn row_of(held: &Held, mut position: usize, channels: usize) -> usize {
    debug_assert_eq!(held.extents.last(), Some(&channels));
    let strides = strides(held);
    let mut at = 0;
    for axis in (0..held.extents.len() - 1).rev() {
        at += position % held.extents[axis] * strides[axis];
        position /= held.extents[axis];
    }
    at
}

/// The source's pre-activations at the chosen rows: `[outputs, rows]` for the given outputs.
fn targets(layer: &LayerInfo, y: &Held, rows: &Rows, outputs: &[usize]) -> Tensor {
    let count = rows.chosen.len();
    let each: usize = y.extents.iter().product();
    let strides = strides(y);
    let mut data = vec![0.0f32; outputs.len() * count];
    let image_like = layer.weighted.window.is_some();
    let channel = if image_like { strides[0] } else { strides[strides.len() - 1] };
    for (row, &(image, position)) in rows.chosen.iter().enumerate() {
        let at = image * each
            + if image_like {
                position / rows.width * strides[1] + position % rows.width * strides[2]
            } else {
                row_of(y, position, y.extents[y.extents.len() - 1])
            };
        for (o, &output) in outputs.iter().enumerate() {
            data[o * count + row] = y.data[at + output * channel];
        }
    }
    Tensor::new([outputs.len(), count], data)
}

/// Solves one group in place: `weights` `[outputs, features]`, with `x` `[features, rows]` and `y`
/// `[outputs, rows]`; returns the biases.
pub(crate) fn solve(
    mut x: Tensor,
    mut y: Tensor,
    weights: &mut [f32],
    features: usize,
    outputs: usize,
    lambda: f64,
    centred: bool,
) -> Vec<f32> {
    let rows = x.shape()[1];
    let (x_means, y_means) = if centred {
        (centre(&mut x), centre(&mut y))
    } else {
        (vec![0.0; features], vec![0.0; outputs])
    };
    // What the kept weights leave unexplained: [outputs, rows].
    let explained = product(weights, outputs, &transposed(&x), rows);
    y.data_mut().iter_mut().zip(&explained).for_each(|(y, e)| *y -= e);
    let energy: f64 = x.data().iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    let ridge = lambda * energy / features as f64;
    if ridge > 0.0 {
        let step = if features <= rows { primal(&x, &y, ridge) } else { dual(&x, &y, ridge) };
        weights.iter_mut().zip(step).for_each(|(w, s)| *w += s);
    }
    (0..outputs)
        .map(|o| {
            let row = &weights[o * features..(o + 1) * features];
            let shift: f64 = row.iter().zip(&x_means).map(|(&w, m)| f64::from(w) * m).sum();
            (y_means[o] - shift) as f32
        })
        .collect()
}

/// Subtracts and returns the mean of every row.
fn centre(array: &mut Tensor) -> Vec<f64> {
    let count = array.shape()[1];
    array
        .data_mut()
        .chunks_mut(count)
        .map(|row| {
            let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / count as f64;
            row.iter_mut().for_each(|v| *v -= mean as f32);
            mean
        })
        .collect()
}

fn transposed(array: &Tensor) -> Tensor {
    array.transpose(&[1, 0])
}

/// `a b'` for `a` `[m, k]` and `b` `[n, k]`: `[m, n]`.
fn product(a: &[f32], m: usize, b: &Tensor, n: usize) -> Vec<f32> {
    let inner = b.shape()[1];
    let packed = Packed::new(Level::best(), b.data(), None, n, inner, 1, 1);
    let mut out = vec![0.0; m * n];
    packed.run(&Gather::rows(inner), a, m, Finish::PLAIN, &mut out);
    out
}

/// `(X X' + ridge)^-1 X R'` with X `[features, rows]`, R `[outputs, rows]`, as `[outputs, features]`.
fn primal(x: &Tensor, residual: &Tensor, ridge: f64) -> Vec<f32> {
    let (features, outputs) = (x.shape()[0], residual.shape()[0]);
    let gram = product(x.data(), features, x, features);
    let right = product(x.data(), features, residual, outputs);
    let solved = regress(&gram, features, &right, outputs, ridge);
    (0..outputs * features).map(|k| solved[(k % features, k / features)] as f32).collect()
}

/// The same by the smaller system over rows: `X (X' X + ridge)^-1 R'`.
fn dual(x: &Tensor, residual: &Tensor, ridge: f64) -> Vec<f32> {
    let (features, rows, outputs) = (x.shape()[0], x.shape()[1], residual.shape()[0]);
    let by_row = transposed(x);
    let gram = product(by_row.data(), rows, &by_row, rows);
    let right = transposed(residual);
    let solved = regress(&gram, rows, right.data(), outputs, ridge);
    let weights: Vec<f32> =
        (0..outputs * rows).map(|k| solved[(k % rows, k / rows)] as f32).collect();
    product(&weights, outputs, x, features)
}

/// Solves `(gram + ridge) s = right` for symmetric `gram` `[n, n]` and `right` `[n, m]`.
fn regress(gram: &[f32], n: usize, right: &[f32], m: usize, ridge: f64) -> Mat<f64> {
    let at = |row: usize, column: usize| {
        f64::from(gram[row * n + column]) + if row == column { ridge } else { 0.0 }
    };
    let matrix = Mat::from_fn(n, n, at);
    let right = Mat::from_fn(n, m, |row, column| f64::from(right[row * m + column]));
    match matrix.llt(Side::Lower) {
        Ok(factor) => factor.solve(&right),
        // Rounding made a nearly singular matrix indefinite: pivot instead.
        Err(_) => matrix.partial_piv_lu().solve(&right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y = W x + b exactly; a wrong W0 must be repaired, from either side of the system.
    fn repaired(features: usize, rows: usize) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let x = crate::random::uniform([features, rows], -1.0, 2.0, 1);
        let truth = crate::random::uniform([3, features], -1.0, 1.0, 2).into_data();
        let bias = [0.5f32, -1.0, 2.0];
        let mut y = product(&truth, 3, &transposed(&x), rows);
        y.iter_mut().enumerate().for_each(|(k, v)| *v += bias[k / rows]);
        let mut weights = vec![0.0; 3 * features];
        let y = Tensor::new([3, rows], y);
        let shift = solve(x, y, &mut weights, features, 3, 1e-9, true);
        (weights, truth, shift)
    }

    #[test]
    fn exact_maps_are_found() {
        let (weights, truth, shift) = repaired(12, 400);
        for (w, t) in weights.iter().zip(&truth) {
            assert!((w - t).abs() < 1e-3, "{w} {t}");
        }
        assert!((shift[0] - 0.5).abs() < 1e-3 && (shift[2] - 2.0).abs() < 1e-3);
    }

    #[test]
    fn both_sides_of_the_system_agree() {
        let x = crate::random::uniform([20, 15], -1.0, 1.0, 3);
        let r = crate::random::uniform([4, 15], -1.0, 1.0, 4);
        for (a, b) in primal(&x, &r, 0.3).iter().zip(dual(&x, &r, 0.3)) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn a_strong_ridge_keeps_the_weights() {
        let x = crate::random::uniform([5, 50], -1.0, 1.0, 5);
        let y = crate::random::uniform([2, 50], -1.0, 1.0, 6);
        let mut weights = vec![0.25; 10];
        solve(x, y, &mut weights, 5, 2, 1e9, true);
        assert!(weights.iter().all(|w| (w - 0.25).abs() < 1e-4));
    }
}
