//! What a layer of a cut network should give.
//!
//! Followed by `f(scale * y + shift + r)`, with a value `r` that was made before (a shortcut, say), a
//! layer does well if that sum is right, not if `y` is. So
//! - what the cut network got wrong in `r` is put right here: `y* = y + (r - r') / scale`;
//! - where the source's sum lies on a flat side of `f`, any sum on that side will do.

use brickwork_exec::Chain;
use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::Tensor;

use super::RefitOptions;
use super::ridge::Ridge;
use super::rows::{Rows, picked};
use crate::card::KeptLayer;
use crate::layers::LayerInfo;
use crate::stages::{Held, Stages};

/// Scales below this part of their layer's largest tell nothing about what was scaled.
const LEAST_SCALE: f32 = 1e-3;

/// What a layer and its counterpart in the source are followed by.
pub(super) struct Followed<'a> {
    ours: Option<&'a Chain>,
    theirs: Option<&'a Chain>,
}

impl<'a> Followed<'a> {
    pub(super) fn new(
        (ours, layer): (&'a [Chain], &LayerInfo),
        (theirs, target): (&'a [Chain], &LayerInfo),
    ) -> Self {
        let of = |chains: &'a [Chain], layer: &LayerInfo| {
            chains.iter().find(|chain| chain.host == layer.node)
        };
        Self { ours: of(ours, layer), theirs: of(theirs, target) }
    }

    /// The values that are added to the layer's results, in the cut network and in the source.
    pub(super) fn residuals(&self) -> Option<(ValueId, ValueId)> {
        self.ours?.residual.zip(self.theirs?.residual)
    }

    /// What the layer should give. Values are held by `ours` and `theirs`; those of the source at
    /// the `kept` outputs count.
    pub(super) fn aim<'h>(
        &self,
        (graph, ours): (&Graph, &'h Stages),
        (source, theirs): (&Graph, &'h Stages),
        kept: &KeptLayer,
        options: &RefitOptions,
    ) -> Aim<'h> {
        let count = kept.output.len();
        let sides = self
            .residuals()
            .and_then(|(own, other)| ours.get(graph, own).zip(theirs.get(source, other)));
        let epilogue = self.ours.map(|chain| &chain.epilogue);
        let affine = epilogue.and_then(|epilogue| epilogue.affine.clone());
        let (scale, shift) = affine.unwrap_or_else(|| (vec![1.0; count], vec![0.0; count]));
        // A sum whose other side is not at hand is not known.
        let known = sides.is_some() || epilogue.is_some_and(|epilogue| !epilogue.residual);
        let function = epilogue.and_then(|epilogue| epilogue.pointwise.as_ref());
        let flat =
            function.filter(|_| known).map_or((f32::NEG_INFINITY, f32::INFINITY), |f| f.flat());
        let sides = sides.filter(|_| options.corrects);
        Aim { scale, shift, flat, sides, rounds: options.rounds }
    }
}

/// What a layer should give.
pub(super) struct Aim<'a> {
    scale: Vec<f32>,
    shift: Vec<f32>,
    flat: (f32, f32),
    /// What is added: in the cut network, in the source.
    sides: Option<(&'a Held, &'a Held)>,
    rounds: usize,
}

impl Aim<'_> {
    /// Solves for the outputs `[first, first + outputs)`, whose numbers in the source are `own`:
    /// moves `weights` `[outputs, features]`, returns the biases. `given` `[outputs, rows]` is what
    /// the source's layer gives.
    pub(super) fn fit(
        &self,
        problem: &Ridge,
        (layer, rows): (&LayerInfo, &Rows),
        (first, own): (usize, &[usize]),
        mut given: Tensor,
        weights: &mut [f32],
    ) -> Vec<f32> {
        let count = own.len();
        let (scale, shift) = (&self.scale[first..first + count], &self.shift[first..first + count]);
        let largest = self.scale.iter().fold(0.0f32, |top, s| top.max(s.abs()));
        let tells = |o: usize| scale[o].abs() > LEAST_SCALE * largest;
        let mut added = Tensor::filled(given.shape(), 0.0);
        if let Some((ours, theirs)) = self.sides {
            let here: Vec<usize> = (first..first + count).collect();
            added = picked(layer, ours, rows, &here);
            let there = picked(layer, theirs, rows, own);
            let each = rows.len();
            for (k, y) in given.data_mut().iter_mut().enumerate() {
                if tells(k / each) {
                    *y += (there.data()[k] - added.data()[k]) / scale[k / each];
                }
            }
        }
        let start = weights.to_vec();
        let mut biases = problem.fit(given.clone(), weights);
        let bends = self.flat.0 > f32::NEG_INFINITY || self.flat.1 < f32::INFINITY;
        for _ in 0..if bends { self.rounds } else { 0 } {
            let mut eased = given.clone();
            let predicted = problem.predict(weights, &biases);
            for (k, y) in eased.data_mut().iter_mut().enumerate() {
                let o = k / rows.len();
                if tells(o) {
                    let sum = |y: f32| scale[o] * y + shift[o] + added.data()[k];
                    let wanted = nearest(sum(*y), sum(predicted[k]), self.flat);
                    *y = (wanted - shift[o] - added.data()[k]) / scale[o];
                }
            }
            weights.copy_from_slice(&start);
            biases = problem.fit(eased, weights);
        }
        biases
    }
}

/// The argument nearest to `found` that does as well as `wanted` under a function that is constant
/// up to `low` and from `high` on.
fn nearest(wanted: f32, found: f32, (low, high): (f32, f32)) -> f32 {
    if wanted <= low {
        found.min(low)
    } else if wanted >= high {
        found.max(high)
    } else {
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_sides_are_as_good_as_what_was_wanted() {
        let relu = (0.0, f32::INFINITY);
        assert_eq!(nearest(-2.0, -5.0, relu), -5.0);
        assert_eq!(nearest(-2.0, 3.0, relu), 0.0);
        assert_eq!(nearest(2.0, -5.0, relu), 2.0);
        assert_eq!(nearest(7.0, 9.0, (0.0, 6.0)), 9.0);
        assert_eq!(nearest(7.0, 1.0, (0.0, 6.0)), 6.0);
    }
}
