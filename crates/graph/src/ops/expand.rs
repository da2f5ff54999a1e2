//! Expand: repeats axes of extent 1 up to a known shape.

use brickwork_tensor::{Nd, Order};

use super::arithmetic::broadcast;
use super::moving::{CopyOut, sources};
use crate::attrs::Literal;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::lower::{Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Known, Read, Reading};
use crate::shape::{Dim, Int, Operands, Shape};
use crate::training::Trained;

/// Broadcasts to `target` (which itself broadcasts with the operand).
#[derive(Clone, Debug)]
struct Expand {
    target: Shape,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let target = reading
        .ints_at(1, "the target shape")?
        .ok_or_else(|| OpError::new("the target shape (operand 1) is missing"))?;
    let dims = target.into_iter().map(Int::dim).collect::<Option<Vec<_>>>();
    let target = dims.map(Shape).ok_or_else(|| OpError::new("the target shape is negative"))?;
    let target = opened(&reading.shape(0)?, target, reading.fixed_batch);
    let operand = reading.operand(0);
    let (whole, real) = (operand.whole(), operand.real());
    let Some(shape) = whole.as_ref().map(|w| &w.shape).or(real.as_ref().map(|r| &r.shape)) else {
        let target = repeated(&reading.shape(0)?, target);
        return Ok(reading.node(Expand { target }, 1));
    };
    let shape = broadcast(shape, &target)?;
    let extents = shape.sample();
    reading.affords(&extents, whole.is_some())?;
    let known = match (whole, real) {
        (Some(whole), _) => Known::whole(whole.data.broadcast(&extents), shape),
        (None, Some(real)) => Known::real(real.data.broadcast(&extents), shape),
        (None, None) => return Err(OpError::new("operand 0 is missing")),
    };
    Ok(Read::Known(vec![known]))
}

/// The target of a file that fixes the batch size, with the batch opened where `input` has it.
fn opened(input: &Shape, mut target: Shape, fixed_batch: Option<usize>) -> Shape {
    let axis = input.batch_axis().map(|axis| axis + target.rank());
    let place = axis.and_then(|axis| axis.checked_sub(input.rank()));
    if let (Some(batch), Some(axis), Some(place)) = (fixed_batch, input.batch_axis(), place)
        && target.0.get(place) == Some(&Dim::Fixed(input.0[axis].at(batch)))
    {
        target.0[place] = input.0[axis];
    }
    target
}

/// The target with 1, which leaves an axis as it is, wherever `input` has the extent already: what lies along such an
/// axis may be cut.
fn repeated(input: &Shape, mut target: Shape) -> Shape {
    for (own, dim) in input.0.iter().rev().zip(target.0.iter_mut().rev()) {
        if own == dim {
            *dim = Dim::Fixed(1);
        }
    }
    target
}

impl Op for Expand {
    fn kind(&self) -> &'static str {
        "Expand"
    }

    fn spec(&self) -> Spec {
        // 1 leaves an axis as it is, so an open batch never has to be written.
        let ints = self.target.0.iter().map(|dim| dim.fixed().unwrap_or(1) as i64).collect();
        let mut spec = Spec::slots(1);
        spec.inputs.push(SpecInput::Literal("shape", Literal::Ints(Nd::vector(ints))));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let input = operands.shape(0)?;
        let shape = broadcast(input, &self.target)?;
        let repeats_batch = shape.0.iter().enumerate().any(|(k, dim)| {
            matches!(dim, Dim::Batch(_))
                && (k + input.rank())
                    .checked_sub(shape.rank())
                    .is_none_or(|axis| input.0[axis] != *dim)
        });
        if repeats_batch {
            return Err(OpError::new("a value is repeated over the batch"));
        }
        Ok(vec![shape])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let labels = flow.labels(0);
        let (own, out) = (flow.extents(0), flow.result_extents(0));
        let missing = out.len() - own.len();
        let mut shape = vec![1; missing];
        shape.extend(labels.shape());
        flow.set(0, labels.reshape(shape));
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        let out = self.shapes(operands).ok()?.remove(0).sample();
        sources(operands, |indices| indices.broadcast(&out))
    }
}

impl Execute for Expand {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let (copy, order) = self.copy(lower)?;
        Ok(Lowered::kernel(copy, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let (copy, order) = self.copy(lower)?;
        Ok(copy.trained(order))
    }
}

impl Expand {
    fn copy(&self, lower: &Lower<'_>) -> Result<(CopyOut, Order), OpError> {
        let (own, out) = (lower.extents(0)?, lower.output(0));
        let strides = lower.order(0).strides(&own);
        let missing = out.len() - own.len();
        let stride = |axis: usize| match axis.checked_sub(missing) {
            Some(axis) if own[axis] != 1 => strides[axis] as isize,
            _ => 0,
        };
        let order = Order::channels_last(out.len());
        let strides = order.axes().iter().map(|&axis| stride(axis)).collect();
        Ok((CopyOut { offset: 0, extents: order.physical(out), strides }, order))
    }
}
