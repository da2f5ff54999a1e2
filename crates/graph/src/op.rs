//! What an operator is. Every file in [`ops`](crate::ops) implements two traits: [`Op`] for whoever
//! looks at a graph or changes it, and [`Execute`] for whoever runs it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::attrs::{Attrs, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::remains::Kept;
use crate::shape::{Operands, Shape};
use crate::weighted::Weighted;

/// An operator with its attributes, in the form of ONNX opset 17: what it says of a node's form,
/// shapes, channels, constants and cost.
///
/// Defaults are the cautious ones: an operator that says nothing about channels freezes them.
pub trait Op: Execute + Any + fmt::Debug + Send + Sync {
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

    /// One operator for the same node of several parts whose channels stand side by side. Weights
    /// and other constants are put together by the caller.
    ///
    /// # Errors
    /// If the operator mixes channels or the parts' attributes do not go together.
    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        let _ = joint;
        Err(OpError::new("it mixes channels, which must stay apart"))
    }

    /// For operators that only move elements: for one sample, where each output element comes
    /// from, as an index into input 0's elements (row-major), with the output's extents.
    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        let _ = operands;
        None
    }

    /// The view of a layer that multiplies its input by weights, if this is one.
    fn weighted(&self, operands: &Operands<'_>) -> Option<Weighted> {
        let _ = operands;
        None
    }

    /// What the constant in `slot` is to the operator.
    fn role(&self, slot: usize) -> ConstantRole {
        let _ = slot;
        ConstantRole::Coefficient
    }

    /// What running the operator takes for one sample.
    fn cost(&self, operands: &Operands<'_>, output: &Shape) -> Cost {
        Cost::of(0, operands, output)
    }

    /// Whether this maps scores to probabilities (softmax) and may follow the logits.
    fn normalises_scores(&self) -> bool {
        false
    }
}

impl dyn Op {
    /// Whether the constant in `slot` is a running statistic.
    pub fn is_statistic(&self, slot: usize) -> bool {
        self.role(slot) == ConstantRole::Statistic
    }
}

/// What a constant is to the operator that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstantRole {
    /// Learned, but for a single number outside of a layer, which is part of a formula.
    Coefficient,
    /// Learned, even as a single number.
    Parameter,
    /// A running statistic, which follows the batches in training.
    Statistic,
    /// Part of the problem, such as which nodes of a graph are neighbours: it never changes.
    Given,
}

/// What running a node takes for one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-accumulates. Zero for everything but weighted layers, as is usual.
    pub macs: u64,
    /// Roughly how many elements the kernel touches.
    pub steps: u64,
}

impl Cost {
    /// Of a kernel that makes so many multiply-accumulates and touches every operand and the result.
    pub fn of(macs: u64, operands: &Operands<'_>, output: &Shape) -> Self {
        let all = operands.shapes.iter().flatten().copied().chain([output]);
        let elements = all.map(|shape| shape.sample_volume() as u64).fold(0, u64::saturating_add);
        Self { macs, steps: macs.max(elements) }
    }
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
