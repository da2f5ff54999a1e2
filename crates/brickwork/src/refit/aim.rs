//! What a layer of a cut network should give.
//!
//! Followed by `f(scale * y + shift + r)`, with a value `r` that was made before (a shortcut, say), a
//! layer does well if that sum is right, not if `y` is. So
//! - what the cut network got wrong in `r` is put right here: `y* = y + (r - r') / scale`;
//! - where the source's sum lies on a flat side of `f`, any sum on that side will do.

use std::ops::Range;

use brickwork_exec::Chain;
use brickwork_graph::ValueId;
use brickwork_tensor::Tensor;

use super::options::RefitOptions;
use super::ridge::Ridge;
use super::rows::{Rows, picked};
use crate::model::card::KeptLayer;
use crate::model::layers::LayerInfo;
use crate::refit::staged_run::StagedValue;

/// Scales below this part of their layer's largest tell nothing about what was scaled.
const LEAST_SCALE: f32 = 1e-3;

/// What a layer and its counterpart in the source are followed by.
pub(super) struct Followed<'a> {
    pub(super) ours: Option<&'a Chain>,
    pub(super) theirs: Option<&'a Chain>,
}

/// What a layer is followed by.
pub(super) fn follower<'a>(chains: &'a [Chain], layer: &LayerInfo) -> Option<&'a Chain> {
    chains.iter().find(|chain| chain.host == layer.node)
}

impl Followed<'_> {
    /// The values that are added to the layer's results, in the cut network and in the source.
    pub(super) fn residuals(&self) -> Option<(ValueId, ValueId)> {
        self.ours?.residual.zip(self.theirs?.residual)
    }

    /// What the layer should give; of the source the `kept` outputs count. `sides` are the
    /// [residuals](Self::residuals), if they are at hand.
    pub(super) fn aim<'h>(
        &self,
        sides: Option<(&'h StagedValue, &'h StagedValue)>,
        kept: &'h KeptLayer,
        options: &RefitOptions,
    ) -> Aim<'h> {
        let count = kept.output.len();
        let epilogue = self.ours.map(|chain| &chain.epilogue);
        let affine = epilogue.and_then(|epilogue| epilogue.affine.clone());
        let (scale, shift) = affine.unwrap_or_else(|| (vec![1.0; count], vec![0.0; count]));
        // A sum whose other side is not at hand is not known.
        let known = sides.is_some() || epilogue.is_some_and(|epilogue| !epilogue.residual);
        let function = epilogue.and_then(|epilogue| epilogue.pointwise.as_ref());
        let flat =
            function.filter(|_| known).map_or((f32::NEG_INFINITY, f32::INFINITY), |f| f.flat());
        let RefitOptions { corrects, rounds, .. } = *options;
        Aim { kept: &kept.output, scale, shift, flat, sides, corrects, rounds }
    }
}

/// What a layer should give.
pub(super) struct Aim<'a> {
    /// The numbers of all outputs in the source.
    pub(super) kept: &'a [usize],
    scale: Vec<f32>,
    shift: Vec<f32>,
    flat: (f32, f32),
    /// What is added: in the cut network, in the source.
    sides: Option<(&'a StagedValue, &'a StagedValue)>,
    corrects: bool,
    rounds: usize,
}

impl Aim<'_> {
    /// Solves for some of the outputs: moves `weights` `[outputs, features]`, returns the biases. `given`
    /// `[outputs, rows]` is what the source's layer gives.
    pub(super) fn fit(
        &self,
        problem: &Ridge,
        layer: &LayerInfo,
        rows: &Rows,
        outputs: Range<usize>,
        mut given: Tensor,
        weights: &mut [f32],
    ) -> Vec<f32> {
        let first = outputs.start;
        let mut added = Tensor::filled(given.shape(), 0.0);
        if let Some((ours, theirs)) = self.sides {
            added = picked(layer, ours, rows, &outputs.clone().collect::<Vec<_>>());
            if self.corrects {
                let theirs = picked(layer, theirs, rows, &self.kept[outputs]);
                self.correct(&mut given, &added, &theirs, first);
            }
        }
        let start = weights.to_vec();
        let mut biases = problem.fit(given.clone(), weights);
        let bends = self.flat != (f32::NEG_INFINITY, f32::INFINITY);
        for _ in 0..if bends { self.rounds } else { 0 } {
            let eased = self.eased(&given, &problem.predict(weights, &biases), &added, first);
            weights.copy_from_slice(&start);
            biases = problem.fit(eased, weights);
        }
        biases
    }

    /// The scale and shift of an output, if its sum tells anything about it.
    fn affine(&self, output: usize) -> Option<(f32, f32)> {
        let largest = self.scale.iter().fold(0.0f32, |top, s| top.max(s.abs()));
        let scale = self.scale[output];
        (scale.abs() > LEAST_SCALE * largest).then_some((scale, self.shift[output]))
    }

    /// Adds to `given` what is missing from `ours` against `theirs`; all `[outputs, rows]`.
    fn correct(&self, given: &mut Tensor, ours: &Tensor, theirs: &Tensor, first: usize) {
        let rows = given.shape()[1];
        let sides = ours.data().chunks(rows).zip(theirs.data().chunks(rows));
        for (o, (given, (ours, theirs))) in given.data_mut().chunks_mut(rows).zip(sides).enumerate()
        {
            let Some((scale, _)) = self.affine(first + o) else { continue };
            let missing = ours.iter().zip(theirs).map(|(ours, theirs)| theirs - ours);
            given.iter_mut().zip(missing).for_each(|(y, missing)| *y += missing / scale);
        }
    }

    /// What does as well as `given` and is nearest to what is `found`.
    fn eased(&self, given: &Tensor, found: &[f32], added: &Tensor, first: usize) -> Tensor {
        let rows = given.shape()[1];
        let mut eased = given.clone();
        let sides = found.chunks(rows).zip(added.data().chunks(rows));
        for (o, (given, (found, added))) in eased.data_mut().chunks_mut(rows).zip(sides).enumerate()
        {
            let Some((scale, shift)) = self.affine(first + o) else { continue };
            for (y, (found, added)) in given.iter_mut().zip(found.iter().zip(added)) {
                let sum = |y: f32| scale * y + shift + added;
                *y = (nearest(sum(*y), sum(*found), self.flat) - shift - added) / scale;
            }
        }
        eased
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
