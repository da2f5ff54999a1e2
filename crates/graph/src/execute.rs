//! How an operator runs: its kernels, and what they can take over from each other.

use brickwork_tensor::kernels::pointwise::Pointwise;

use crate::error::OpError;
use crate::lower::{Lower, Lowered};
use crate::shape::Operands;
use crate::training::Trained;

/// An operator for whoever runs it.
///
/// Defaults are the cautious ones: an operator that says nothing about fusion is never fused.
pub trait Execute {
    /// The kernel for known shapes and constants.
    ///
    /// # Errors
    /// If the operator cannot run on these operands.
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError>;

    /// The kernels of training for known shapes, forward and backward. All operands are computed,
    /// weights among them, and nothing is absorbed.
    ///
    /// # Errors
    /// If the operator cannot run on these operands or has no backward pass.
    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let refused = || OpError::new("it has no backward pass");
        self.lower(lower).and_then(|lowered| Trained::view(lowered).ok_or_else(refused))
    }

    /// Whether the operator draws random numbers in training, and so runs in its training form even
    /// where no gradient passes.
    fn draws(&self) -> bool {
        false
    }

    /// What a faster neighbour may take over from this node.
    fn fusion(&self, operands: &Operands<'_>) -> Fusion {
        let _ = operands;
        Fusion::None
    }

    /// What this node can take over from its readers.
    fn absorbs(&self) -> Absorbs {
        Absorbs::default()
    }
}

/// What a node can be replaced by inside another's kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Fusion {
    /// Nothing.
    None,
    /// `y[c] = scale[c] * x[c] + shift[c]` over channels (axis 1) of operand 0.
    Affine(Vec<f32>, Vec<f32>),
    /// The sum of operands 0 and 1, of one shape.
    Sum,
    /// The product of operands 0 and 1, of one shape.
    Product,
    /// The same function on every element of operand 0.
    Pointwise(Pointwise),
}

/// Which [`Fusion`]s a node's kernel can finish with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absorbs {
    /// Per-channel scale and shift.
    pub affine: bool,
    /// Addition of another value of the output's shape.
    pub residual: bool,
    /// A function on every element.
    pub pointwise: bool,
}
