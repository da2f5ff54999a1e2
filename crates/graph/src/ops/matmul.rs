//! MatMul: a linear layer over the last axis where the right operand is constant; sums over the
//! neighbours of a graph's nodes where the left one is (Kipf and Welling 2017, eq. 8); otherwise a
//! batched product of two computed values.

use std::sync::Arc;

use brickwork_tensor::kernels::correlate::{Connections, correlate};
use brickwork_tensor::kernels::gemm::{Finish, Gather, Packed};
use brickwork_tensor::kernels::sparse::Sparse;
use brickwork_tensor::{Buffer, Level, Order, Tensor, broadcast_strides, for_each_offset, volume};
use rayon::prelude::*;

use super::arithmetic::broadcast;
use super::formula::Formula;
use super::gemm::{linear_channels, lower_linear, train_linear, weighted_linear};
use super::product;
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::{Absorbs, Execute};
use crate::joint_node::JointNode;
use crate::lower::{Feed, Kernel, Lower, Lowered};
use crate::op::{ConstantRole, Cost, Op, Spec};
use crate::read::{Read, Reading};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained};
use crate::weighted::Weighted;

/// Operands: `[..., m, k]` and `[k, o]` or `[..., k, o]`; of a constant on the left `[m, k]` and
/// `[..., k, o]`.
#[derive(Clone, Debug)]
struct MatMul;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let ranks = [reading.shape(0)?.rank(), reading.shape(1)?.rank()];
    match ranks.contains(&1) && !ranks.contains(&0) {
        true => of_vectors(reading, ranks),
        false => Ok(reading.node(MatMul, 2)),
    }
}

/// A vector counts as a row on the left, as a column on the right.
fn of_vectors(reading: &Reading<'_>, ranks: [usize; 2]) -> Result<Read, OpError> {
    let mut formula = Formula::of(reading)?;
    let mut names = reading.form.inputs.clone();
    for (slot, axis) in [(0, 0), (1, 1)].into_iter().filter(|&(slot, _)| ranks[slot] == 1) {
        let axes = [("axes", Attr::Ints(vec![axis]))];
        names[slot] = formula.step_with("Unsqueeze", &[&names[slot]], &axes);
    }
    let product = formula.step("MatMul", &[&names[0], &names[1]]);
    let dropped = [(0, -2), (1, -1)].into_iter().filter(|&(slot, _)| ranks[slot] == 1);
    let axes = Attr::Ints(dropped.map(|(_, axis)| axis).collect());
    formula.step_with("Squeeze", &[&product], &[("axes", axes)]);
    Ok(formula.done())
}

impl Op for MatMul {
    fn kind(&self) -> &'static str {
        "MatMul"
    }

    fn spec(&self) -> Spec {
        Spec::slots(2)
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let (a, b) = (operands.shape(0)?, operands.shape(1)?);
        let misfit = || OpError::new(format!("operands of shape {a} and {b} cannot be multiplied"));
        if a.rank() < 2 || b.rank() < 2 || a.0[a.rank() - 1] != b.0[b.rank() - 2] {
            return Err(misfit());
        }
        if a.0[a.rank() - 1].fixed().is_none() {
            return Err(OpError::new(format!(
                "the product of {a} and {b} would sum over the batch"
            )));
        }
        let outer = |shape: &Shape| Shape(shape.0[..shape.rank() - 2].to_vec());
        let mut dims = broadcast(&outer(a), &outer(b))?.0;
        dims.extend([a.0[a.rank() - 2], b.0[b.rank() - 1]]);
        Ok(vec![Shape(dims)])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        match [flow.is_computed(0), flow.is_computed(1)] {
            [true, true] => product::channels(flow),
            [true, false] if flow.extents(1).len() == 2 => linear_channels(flow, false),
            [left, _] => product::channels_beside_constant(flow, usize::from(left)),
        }
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }

    fn cost(&self, operands: &Operands<'_>, output: &Shape) -> Cost {
        let inner = operands.shape(0).ok().and_then(|left| left.sample().last().copied());
        let steps = (output.sample_volume() as u64).saturating_mul(inner.unwrap_or(0) as u64);
        let is_fixed = |slot| operands.shape(slot).is_ok_and(|shape| shape.extents().is_some());
        Cost { macs: if is_fixed(0) && !is_fixed(1) { 0 } else { steps }, steps }
    }

    fn role(&self, slot: usize) -> ConstantRole {
        if slot == 0 { ConstantRole::Given } else { ConstantRole::Coefficient }
    }

    fn weighted(&self, operands: &Operands<'_>) -> Option<Weighted> {
        if operands.constant(0).is_some() || operands.shape(1).ok()?.rank() != 2 {
            return None;
        }
        weighted_linear(operands, false, None)
    }
}

