//! What reductions over axes share: means, sums and maxima, global pools among them.

use std::sync::Arc;

use brickwork_tensor::kernels::rows::{
    max_middle, max_middle_backward, mean_middle, mean_middle_backward,
};
use brickwork_tensor::{Buffer, Nd, Order};

use super::arithmetic::not_written;
use super::formula::Formula;
use super::identity::Identity;
use super::product::totals;
use crate::attrs::{Attr, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::labels::Label;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Known, Read, Reading, axis_of};
use crate::shape::{Dim, Int, Operands, Shape};
use crate::training::{Reads, Trained};

/// What is made of the reduced elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    Mean,
    Max,
    Sum,
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

/// What a reduction is over, as the node says.
pub(crate) struct Over {
    /// Sorted.
    pub(crate) axes: Vec<usize>,
    /// Whether the axes stay with extent 1.
    pub(crate) keep: bool,
    /// Whether the node says that it does nothing.
    pub(crate) nothing: bool,
}

/// Reads `axes` (an attribute in old operator sets, an operand in new ones; every axis if missing) and
/// `keepdims`.
///
/// # Errors
/// If they are of the wrong kind, or the batch is among the axes of a value that has one.
pub(crate) fn over(reading: &Reading<'_>) -> Result<Over, OpError> {
    let shape = reading.shape(0)?;
    let rank = shape.rank();
    let idle = reading.int_or("noop_with_empty_axes", 0)? != 0;
    let list = reading.list("axes", 1)?.filter(|list| !list.is_empty());
    let keep = reading.int_or("keepdims", 1)? != 0;
    let nothing = list.is_none() && idle;
    if list.is_none() && !idle && shape.batch_axis().is_some() {
        return Err(OpError::new("a mean over every axis, the batch included, is not supported"));
    }
    let list = list.unwrap_or_else(|| (0..rank as i64).collect());
    let mut axes =
        list.iter().map(|&axis| axis_of(axis, rank)).collect::<Result<Vec<usize>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(Over { axes, keep, nothing: nothing || rank == 0 })
}

/// Reads a reduction that is a node of its own.
///
/// # Errors
/// As [`over`].
pub(crate) fn read(
    reading: &Reading<'_>,
    kind: &'static str,
    reduction: Reduction,
) -> Result<Read, OpError> {
    let Over { axes, keep, nothing } = over(reading)?;
    if nothing {
        return Ok(reading.node(Identity, 1));
    }
    let mut spec = Spec::slots(1);
    let list: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
    // In operator set 17 they are an operand of sums alone.
    match reduction {
        Reduction::Sum => {
            let axes = Literal::Ints(Nd::vector(list));
            spec.inputs.push(SpecInput::Literal("axes", axes));
        }
        _ => _ = spec.attrs.insert("axes".to_owned(), Attr::Ints(list)),
    }
    spec.attrs.insert("keepdims".to_owned(), Attr::Int(i64::from(keep)));
    Ok(reading.node(Reduce { kind, reduction, axes, keep, spec }, 1))
}

/// A reduction of known whole numbers, two at a time; `None` if the operand is none.
///
/// # Errors
/// If the result depends on the batch in a way that cannot be written.
pub(crate) fn whole(
    reading: &Reading<'_>,
    first: Int,
    combine: fn(Int, Int) -> Option<Int>,
) -> Result<Option<Read>, OpError> {
    let Some(numbers) = reading.operand(0).whole() else { return Ok(None) };
    let over = over(reading)?;
    if over.nothing {
        return Ok(Some(Read::Known(vec![Known::Ints(numbers.data).under(numbers.shape)])));
    }
    let all = |part: &[Int]| part.iter().try_fold(first, |all, &x| combine(all, x));
    let (reduced, shape) = over.of_known(&numbers.data, &numbers.shape, all);
    let reduced = reduced.into_iter().collect::<Option<Vec<Int>>>().ok_or_else(not_written)?;
    Ok(Some(Read::Known(vec![Known::whole(Nd::new(shape.sample(), reduced), shape)])))
}

impl Over {
    /// What `reduce` makes of every set of elements of known `data`, which stands for a value of `shape`, and the shape
    /// that the results, in row-major order, stand for.
    pub(crate) fn of_known<T: Copy, R>(
        &self,
        data: &Nd<T>,
        shape: &Shape,
        reduce: impl Fn(&[T]) -> R,
    ) -> (Vec<R>, Shape) {
        let Self { axes, keep, .. } = self;
        let kept: Vec<usize> = (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect();
        let last = data.transpose(&[&kept[..], &axes[..]].concat());
        let count = axes.iter().map(|&axis| data.shape()[axis]).product::<usize>().max(1);
        let reduced = last.data().chunks(count).map(reduce).collect();
        let dims = shape.0.iter().enumerate();
        let dims = dims.filter_map(|(axis, &dim)| match (axes.contains(&axis), keep) {
            (false, _) => Some(dim),
            (true, true) => Some(Dim::Fixed(1)),
            (true, false) => None,
        });
        (reduced, Shape(dims.collect()))
    }

    /// Adds a reduction of `input` over these axes.
    pub(crate) fn reduce(&self, formula: &mut Formula<'_>, kind: &str, input: &str) -> String {
        if self.nothing {
            return formula.step("Identity", &[input]);
        }
        let axes = Attr::Ints(self.axes.iter().map(|&axis| axis as i64).collect());
        let keep = Attr::Int(i64::from(self.keep));
        formula.step_with(kind, &[input], &[("axes", axes), ("keepdims", keep)])
    }
}

impl Reduce {
    /// `labels`, whose extents along `axes` are 1, as those of the result.
    fn left(&self, labels: Nd<Label>, axes: &[usize]) -> Nd<Label> {
        if self.keep {
            return labels;
        }
        let kept = (0..labels.rank()).filter(|axis| !axes.contains(axis));
        let shape: Vec<usize> = kept.map(|axis| labels.shape()[axis]).collect();
        labels.reshape(shape)
    }

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
        let axes = self.axes(flow.extents(0).len());
        let own = flow.labels(0);
        if self.reduction == Reduction::Sum && axes.iter().any(|&axis| own.shape()[axis] > 1) {
            let sums = totals(flow, &own, &axes);
            flow.product(own.data().to_vec(), Some(own));
            return flow.set(0, self.left(sums, &axes));
        }
        let doing = "it reduces over the channels, whose number it would divide by";
        let Some(labels) = flow.labels_whole_along(&axes, doing) else { return };
        flow.set(0, self.left(labels, &axes));
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
            Reduction::Mean | Reduction::Sum => vec![Reads::Gradient(0)],
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
            Reduction::Sum => {
                mean_middle_backward(inputs[0], middle, inner, outputs[0]);
                times(middle, outputs[0]);
            }
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

/// Makes sums of means over `count` elements.
fn times(count: usize, means: &mut [f32]) {
    means.iter_mut().for_each(|x| *x *= count as f32);
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
            Reduction::Sum => {
                mean_middle(inputs[0], self.middle, self.inner, outputs[0]);
                times(self.middle, outputs[0]);
            }
            Reduction::Max => max_middle(inputs[0], self.middle, self.inner, outputs[0]),
        }
    }
}
