//! What operators that only move elements share.

use brickwork_tensor::kernels::copy::{gather_strided, gather_strided_backward};
use brickwork_tensor::{Buffer, Nd, Order, volume};

use crate::error::OpError;
use crate::lower::{Kernel, Lowered};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained};

/// Source indices of a rearrangement of one sample: `rearrange` is applied to the indices of
/// operand 0's elements.
pub(crate) fn sources(
    operands: &Operands<'_>,
    rearrange: impl FnOnce(Nd<usize>) -> Nd<usize>,
) -> Option<Vec<usize>> {
    let extents = operands.shape(0).ok()?.sample();
    let indices = Nd::new(extents.clone(), (0..volume(&extents)).collect());
    Some(rearrange(indices).into_data())
}

/// The order of a value whose axis `axes[k]` becomes axis `k`; axes that `axes` leaves out have
/// extent 1, and axes of the result that come from none (`None`) too.
pub(crate) fn renamed(order: &Order, axes: &[Option<usize>]) -> Order {
    let moved = order.axes().iter().filter_map(|axis| axes.iter().position(|&a| a == Some(*axis)));
    let new = (0..axes.len()).filter(|&k| axes[k].is_none());
    Order::new(new.chain(moved).collect::<Vec<_>>())
}

/// Copies a strided part of the input to the dense output.
#[derive(Clone)]
pub(crate) struct CopyOut {
    pub(crate) offset: usize,
    pub(crate) extents: Vec<usize>,
    pub(crate) strides: Vec<isize>,
}

impl CopyOut {
    /// Reads `outputs` (extents) out of a value of `inputs` (extents) in `order`: along axis `k`,
    /// every `steps[k]`-th index from `starts[k]` on.
    pub(crate) fn new(
        inputs: &[usize],
        outputs: &[usize],
        starts: &[usize],
        steps: &[isize],
        order: &Order,
    ) -> Self {
        let strides = order.strides(inputs);
        let offset = starts.iter().zip(&strides).map(|(start, stride)| start * stride).sum();
        let strides =
            order.axes().iter().map(|&axis| strides[axis] as isize * steps[axis]).collect();
        Self { offset, extents: order.physical(outputs), strides }
    }

    /// The training form of a node that does this.
    pub(crate) fn trained(self, order: Order) -> Trained {
        let back = CopyBack(self.clone());
        Trained::new(Lowered::kernel(self, order), back, vec![Reads::Gradient(0)], vec![0])
    }
}

impl Kernel for CopyOut {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        gather_strided(inputs[0], self.offset, &self.extents, &self.strides, outputs[0]);
    }
}

/// Adds the gradient of every element to that of the one it was copied from.
struct CopyBack(CopyOut);

impl Kernel for CopyBack {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let CopyOut { offset, extents, strides } = &self.0;
        gather_strided_backward(inputs[0], *offset, extents, strides, outputs[0]);
    }
}

/// The extents of `shape` after its first axis, which must be the batch; the rest must be fixed.
pub(crate) fn fixed_tail(shape: &Shape) -> Result<Vec<usize>, OpError> {
    let tail = shape.0.iter().skip(1).map(|dim| dim.fixed()).collect::<Option<Vec<_>>>();
    tail.ok_or_else(|| OpError::new(format!("{shape} is open on more than its first axis")))
}
