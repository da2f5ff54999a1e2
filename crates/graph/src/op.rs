//! What an operator is: the one trait every file in [`ops`](crate::ops) implements.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use brickwork_tensor::Tensor;
use brickwork_tensor::kernels::pointwise::Pointwise;
use thiserror::Error;

use crate::attrs::{Attrs, Literal};
use crate::beside::Beside;
use crate::channels::{Flow, Kept};
use crate::lower::{Lower, Lowered};
use crate::shape::Shape;
use crate::training::Trained;
use crate::weighted::Weighted;

/// Why an operator refuses its attributes or operands; the caller adds the node.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct OpError(pub String);

impl OpError {
    /// A refusal in words: what was expected, what was found.
    pub fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// An operator with its attributes, in the form of ONNX opset 17.
///
/// Defaults are the cautious ones: an operator that says nothing about channels freezes them,
/// one that says nothing about fusion is never fused.
pub trait Op: Any + fmt::Debug + Send + Sync {
    /// ONNX operator type.
    fn kind(&self) -> &'static str;

    /// The ONNX form of the node, opset 17.
    fn spec(&self) -> Spec;

    /// Shapes of the results.
    ///
    /// # Errors
    /// If the operands do not fit the operator or each other.
    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError>;

    /// How channels travel from operands to results; see [`Flow`].
    fn channels(&self, flow: &mut Flow<'_>) {
        flow.freeze_all(&format!("{} says nothing about channels", self.kind()));
    }

    /// The operator after channels were removed, where its attributes depend on them.
    ///
    /// # Errors
    /// If the operator cannot express what remains.
    fn resized(&self, kept: &Kept<'_>) -> Result<Option<Arc<dyn Op>>, OpError> {
        let _ = kept;
        Ok(None)
    }

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
        let refused = || OpError::new(format!("{} has no backward pass", self.kind()));
        self.lower(lower).and_then(|lowered| Trained::view(lowered).ok_or_else(refused))
    }

    /// Whether the operator draws random numbers in training, and so runs in its training form even
    /// where no gradient passes.
    fn draws(&self) -> bool {
        false
    }

    /// Multiply-accumulates for one sample. Zero for everything but weighted layers, as is usual.
    fn macs(&self, inputs: &[Option<Shape>], output: &Shape) -> u64 {
        let _ = (inputs, output);
        0
    }

    /// Roughly how many elements the kernel touches for one sample: what running it costs where
    /// [`macs`](Self::macs) says nothing.
    fn steps(&self, inputs: &[Option<Shape>], output: &Shape) -> u64 {
        let all = inputs.iter().flatten().chain([output]);
        let elements = all.map(|shape| shape.sample_volume() as u64).fold(0, u64::saturating_add);
        self.macs(inputs, output).max(elements)
    }

    /// Whether the constant in `slot` is a running statistic rather than a learned parameter.
    fn is_statistic(&self, slot: usize) -> bool {
        let _ = slot;
        false
    }

    /// Whether the constant in `slot` is part of the problem, such as which nodes of a graph are
    /// neighbours: neither learned nor a statistic.
    fn is_given(&self, slot: usize) -> bool {
        let _ = slot;
        false
    }

    /// Whether a single number in `slot` is a learned parameter; elsewhere it is part of a formula.
    fn learns_number(&self, slot: usize) -> bool {
        let _ = slot;
        false
    }

    /// The view of a layer that multiplies its input by weights, if this is one.
    fn weighted(&self, operands: &Operands<'_>) -> Option<Weighted> {
        let _ = operands;
        None
    }

    /// What a faster neighbour may take over from this node at run time.
    fn fusion(&self, operands: &Operands<'_>) -> Fusion {
        let _ = operands;
        Fusion::None
    }

    /// What this node can take over from its readers at run time.
    fn absorbs(&self) -> Absorbs {
        Absorbs::default()
    }

    /// For operators that only move elements: for one sample, where each output element comes
    /// from, as an index into input 0's elements (row-major), with the output's extents.
    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        let _ = operands;
        None
    }

    /// One operator for the same node of several parts whose channels stand side by side. Weights
    /// and other constants are put together by the caller.
    ///
    /// # Errors
    /// If the operator mixes channels or the parts' attributes do not go together.
    fn beside(&self, beside: &mut Beside<'_>) -> Result<Arc<dyn Op>, OpError> {
        let _ = beside;
        Err(OpError::new("it mixes channels, which must stay apart"))
    }

    /// Whether this maps scores to probabilities (softmax) and may follow the logits.
    fn normalises_scores(&self) -> bool {
        false
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

/// The ONNX form of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spec {
    /// Operands beyond (or between) the node's own, in ONNX order.
    pub inputs: Vec<SpecInput>,
    /// Attributes.
    pub attrs: Attrs,
}

/// One operand in the ONNX form of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum SpecInput {
    /// The node's own operand in this slot.
    Slot(usize),
    /// An array that the operator keeps among its attributes.
    Literal(&'static str, Literal),
    /// A missing optional operand.
    Absent,
}

impl Spec {
    /// The first `count` slots and no attributes.
    pub fn slots(count: usize) -> Self {
        Self { inputs: (0..count).map(SpecInput::Slot).collect(), attrs: Attrs::new() }
    }
}

/// The operands of a node while shapes are worked out.
#[derive(Clone, Debug)]
pub struct Operands<'a> {
    /// Shape by slot; `None` where the operand is missing.
    pub shapes: Vec<Option<&'a Shape>>,
    /// Data by slot, of constants.
    pub constants: Vec<Option<&'a Arc<Tensor>>>,
}

impl<'a> Operands<'a> {
    /// Number of slots, missing operands included.
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// Whether the node has no operands.
    pub fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// Whether slot `slot` is filled.
    pub fn has(&self, slot: usize) -> bool {
        self.shapes.get(slot).is_some_and(Option::is_some)
    }

    /// The shape in `slot`.
    ///
    /// # Errors
    /// If the operand is missing.
    pub fn shape(&self, slot: usize) -> Result<&'a Shape, OpError> {
        let shape = self.shapes.get(slot).copied().flatten();
        shape.ok_or_else(|| OpError::new(format!("operand {slot} is missing")))
    }

    /// The shape in `slot`, which must have `rank` axes.
    ///
    /// # Errors
    /// If the operand is missing or has another rank.
    pub fn ranked(&self, slot: usize, rank: usize) -> Result<&'a Shape, OpError> {
        let shape = self.shape(slot)?;
        if shape.rank() == rank {
            return Ok(shape);
        }
        Err(OpError::new(format!("operand {slot} has shape {shape}, expected {rank} axes")))
    }

    /// The constant in `slot`, if it is one.
    pub fn constant(&self, slot: usize) -> Option<&'a Arc<Tensor>> {
        self.constants.get(slot).copied().flatten()
    }

    /// The constant in `slot`.
    ///
    /// # Errors
    /// If the operand is missing or computed at run time.
    pub fn must_be_constant(&self, slot: usize, what: &str) -> Result<&'a Arc<Tensor>, OpError> {
        self.constant(slot).ok_or_else(|| {
            OpError::new(format!("{what} (operand {slot}) must be a constant, but is computed"))
        })
    }
}
