//! Between which bounds the numbers of a network's output lie, whatever its images.

use std::collections::BTreeSet;
use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_graph::{Fusion, Graph, Node, NodeId};
use brickwork_tensor::kernels::pointwise::Pointwise;

use crate::model::error::Error;
use crate::model::layers::layers;
use crate::model::random::uniform;

/// Images that a network is run on to see whether its scores are probabilities.
const LOOKED_AT: usize = 8;

/// What scores are that lie between 0 and 1, behind functions that keep them there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probabilities {
    /// Those of classes that exclude each other: they add up to 1.
    Exclusive,
    /// Those of classes each for itself.
    Apart,
}

impl Probabilities {
    /// Of the only output of a network; `None` if its scores may be other numbers, or are those of a softmax
    /// that nothing but moves of elements follows.
    ///
    /// # Errors
    /// If the network cannot run.
    pub(super) fn of(graph: &Graph) -> Result<Option<Self>, Error> {
        let output = graph.outputs()[0];
        if graph.logits() != output || !ranges(graph)[output.index()].is_within(Range::UNIT) {
            return Ok(None);
        }
        let extents = graph.value(graph.inputs()[0]).shape.sample();
        let images = uniform([&[LOOKED_AT], &extents[1..]].concat(), -1.0, 1.0, 0);
        let mut session =
            Session::new(Arc::new(graph.clone()), &[output]).for_batches_of(LOOKED_AT);
        let found = session.outputs(LOOKED_AT, images.data())?;
        let scores = found.first().map(|scores| scores.data()).unwrap_or_default();
        let count = (scores.len() / LOOKED_AT).max(1);
        let add_up = |row: &[f32]| (row.iter().sum::<f32>() - 1.0).abs() < 1e-3;
        Ok(match scores {
            _ if !scores.iter().all(|score| (0.0..=1.0 + 1e-6).contains(score)) => None,
            _ if count > 1 && scores.chunks(count).all(add_up) => Some(Self::Exclusive),
            _ => Some(Self::Apart),
        })
    }
}

/// All numbers from `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    low: f32,
    high: f32,
}

impl Range {
    const ALL: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };
    const UNIT: Self = Self { low: 0.0, high: 1.0 };

    /// The smallest that holds all of these; everything if one is no number.
    fn around(numbers: impl IntoIterator<Item = f32>) -> Self {
        let none = Self { low: f32::INFINITY, high: f32::NEG_INFINITY };
        numbers.into_iter().fold(none, |Self { low, high }, x| match x.is_nan() {
            true => Self::ALL,
            false => Self { low: low.min(x), high: high.max(x) },
        })
    }

    /// Up to rounding.
    fn is_within(self, other: Self) -> bool {
        self.low >= other.low - 1e-6 && self.high <= other.high + 1e-6
    }

    fn affine(self, scales: &[f32], shifts: &[f32]) -> Self {
        let ends = scales.iter().zip(shifts);
        Self::around(ends.flat_map(|(scale, shift)| {
            [self.low, self.high]
                .map(|end| if *scale == 0.0 { *shift } else { scale * end + shift })
        }))
    }

    fn plus(self, other: Self) -> Self {
        Self::around([self.low + other.low, self.high + other.high])
    }

    fn times(self, other: Self) -> Self {
        let ends = [self.low, self.high].map(|a| [other.low, other.high].map(|b| a * b));
        Self::around(ends.concat())
    }

    /// What a function makes of the numbers.
    fn through(self, function: &Pointwise) -> Self {
        let Self { low, high } = self;
        let [low, high] = match function {
            Pointwise::Clip(least, most) => [low, high].map(|x| x.max(*least).min(*most)),
            Pointwise::Sigmoid | Pointwise::HardSigmoid(..) => [0.0, 1.0],
            Pointwise::Tanh | Pointwise::Erf | Pointwise::Softsign | Pointwise::Sign => [-1.0, 1.0],
            Pointwise::Sin | Pointwise::Cos => [-1.0, 1.0],
            Pointwise::Exp => [low.exp(), high.exp()],
            Pointwise::Sqrt | Pointwise::Softplus => [0.0, f32::INFINITY],
            Pointwise::Neg => [-high, -low],
            Pointwise::Abs => [0.0, high.abs().max(low.abs())],
            Pointwise::Reciprocal if low > 0.0 => [1.0 / high, 1.0 / low],
            Pointwise::Affine(scale, shift) => return self.affine(&[*scale], &[*shift]),
            Pointwise::Chain(functions) => {
                return functions.iter().fold(self, |range, function| range.through(function));
            }
            _ => return Self::ALL,
        };
        Self::around([low, high])
    }
}

/// The range of every value of a graph. What layers give may be anything. What an operator makes of probabilities
/// alone that is no function of one of them, such as a mean of several, is taken for probabilities.
fn ranges(graph: &Graph) -> Vec<Range> {
    let layers: BTreeSet<NodeId> = layers(graph).into_iter().map(|layer| layer.node).collect();
    let mut found = vec![Range::ALL; graph.values().len()];
    for id in graph.node_ids().filter(|id| !layers.contains(id)) {
        let node = graph.node(id);
        let range = range_of(graph, node, &found);
        node.outputs.iter().for_each(|output| found[output.index()] = range);
    }
    found
}

/// The range of what a node gives, by those of what it reads.
fn range_of(graph: &Graph, node: &Node, found: &[Range]) -> Range {
    if node.op.normalises_scores() {
        return Range::UNIT;
    }
    let operands = graph.operands(node);
    let input = |slot: usize| node.input(slot).map_or(Range::ALL, |id| found[id.index()]);
    match node.op.fusion(&operands) {
        Fusion::Pointwise(function) => input(0).through(&function),
        Fusion::Affine(scales, shifts) => input(0).affine(&scales, &shifts),
        Fusion::Sum => input(0).plus(input(1)),
        Fusion::Product => input(0).times(input(1)),
        Fusion::None if node.op.moves(&operands).is_some() => input(0),
        Fusion::None => {
            let computed = node.inputs.iter().flatten();
            let mut computed = computed.filter(|id| graph.value(**id).constant.is_none());
            match computed.all(|id| found[id.index()].is_within(Range::UNIT)) {
                true => Range::UNIT,
                false => Range::ALL,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_move_the_ends() {
        let all = Range::ALL;
        let sigmoid = all.through(&Pointwise::Sigmoid);
        assert_eq!(sigmoid, Range::UNIT);
        let one_minus = sigmoid.affine(&[-1.0], &[1.0]);
        assert!(
            one_minus.is_within(Range::UNIT) && sigmoid.times(one_minus).is_within(Range::UNIT)
        );
        let half = sigmoid.plus(sigmoid).affine(&[0.5], &[0.0]);
        assert!(half.is_within(Range::UNIT) && !sigmoid.plus(sigmoid).is_within(Range::UNIT));
        let tanh = all.through(&Pointwise::Tanh);
        assert!(!tanh.is_within(Range::UNIT) && tanh.affine(&[0.5], &[0.5]).is_within(Range::UNIT));
        let exp = all.through(&Pointwise::Exp).affine(&[1.0], &[1.0]);
        assert_eq!(exp, Range { low: 1.0, high: f32::INFINITY });
        assert_eq!(exp.through(&Pointwise::Reciprocal), Range::UNIT);
        assert_eq!(all.through(&Pointwise::RELU), Range { low: 0.0, high: f32::INFINITY });
        assert_eq!(all.affine(&[0.0], &[0.25]), Range { low: 0.25, high: 0.25 });
        assert_eq!(all.through(&Pointwise::Log), all);
    }
}
