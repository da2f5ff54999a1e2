//! Concat: values side by side along one axis. The labels of its operands stand side by side too,
//! each at its offset.

use std::sync::Arc;

use brickwork_tensor::kernels::copy::{gather_strided, scatter_strided};
use brickwork_tensor::{Buffer, Nd, Order, Tensor};

use super::arithmetic::leading_order;
use crate::attrs::Attr;
use crate::channels::{Flow, Label};
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::{Arrangement, JointNode};
use crate::lower::{Feed, Kernel, Lower, Lowered};
use crate::op::{Op, Spec};
use crate::read::{Known, Operand, Read, Reading, axis_of, few_ints};
use crate::shape::{Dim, Int, Operands, Shape};
use crate::training::{Reads, Trained};

/// Operands: any number of values that agree on every other axis.
#[derive(Clone, Debug)]
struct Concat {
    axis: usize,
    count: usize,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let rank = reading.shape(0)?.rank();
    let axis = axis_of(reading.int_or("axis", 1)?, rank)?;
    let count = reading.operands.len();
    let ints: Option<Vec<&Nd<Int>>> = reading
        .operands
        .iter()
        .map(|operand| match operand {
            Operand::Ints(data) => Some(data.as_ref()),
            _ => None,
        })
        .collect();
    let Some(parts) = ints else { return Ok(reading.node(Concat { axis, count }, count)) };
    if parts.iter().any(|part| part.rank() != 1) {
        return Err(OpError::new("whole numbers are joined that are no lists"));
    }
    few_ints(parts.iter().map(|part| part.data().len()).sum())?;
    Ok(Read::Known(vec![Known::Ints(Arc::new(Nd::concat(&parts, 0)))]))
}

impl Op for Concat {
    fn kind(&self) -> &'static str {
        "Concat"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(self.count);
        spec.attrs.insert("axis".to_owned(), Attr::Int(self.axis as i64));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let mut shape = operands.shape(0)?.clone();
        let mut total = 0;
        for slot in 0..operands.len() {
            let part = operands.ranked(slot, shape.rank())?;
            let agrees = (0..shape.rank()).all(|k| k == self.axis || part.0[k] == shape.0[k]);
            let extent = part.0[self.axis].fixed().filter(|_| agrees).ok_or_else(|| {
                OpError::new(format!(
                    "operands of shape {shape} and {part} cannot be joined along axis {}",
                    self.axis
                ))
            })?;
            total += extent;
        }
        shape.0[self.axis] = Dim::Fixed(total);
        Ok(vec![shape])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        if (0..flow.slots()).any(|slot| !flow.is_computed(slot)) {
            return flow.freeze_all("it joins constants to computed channels");
        }
        let parts: Vec<Nd<Label>> = (0..flow.slots()).map(|slot| flow.labels(slot)).collect();
        let rank = parts[0].rank();
        let mut shape: Vec<usize> = (0..rank)
            .map(|k| parts.iter().map(|part| part.shape()[k]).max().unwrap_or(1))
            .collect();
        let full: Vec<Nd<Label>> = parts
            .iter()
            .enumerate()
            .map(|(slot, part)| {
                shape[self.axis] = flow.extents(slot)[self.axis];
                part.broadcast(&shape)
            })
            .collect();
        flow.set(0, Nd::concat(&full.iter().collect::<Vec<_>>(), self.axis));
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.agree()?;
        if self.axis != joint.axes[0] {
            joint.pass();
            return Ok(Arc::new(self.clone()));
        }
        let mut starts = vec![0; joint.parts.len()];
        let mut places = Vec::new();
        for arranged in &joint.inputs {
            let arranged = arranged.as_ref().ok_or_else(|| {
                OpError::new("it joins channels of the parts with values they share")
            })?;
            places.extend(arranged.places.iter().map(|&(part, c)| (part, starts[part] + c)));
            for (part, start) in starts.iter_mut().enumerate() {
                *start += arranged.places.iter().filter(|(p, _)| *p == part).count();
            }
        }
        joint.outputs[0] = Some(Arrangement { axis: self.axis, places });
        Ok(Arc::new(self.clone()))
    }
}

impl Execute for Concat {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let (join, order) = self.join(lower)?;
        Ok(Lowered::kernel(join, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let forward = self.lower(lower)?;
        let gives = lower.needed(0..lower.slots());
        let (join, _) = self.join(lower)?;
        let back = Unjoin { join, gives: gives.clone() };
        Ok(Trained::new(forward, back, vec![Reads::Gradient(0)], gives))
    }
}

impl Concat {
    fn join(&self, lower: &mut Lower<'_>) -> Result<(Join, Order), OpError> {
        let out = lower.output(0).to_vec();
        let order = match (0..lower.slots()).find(|&k| matches!(lower.feed(k), Feed::Computed(..)))
        {
            Some(slot) => lower.order(slot),
            None => leading_order(lower, &out),
        };
        let strides = order.strides(&out);
        let signed: Vec<isize> = order.axes().iter().map(|&axis| strides[axis] as isize).collect();
        let mut parts = Vec::new();
        let mut start = 0;
        for slot in 0..lower.slots() {
            lower.want(slot, order.clone());
            let extents = lower.extents(slot)?;
            let constant = lower.optional_constant(slot).map(|c| c.transpose(order.axes()));
            parts.push(Part {
                extents: order.physical(&extents),
                offset: start * strides[self.axis],
                constant,
            });
            start += extents[self.axis];
        }
        Ok((Join { parts, strides: signed }, order))
    }
}

struct Part {
    extents: Vec<usize>,
    offset: usize,
    constant: Option<Tensor>,
}

struct Join {
    parts: Vec<Part>,
    strides: Vec<isize>,
}

impl Kernel for Join {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let mut computed = inputs.iter();
        for part in &self.parts {
            let data = match &part.constant {
                Some(constant) => constant.data(),
                None => computed.next().copied().unwrap_or_default(),
            };
            scatter_strided(data, &part.extents, &self.strides, part.offset, outputs[0]);
        }
    }
}

/// The gradients of the parts in the slots `gives`.
struct Unjoin {
    join: Join,
    gives: Vec<usize>,
}

impl Kernel for Unjoin {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        for (&slot, out) in self.gives.iter().zip(outputs) {
            let part = &self.join.parts[slot];
            gather_strided(inputs[0], part.offset, &part.extents, &self.join.strides, out);
        }
    }
}
