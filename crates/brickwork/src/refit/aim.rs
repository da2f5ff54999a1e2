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
use super::ridge::{Missing, Ridge, Solver, linear};
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
    /// What some of the outputs should give at the rows, where the source's layer gives `given`
    /// `[outputs, rows]`.
    pub(super) fn wanted(
        &self,
        layer: &LayerInfo,
        rows: &Rows,
        outputs: Range<usize>,
        mut given: Tensor,
    ) -> Wanted<'_> {
        let first = outputs.start;
        let mut added = Tensor::filled(given.shape(), 0.0);
        if let Some((ours, theirs)) = self.sides {
            added = picked(layer, ours, rows, &outputs.clone().collect::<Vec<_>>());
            if self.corrects {
                let theirs = picked(layer, theirs, rows, &self.kept[outputs]);
                self.correct(&mut given, &added, &theirs, first);
            }
        }
        Wanted { aim: self, first, given, added }
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
}

/// What some outputs of a layer should give.
pub(super) struct Wanted<'a> {
    aim: &'a Aim<'a>,
    /// The first of them.
    first: usize,
    /// `[outputs, rows]`.
    given: Tensor,
    /// What is added to them in the cut network: `[outputs, rows]`.
    added: Tensor,
}

impl Wanted<'_> {
    /// What they should give: `[outputs, rows]`.
    pub(super) fn given(&self) -> &Tensor {
        &self.given
    }

    /// The same for some of the outputs.
    pub(super) fn of(&self, outputs: Range<usize>) -> Self {
        let rows = self.given.shape()[1];
        let some = |values: &Tensor| {
            let data = values.data()[outputs.start * rows..outputs.end * rows].to_vec();
            Tensor::new([outputs.len(), rows], data)
        };
        let [given, added] = [&self.given, &self.added].map(some);
        Self { first: self.first + outputs.start, given, added, ..*self }
    }

    /// The same at some of the rows, which are next to each other.
    pub(super) fn at(&self, rows: Range<usize>) -> Self {
        let some = |values: &Tensor| values.slice(1, rows.start, 1, rows.len());
        let [given, added] = [&self.given, &self.added].map(some);
        Self { given, added, ..*self }
    }

    /// What is missing where so much `[outputs, rows]` is explained.
    pub(super) fn missing(&self, problem: &Ridge, explained: &[f32]) -> Missing {
        problem.missing(self.given.clone(), explained)
    }

    /// Moves `weights` `[outputs, features]` to the solution; returns the biases.
    pub(super) fn fit(
        &self,
        problem: &Ridge,
        solver: &Solver<'_>,
        weights: &mut [f32],
    ) -> Vec<f32> {
        let start = weights.to_vec();
        let explained = problem.explained(&start);
        let mut biases = solver.fit(&self.missing(problem, &explained), weights);
        let bends = self.aim.flat != (f32::NEG_INFINITY, f32::INFINITY);
        for _ in 0..if bends { self.aim.rounds } else { 0 } {
            let eased = self.eased(&problem.predict(weights, &biases));
            weights.copy_from_slice(&start);
            biases = solver.fit(&problem.missing(eased, &explained), weights);
        }
        biases
    }

    /// Scales `weights` `[outputs, features]` so that inputs `[rows, features]` give every output the deviation that is
    /// wanted, and returns the biases with which they give it the mean. Not `centred`, they give it the mean square.
    pub(super) fn rescale(&self, inputs: &Tensor, weights: &mut [f32], centred: bool) -> Vec<f32> {
        let (rows, features) = (inputs.shape()[0], inputs.shape()[1]);
        let found = linear(weights, &vec![0.0; weights.len() / features], inputs);
        let sides = found.chunks(rows).zip(self.given.data().chunks(rows));
        let of = |((found, given), weights): ((&[f32], &[f32]), &mut [f32])| {
            let [own, wanted] = [found, given].map(|values| spread(values, centred));
            let scale = if own.1 > 0.0 { (wanted.1 / own.1).sqrt() } else { 1.0 };
            weights.iter_mut().for_each(|weight| *weight *= scale as f32);
            if centred { (wanted.0 - scale * own.0) as f32 } else { 0.0 }
        };
        sides.zip(weights.chunks_mut(features)).map(of).collect()
    }

    /// How far what is `found` `[outputs, rows]` is from doing as well: the mean square of what lacks behind the
    /// activation.
    pub(super) fn loss(&self, found: &[f32]) -> f64 {
        let (eased, rows) = (self.eased(found), self.given.shape()[1]);
        let sides = eased.data().chunks(rows).zip(found.chunks(rows));
        let of = |(o, (eased, found)): (usize, (&[f32], &[f32]))| {
            let scale = self.aim.affine(self.first + o).map_or(0.0, |(scale, _)| scale);
            let lacks = eased.iter().zip(found).map(|(a, b)| f64::from(scale * (a - b)));
            lacks.map(|lack| lack * lack).sum::<f64>()
        };
        sides.enumerate().map(of).sum::<f64>() / found.len() as f64
    }

    /// What does as well as is wanted and is nearest to what is `found`.
    fn eased(&self, found: &[f32]) -> Tensor {
        let (rows, aim) = (self.given.shape()[1], self.aim);
        let mut eased = self.given.clone();
        let sides = found.chunks(rows).zip(self.added.data().chunks(rows));
        for (o, (given, (found, added))) in eased.data_mut().chunks_mut(rows).zip(sides).enumerate()
        {
            let Some((scale, shift)) = aim.affine(self.first + o) else { continue };
            for (y, (found, added)) in given.iter_mut().zip(found.iter().zip(added)) {
                let sum = |y: f32| scale * y + shift + added;
                *y = (nearest(sum(*y), sum(*found), aim.flat) - shift - added) / scale;
            }
        }
        eased
    }
}

/// The mean of some values and their variance, or their mean square if they are not `centred`.
fn spread(values: &[f32], centred: bool) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let centre = if centred { mean } else { 0.0 };
    (mean, values.iter().map(|&v| (f64::from(v) - centre).powi(2)).sum::<f64>() / count)
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
