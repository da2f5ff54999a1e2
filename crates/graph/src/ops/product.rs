//! Channels through products of stacks of matrices `[..., m, k]` and `[..., k, o]`: what is multiplied goes and stays
//! together, stacks go side by side, and what lies along `m` and `o` passes on.

use brickwork_tensor::{Nd, broadcast_shape, volume};

use crate::channels::Flow;
use crate::labels::{Label, lines, varying};

/// An operand of a product.
struct Side {
    /// Labels and extents, with as many axes as the result has.
    labels: Nd<Label>,
    extents: Vec<usize>,
    /// The axis that the product sums over, and the one that passes on.
    summed: usize,
    passed: usize,
}

impl Side {
    fn of(flow: &Flow<'_>, slot: usize) -> Self {
        let rank = flow.result_extents(0).len();
        let padded = |shape: &[usize]| [&vec![1; rank - shape.len()], shape].concat();
        let labels = flow.labels(slot);
        let shape = padded(labels.shape());
        let (summed, passed) = if slot == 0 { (rank - 1, rank - 2) } else { (rank - 2, rank - 1) };
        Self { labels: labels.reshape(shape), extents: padded(&flow.extents(slot)), summed, passed }
    }

    fn varies(&self, axis: usize) -> bool {
        self.labels.shape()[axis] > 1
    }

    fn unite(&mut self, flow: &mut Flow<'_>, axis: usize) {
        self.labels = flow.united(self.labels.clone(), &[axis]);
    }
}

/// Of two computed values.
pub(crate) fn channels(flow: &mut Flow<'_>) {
    let [mut left, mut right] = [0, 1].map(|slot| Side::of(flow, slot));
    for axis in 0..left.labels.rank() - 2 {
        match [left.varies(axis), right.varies(axis)] {
            [true, false] => settle_stack(flow, axis, &mut left, &right),
            [false, true] => settle_stack(flow, axis, &mut right, &left),
            _ => {}
        }
    }
    if left.varies(left.summed) || right.varies(right.summed) {
        return sum(flow, left, right);
    }
    if left.varies(left.passed) && right.varies(right.passed) {
        let passed = left.passed;
        left.unite(flow, passed);
    }
    let labels = match [left.varies(left.passed), right.varies(right.passed)] {
        [true, _] => flow.gated_by(left.labels, &right.labels),
        [_, true] => flow.gated_by(right.labels, &left.labels),
        _ => joined(flow, &left.labels, &right.labels),
    };
    flow.product(labels.data().to_vec(), None);
    flow.set(0, labels);
}

/// Matrices of a stack along `axis` have channels of their own in `side` alone. If the other is one matrix for the
/// whole stack and has no channels, they pass on; else they go and stay together.
fn settle_stack(flow: &mut Flow<'_>, axis: usize, side: &mut Side, other: &Side) {
    let repeats = other.extents[axis] == 1;
    if !repeats || other.varies(other.passed) || other.varies(other.summed) {
        side.unite(flow, axis);
    }
}

/// A product that sums over channels: its results have one label for each matrix of the stack, which is there as long
/// as anything that is summed.
fn sum(flow: &mut Flow<'_>, mut left: Side, mut right: Side) {
    let (rows, columns) = (left.passed, right.passed);
    left.unite(flow, rows);
    right.unite(flow, columns);
    let summed = left.labels.clone();
    // Both with what is summed over on the last axis.
    let mut shape = right.labels.shape().to_vec();
    shape.swap(rows, columns);
    let both = joined(flow, &left.labels, &right.labels.reshape(shape));
    let labels = totals(flow, &both, &[columns]);
    flow.product(both.data().to_vec(), Some(summed));
    flow.set(0, labels);
}

/// Labels of sums along `axes`: one for each sum, which is there as long as anything that is summed.
pub(crate) fn totals(flow: &mut Flow<'_>, labels: &Nd<Label>, axes: &[usize]) -> Nd<Label> {
    let (shape, along) = lines(labels, axes);
    let labels = along.into_iter().map(|line| {
        let label = flow.bundle(line.clone());
        line.into_iter().for_each(|part| flow.depend(label, part));
        label
    });
    Nd::new(shape, labels.collect())
}

/// Labels of two values that meet element by element.
fn joined(flow: &mut Flow<'_>, a: &Nd<Label>, b: &Nd<Label>) -> Nd<Label> {
    let shape = broadcast_shape(a.shape(), b.shape()).unwrap_or_else(|| a.shape().to_vec());
    let [a, b] = [a, b].map(|labels| labels.broadcast(&shape).into_data());
    let labels = (0..volume(&shape)).map(|k| flow.joint(vec![a[k], b[k]])).collect();
    Nd::new(shape, labels)
}

/// Of the computed value in `slot` and a constant, whose matrices stay whole.
pub(crate) fn channels_beside_constant(flow: &mut Flow<'_>, constant: usize) {
    let (side, other) = (Side::of(flow, 1 - constant), Side::of(flow, constant));
    let Some(labels) = whole_along(flow, side.labels, side.summed) else { return };
    let missing = other.extents.len() - flow.extents(constant).len();
    let lies = |axis: &usize| other.extents[*axis] > 1 && *axis < side.summed.min(side.passed);
    if let [axis, ref others @ ..] =
        varying(&labels).into_iter().filter(lies).collect::<Vec<_>>()[..]
    {
        flow.follow_at(constant, axis - missing, &labels, axis, others);
    }
    flow.product(labels.data().to_vec(), None);
    flow.set(0, labels);
}

/// `labels`, kept whole along the axis that is summed over, unless nothing would be left to tell apart.
fn whole_along(flow: &mut Flow<'_>, labels: Nd<Label>, axis: usize) -> Option<Nd<Label>> {
    if varying(&labels) == [axis] {
        flow.freeze_all("it sums over channels with a constant");
        return None;
    }
    Some(flow.united(labels, &[axis]))
}
