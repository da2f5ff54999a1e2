//! What reductions over axes share: means and maxima, global pools among them.

use std::sync::Arc;

use brickwork_tensor::kernels::rows::{
    max_middle, max_middle_backward, mean_middle, mean_middle_backward,
};
use brickwork_tensor::{Buffer, Order};

use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec};
use crate::shape::{Dim, Operands, Shape};
use crate::training::{Reads, Trained};

/// What is made of the reduced elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    Mean,
    Max,
}

/// Reduces `axes` of operand 0.
#[derive(Clone, Debug)]
pub(crate) struct Reduce {
    pub(crate) kind: &'static str,
    pub(crate) reduction: Reduction,
    /// Sorted; empty stands for every axis after the second (global pools).
    pub(crate) axes: Vec<usize>,
    pub(crate) keep: bool,
    pub(crate) spec: Spec,
}

impl Reduce {
    fn axes(&self, rank: usize) -> Vec<usize> {
        if self.axes.is_empty() { (2..rank).collect() } else { self.axes.clone() }
    }
}

impl Op for Reduce {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let shape = operands.shape(0)?;
        let axes = self.axes(shape.rank());
        let mut dims = Vec::new();
        for (axis, &dim) in shape.0.iter().enumerate() {
            if !axes.contains(&axis) {
                dims.push(dim);
                continue;
            }
            if dim.fixed().is_none() {
                return Err(OpError::new(format!(
                    "axis {axis} of {shape} is the batch and cannot be reduced"
                )));
            }
            if self.keep {
                dims.push(Dim::Fixed(1));
            }
        }
        Ok(vec![Shape(dims)])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let labels = flow.labels(0);
        let axes = self.axes(labels.rank());
        if axes.iter().any(|&axis| labels.shape()[axis] > 1) {
            return flow
                .freeze_all("it reduces over the channels, whose number it would divide by");
        }
        let shape: Vec<usize> = if self.keep {
            labels.shape().to_vec()
        } else {
            (0..labels.rank()).filter(|a| !axes.contains(a)).map(|a| labels.shape()[a]).collect()
        };
        flow.set(0, labels.reshape(shape));
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }
}

impl Execute for Reduce {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let extents = lower.extents(0)?;
        let axes = self.axes(extents.len());
        let order = reducible(lower.order(0), &axes);
        lower.want(0, order.clone());
        let places: Vec<usize> =
            (0..extents.len()).filter(|&place| axes.contains(&order.axes()[place])).collect();
        let physical = order.physical(&extents);
        let (first, last) = match (places.first(), places.last()) {
            (Some(&first), Some(&last)) => (first, last),
            _ => (0, 0),
        };
        let middle = axes.iter().map(|&axis| extents[axis]).product();
        let inner = physical[last + 1..].iter().product();
        let kept: Vec<usize> = order.axes().iter().copied().filter(|a| !axes.contains(a)).collect();
        let result = if self.keep {
            Order::new([&kept[..first], &axes[..], &kept[first..]].concat())
        } else {
            let renamed =
                kept.iter().map(|&axis| axis - axes.iter().filter(|&&a| a < axis).count());
            Order::new(renamed.collect::<Vec<_>>())
        };
        Ok(Lowered::kernel(RunReduce { reduction: self.reduction, middle, inner }, result))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let forward = self.lower(lower)?;
        let extents = lower.extents(0)?;
        let (axes, order) = (self.axes(extents.len()), lower.order(0));
        let innermost = |axis: &&usize| !axes.contains(axis);
        let inner = order.axes().iter().rev().take_while(innermost).map(|&axis| extents[axis]);
        let middle = axes.iter().map(|&axis| extents[axis]).product();
        let kernel = RunReduce { reduction: self.reduction, middle, inner: inner.product() };
        let reads = match self.reduction {
            Reduction::Mean => vec![Reads::Gradient(0)],
            Reduction::Max => vec![Reads::Gradient(0), Reads::Operand(0)],
        };
        Ok(Trained::new(forward, Unreduce(kernel), reads, vec![0]))
    }
}

struct Unreduce(RunReduce);

impl Kernel for Unreduce {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let RunReduce { reduction, middle, inner } = self.0;
        match reduction {
            Reduction::Mean => mean_middle_backward(inputs[0], middle, inner, outputs[0]),
            Reduction::Max => {
                max_middle_backward(inputs[0], inputs[1], middle, inner, outputs[0]);
            }
        }
    }
}

/// `order` if the reduced axes lie next to each other in it, else one where they are innermost.
fn reducible(order: Order, axes: &[usize]) -> Order {
    let places: Vec<usize> =
        (0..order.rank()).filter(|&place| axes.contains(&order.axes()[place])).collect();
    if places.windows(2).all(|pair| pair[1] == pair[0] + 1) {
        return order;
    }
    let kept = (0..order.rank()).filter(|axis| !axes.contains(axis));
    Order::new(kept.chain(axes.iter().copied()).collect::<Vec<_>>())
}

struct RunReduce {
    reduction: Reduction,
    middle: usize,
    inner: usize,
}

impl Kernel for RunReduce {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        match self.reduction {
            Reduction::Mean => mean_middle(inputs[0], self.middle, self.inner, outputs[0]),
            Reduction::Max => max_middle(inputs[0], self.middle, self.inner, outputs[0]),
        }
    }
}
