//! A node in training: how it runs forward, and how gradients pass back through it.
//!
//! Training treats weights as values like any other: every operand of a node is computed, the
//! weights row-major. The backward pass is made of [`Kernel`]s too, so that one planner gives
//! both passes their memory.

use crate::lower::{Kernel, Lowered, Step};

/// What a kernel of the backward pass reads, dense in the order agreed while lowering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The gradient of a result.
    Gradient(usize),
    /// The operand in a slot.
    Operand(usize),
    /// A result.
    Result(usize),
    /// What the forward kernel kept.
    Kept(usize),
    /// The numbers drawn for this step; see [`Trained::drawing`].
    Draw,
}

/// A statistic that follows the batches: `old + rate * (kept - old)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Follows {
    /// The slot of the statistic.
    pub slot: usize,
    /// What it follows, among what the forward kernel kept.
    pub kept: usize,
    /// How quickly.
    pub rate: f32,
}

/// How gradients pass back through a node.
pub enum Backward {
    /// The gradient of result 0 is, in memory, that of the operands in these slots.
    Same(Vec<usize>),
    /// Code.
    Run {
        /// Its outputs are the gradients of the operands in `gives`.
        kernel: Box<dyn Kernel>,
        /// Its inputs.
        reads: Vec<Reads>,
        /// Slots.
        gives: Vec<usize>,
    },
}

/// The training form of a node, for fixed shapes.
pub struct Trained {
    /// The forward pass. The kernel's inputs are all operands that are present, in slot order;
    /// its outputs the results, then what is kept.
    pub forward: Lowered,
    /// Elements of each thing the forward kernel keeps.
    pub keeps: Vec<usize>,
    /// Whether the forward kernel draws random numbers; their source comes as its last input.
    pub draws: bool,
    /// Statistics to update after the step.
    pub follows: Vec<Follows>,
    /// The backward pass.
    pub backward: Backward,
}

impl Trained {
    /// A node whose operands in `slots` have the gradient of its result.
    pub fn same(forward: Lowered, slots: Vec<usize>) -> Self {
        Self::with(forward, Backward::Same(slots))
    }

    /// A node with a backward kernel from `reads` to the gradients of the operands in `gives`.
    pub fn new(
        forward: Lowered,
        kernel: impl Kernel + 'static,
        reads: Vec<Reads>,
        gives: Vec<usize>,
    ) -> Self {
        Self::with(forward, Backward::Run { kernel: Box::new(kernel), reads, gives })
    }

    fn with(forward: Lowered, backward: Backward) -> Self {
        Self { forward, keeps: Vec::new(), draws: false, follows: Vec::new(), backward }
    }

    /// Keeps arrays of these lengths for the backward pass.
    pub fn keeping(mut self, lengths: Vec<usize>) -> Self {
        self.keeps = lengths;
        self
    }

    /// Draws random numbers: the forward kernel's last input, and [`Reads::Draw`] of the backward
    /// kernel, is an array that [`draw`] understands.
    pub fn drawing(mut self) -> Self {
        self.draws = true;
        self
    }

    /// Moves statistics after the step.
    pub fn following(mut self, follows: Vec<Follows>) -> Self {
        self.follows = follows;
        self
    }

    /// The form of a node that only gives its operand another shape, if that is all it does.
    pub(crate) fn view(forward: Lowered) -> Option<Self> {
        matches!(forward.step, Step::View).then(|| Self::same(forward, vec![0]))
    }
}

/// Floats that carry a seed: sixteen bits each, which `f32` holds exactly.
pub const DRAW_LEN: usize = 4;

/// A seed as floats.
pub fn draw(seed: u64) -> [f32; DRAW_LEN] {
    std::array::from_fn(|k| f32::from((seed >> (16 * k)) as u16))
}

/// The seed that [`draw`] carries.
///
/// # Panics
/// If there are fewer than [`DRAW_LEN`] floats.
pub fn drawn(floats: &[f32]) -> u64 {
    (0..DRAW_LEN).map(|k| u64::from(floats[k] as u16) << (16 * k)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_survive_as_floats() {
        for seed in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef, 0xffff_0000_8000_0001] {
            assert_eq!(drawn(&draw(seed)), seed);
        }
    }
}
