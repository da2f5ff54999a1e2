//! Concat: values side by side along one axis. The labels of its operands stand side by side too,
//! each at its offset.

use std::sync::Arc;

use brickwork_tensor::kernels::copy::{gather_strided, scatter_strided};
use brickwork_tensor::{Buffer, Nd, Order, Tensor};

use super::arithmetic::leading_order;
use super::formula::Formula;
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::{Arrangement, JointNode};
use crate::labels::Label;
use crate::lower::{Feed, Kernel, Lower, Lowered};
use crate::op::{Op, Spec};
use crate::read::{Known, Operand, Read, Reading, Real, Whole, axis_of, few_ints};
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
    let whole: Option<Vec<Whole>> = reading.operands.iter().map(Operand::whole).collect();
    if let Some(parts) = whole {
        return Ok(Read::Known(vec![joined_ints(&parts, axis)?]));
    }
    let is_computed = |operand: &Operand| matches!(operand, Operand::Value(..));
    let mixed = !reading.knows_all() && !reading.operands.iter().all(is_computed);
    match mixed {
        true => beside_constants(reading, axis),
        false => Ok(reading.node(Concat { axis, count }, count)),
    }
}

/// Whole numbers side by side.
fn joined_ints(parts: &[Whole], axis: usize) -> Result<Known, OpError> {
    let shapes = parts.iter().map(|part| Some((&part.shape, None)));
    let shape = Concat { axis, count: parts.len() }.shapes(&Operands::of(shapes))?.remove(0);
    few_ints(shape.sample_volume())?;
    let parts: Vec<&Nd<Int>> = parts.iter().map(|part| part.data.as_ref()).collect();
    Ok(Known::whole(Nd::concat(&parts, axis), shape))
}

/// Constants beside computed values, such as a class token before patches: the computed values are
/// padded with zeros, to which the constants are added. So nothing repeats over the batch.
fn beside_constants(reading: &Reading<'_>, axis: usize) -> Result<Read, OpError> {
    let mut formula = Formula::of(reading)?;
    let computed = |slot: &usize| matches!(reading.operand(*slot), Operand::Value(..));
    let count = reading.operands.len();
    let first = (0..count).find(computed).ok_or_else(|| OpError::new("nothing is computed"))?;
    let shape = reading.shape(first)?;
    let (mut parts, mut constants) = (Vec::new(), Vec::new());
    // Zeros before the next computed part.
    let mut gap = 0;
    for slot in 0..count {
        let part = reading.shape(slot)?;
        if part.rank() != shape.rank() {
            let rank = shape.rank();
            let said = format!("operand {slot} has shape {part}, expected {rank} axes");
            return Err(OpError::new(said));
        }
        let extent = part.0[axis].fixed().ok_or_else(|| {
            OpError::new(format!("{part} and {shape} cannot be joined along the batch"))
        })?;
        match reading.operand(slot).real() {
            Some(real) => {
                constants.push(row(reading, &real, &shape, axis)?);
                gap += extent;
            }
            None => {
                let other = Nd::filled(row_extents(&shape, axis, extent), 0.0);
                constants.push(other);
                let name = reading.named(slot).to_owned();
                parts.push(padded(&mut formula, name, shape.rank(), axis, [gap, 0]));
                gap = 0;
            }
        }
    }
    if gap > 0
        && let Some(last) = parts.pop()
    {
        parts.push(padded(&mut formula, last, shape.rank(), axis, [0, gap]));
    }
    let all = match &parts[..] {
        [only] => only.clone(),
        several => {
            let names: Vec<&str> = several.iter().map(String::as_str).collect();
            formula.step_with("Concat", &names, &[("axis", Attr::Int(axis as i64))])
        }
    };
    let constant = Nd::concat(&constants.iter().collect::<Vec<_>>(), axis);
    let constant = formula.reals(&Arc::new(constant));
    formula.step("Add", &[&all, &constant]);
    Ok(formula.done())
}

/// `name` with so many zeros before and after it along `axis`.
fn padded(
    formula: &mut Formula<'_>,
    name: String,
    rank: usize,
    axis: usize,
    zeros: [usize; 2],
) -> String {
    if zeros == [0, 0] {
        return name;
    }
    let mut pads = vec![0; 2 * rank];
    (pads[axis], pads[rank + axis]) = (zeros[0] as i64, zeros[1] as i64);
    formula.step_with("Pad", &[&name], &[("pads", Attr::Ints(pads))])
}

/// Extents of a constant that broadcasts over the batch beside a value of `shape`.
fn row_extents(shape: &Shape, axis: usize, extent: usize) -> Vec<usize> {
    let dims = shape.0.iter().enumerate();
    dims.map(|(k, dim)| if k == axis { extent } else { dim.fixed().unwrap_or(1) }).collect()
}

/// A constant as it is joined to a value of `shape`.
fn row(reading: &Reading<'_>, real: &Real, shape: &Shape, axis: usize) -> Result<Tensor, OpError> {
    let fits = real.shape.0.iter().zip(&shape.0).enumerate().all(|(k, (own, other))| {
        let repeats = *other == Dim::Batch(1) && *own == Dim::Fixed(1) && reading.is_batch(1);
        k == axis || own == other || repeats
    });
    let extents = row_extents(shape, axis, real.data.shape()[axis]);
    if fits && real.data.shape() == extents {
        return Ok((*real.data).clone());
    }
    Err(OpError::new(format!(
        "operands of shape {shape} and {} cannot be joined along axis {axis}",
        real.shape
    )))
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
        let varies = |axis: &usize| parts.iter().any(|part| part.shape()[*axis] > 1);
        if !varies(&self.axis) && (0..parts[0].rank()).any(|axis| varies(&axis)) {
            // Along other axes alone: what stands at one place goes and stays together.
            return flow.join();
        }
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
        let joined = Nd::concat(&full.iter().collect::<Vec<_>>(), self.axis);
        flow.set_by_indices(0, joined, self.axis);
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