impl Execute for MatMul {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        if matches!(lower.feed(1), Feed::Constant(weights) if weights.rank() == 2) {
            return lower_linear(lower, false);
        }
        let order = Order::row_major(lower.output(0).len());
        match (lower.feed(0), lower.feed(1)) {
            (Feed::Constant(left), Feed::Computed(..)) if left.rank() == 2 => {
                let left: &Tensor = left;
                let matrix = lower.once(|| Matrix::of(left));
                Ok(Lowered::kernel(Mixing::new(matrix, lower)?, order))
            }
            // Those of transposed keys lie column by column.
            (_, right) => {
                let by_columns = matches!(right, Feed::Computed(extents, order)
                    if order.axes().last() == Some(&(extents.len() - 2)));
                Ok(Lowered::kernel(self.batched(lower, by_columns)?, order))
            }
        }
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        if let Some(left) = lower.fixed(0).filter(|left| left.rank() == 2) {
            return train_mixing(lower, left);
        }
        if lower.extents(1)?.len() == 2 {
            return train_linear(lower, false);
        }
        let product = self.batched(lower, false)?;
        let gives = lower.needed(0..2);
        let back = Unbatched { of: product.clone(), gives: gives.clone() };
        let forward = Lowered::kernel(product, Order::row_major(lower.output(0).len()));
        let reads = vec![Reads::Gradient(0), Reads::Operand(0), Reads::Operand(1)];
        Ok(Trained::new(forward, back, reads, gives))
    }

    fn absorbs(&self) -> Absorbs {
        // Scale and shift come per channel of axis 1, which is this output's last axis only for rank 2.
        Absorbs { affine: false, residual: false, pointwise: false }
    }
}

impl MatMul {
    /// The product of stacks of matrices, of which either may repeat or be constant; `by_columns` as in [`Batched`].
    fn batched(&self, lower: &mut Lower<'_>, by_columns: bool) -> Result<Batched, OpError> {
        let (a, b, out) = (lower.extents(0)?, lower.extents(1)?, lower.output(0).to_vec());
        let (outer, rank) = (out.len() - 2, out.len());
        lower.want(0, Order::row_major(a.len()));
        let last = if by_columns { [b.len() - 1, b.len() - 2] } else { [b.len() - 2, b.len() - 1] };
        lower.want(1, Order::new((0..b.len() - 2).chain(last).collect::<Vec<_>>()));
        let starts = |extents: &[usize]| {
            let matrix = volume(&extents[extents.len() - 2..]);
            let strides = broadcast_strides(&extents[..extents.len() - 2], &out[..outer]);
            let mut starts = Vec::with_capacity(volume(&out[..outer]));
            for_each_offset(&out[..outer], &strides, 0, |at| starts.push(at * matrix));
            starts
        };
        Ok(Batched {
            starts: [starts(&a), starts(&b)],
            constants: [0, 1].map(|slot| lower.optional_constant(slot).cloned()),
            rows: out[outer],
            inner: a[a.len() - 1],
            columns: out[rank - 1],
            by_columns,
            level: lower.level(),
        })
    }
}

/// One product of matrices after the other.
#[derive(Clone)]
struct Batched {
    /// Where each matrix of either operand begins.
    starts: [Vec<usize>; 2],
    constants: [Option<Arc<Tensor>>; 2],
    rows: usize,
    inner: usize,
    columns: usize,
    /// Whether the right operand's columns lie one after the other, rather than its rows.
    by_columns: bool,
    level: Level,
}

impl Batched {
    /// The product of two matrices.
    fn single(rows: usize, inner: usize, columns: usize, level: Level) -> Self {
        let starts = [vec![0], vec![0]];
        let by_columns = false;
        Self { starts, constants: [None, None], rows, inner, columns, by_columns, level }
    }
}

impl Kernel for Batched {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let (a_size, b_size) = (self.rows * self.inner, self.inner * self.columns);
        let gather = Gather::rows(self.inner);
        let mut computed = inputs.iter().copied();
        let [a, b] = [0, 1].map(|slot: usize| match &self.constants[slot] {
            Some(constant) => constant.data(),
            None => computed.next().unwrap_or_default(),
        });
        let outs = outputs[0].par_chunks_exact_mut(self.rows * self.columns);
        let starts = self.starts[0].par_iter().zip_eq(&self.starts[1]);
        starts.zip_eq(outs).for_each(|((&at_a, &at_b), out)| {
            let b = &b[at_b..][..b_size];
            let packed = match self.by_columns {
                true => Packed::new(self.level, b, None, self.columns, self.inner, 1, 1),
                false => Packed::of_rows(self.level, b, self.inner, self.columns),
            };
            packed.run(&gather, &a[at_a..][..a_size], self.rows, Finish::PLAIN, out);
        });
    }
}

/// Gradients of the operands in `gives`: `dy b'` and `a' dy`, summed where a matrix repeats.
struct Unbatched {
    of: Batched,
    gives: Vec<usize>,
}

impl Kernel for Unbatched {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer) {
        let Batched { starts, rows, inner, columns, level, .. } = &self.of;
        let (rows, inner, columns, level) = (*rows, *inner, *columns, *level);
        let sizes = [rows * inner, inner * columns];
        let connections = Connections { channels: columns, outputs: inner, groups: 1 };
        let gather = Gather::rows(columns);
        for (&slot, out) in self.gives.iter().zip(outputs) {
            out.fill(0.0);
            let mut part = vec![0.0; sizes[slot]];
            for (batch, (&at_a, &at_b)) in starts[0].iter().zip(&starts[1]).enumerate() {
                let dy = &inputs[0][batch * rows * columns..][..rows * columns];
                let (a, b) = (&inputs[1][at_a..][..sizes[0]], &inputs[2][at_b..][..sizes[1]]);
                if slot == 0 {
                    let packed = Packed::new(level, b, None, inner, columns, 1, 1);
                    packed.run(&gather, dy, rows, Finish::PLAIN, &mut part);
                } else {
                    correlate(level, connections, &gather, dy, a, rows, &mut part, scratch);
                }
                let at = starts[slot][batch];
                out[at..][..sizes[slot]].iter_mut().zip(&part).for_each(|(sum, x)| *sum += x);
            }
        }
    }
}

/// Training of a product with a constant on the left, through which gradients pass to the right.
fn train_mixing(lower: &mut Lower<'_>, left: &Tensor) -> Result<Trained, OpError> {
    let order = Order::row_major(lower.output(0).len());
    let forward = Mixing::new(Arc::new(Matrix::of(left)), lower)?;
    let turned = Arc::new(Matrix::of(&left.transpose(&[1, 0])));
    let [rows, inner] = forward.sizes;
    let back = Mixing { matrix: turned, sizes: [inner, rows], ..forward };
    let forward = Lowered::kernel(forward, order);
    Ok(Trained::new(forward, back, vec![Reads::Gradient(0)], vec![1]))
}

/// A constant on the left.
enum Matrix {
    Sparse(Sparse),
    Dense(Tensor),
}

/// A matrix is sparse if at most one in so many of its entries is not zero.
const SPARSE: usize = 4;

impl Matrix {
    fn of(data: &Tensor) -> Self {
        let entries = data.data().iter().filter(|x| **x != 0.0).count();
        if entries * SPARSE <= data.data().len() {
            Self::Sparse(Sparse::new(data.data(), data.shape()[1]))
        } else {
            Self::Dense(data.clone())
        }
    }
}

/// The product of one constant and each of several computed matrices.
#[derive(Clone)]
struct Mixing {
    matrix: Arc<Matrix>,
    /// Rows and columns of the constant.
    sizes: [usize; 2],
    /// Columns of the others.
    width: usize,
    level: Level,
}

impl Mixing {
    fn new(matrix: Arc<Matrix>, lower: &mut Lower<'_>) -> Result<Self, OpError> {
        let (left, right) = (lower.extents(0)?, lower.extents(1)?);
        lower.want(1, Order::row_major(right.len()));
        let (sizes, width) = ([left[0], left[1]], right[right.len() - 1]);
        Ok(Self { matrix, sizes, width, level: lower.level() })
    }
}

impl Kernel for Mixing {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer) {
        let ([rows, inner], columns, level) = (self.sizes, self.width, self.level);
        // In training the constant comes as well, first.
        let right = inputs[inputs.len() - 1].chunks_exact(inner * columns);
        for (right, out) in right.zip(outputs[0].chunks_exact_mut(rows * columns)) {
            match &*self.matrix {
                Matrix::Sparse(left) => left.times(right, columns, out, level),
                Matrix::Dense(left) => Batched::single(rows, inner, columns, level).run(
                    &[left.data(), right],
                    &mut [out],
                    scratch,
                ),
            }
        }
    }
}
