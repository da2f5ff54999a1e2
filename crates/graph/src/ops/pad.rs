//! Pad: constant values around a value. Padding along the channels adds channels of its own, which
//! can be cut like others.

use std::any::Any;
use std::sync::Arc;

use brickwork_tensor::kernels::copy::{fill, scatter_strided};
use brickwork_tensor::{Buffer, Nd};

use super::formula::Formula;
use super::moving::CopyOut;
use crate::attrs::{Attr, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::{Arrangement, JointNode};
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Read, Reading, axis_of};
use crate::remains::Kept;
use crate::shape::{Dim, Operands, Shape};
use crate::training::{Reads, Trained};

/// `before[k]` and `after[k]` elements of `value` around axis `k`.
#[derive(Clone, Debug)]
struct Pad {
    before: Vec<usize>,
    after: Vec<usize>,
    value: f32,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let rank = shape.rank();
    let mode = reading.text_or("mode", "constant")?;
    let pads = reading.list("pads", 1)?.ok_or_else(|| OpError::new("`pads` is missing"))?;
    let value = reading.float_or("value", 0.0)?;
    let value = reading.float_at(2, "the value", value)?;
    let axes = match reading.fixed_ints_at(3, "axes")? {
        None => (0..rank).collect(),
        Some(list) => list.iter().map(|&a| axis_of(a, rank)).collect::<Result<Vec<_>, _>>()?,
    };
    if (1..axes.len()).any(|k| axes[..k].contains(&axes[k])) {
        return Err(OpError::new(format!("axes {axes:?} name one axis twice")));
    }
    if pads.len() == 2 * axes.len() && (mode != "constant" || pads.iter().any(|&pad| pad < 0)) {
        return by_indices(reading, &mode, &pads, &axes, value);
    }
    let sizes: Option<Vec<usize>> =
        pads.iter().map(|&p| usize::try_from(p).ok().filter(|&p| p as u64 <= MOST)).collect();
    let Some(sizes) = sizes.filter(|sizes| sizes.len() == 2 * axes.len()) else {
        return Err(misfit(&pads, &shape));
    };
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (k, &axis) in axes.iter().enumerate() {
        (before[axis], after[axis]) = (sizes[k], sizes[axes.len() + k]);
    }
    Ok(reading.node(Pad { before, after, value }, 1))
}

/// Elements that are added or left out at one end of an axis, at most.
const MOST: u64 = 1 << 20;

fn misfit(pads: &[i64], shape: &Shape) -> OpError {
    OpError::new(format!("pads {pads:?} do not fit {shape}"))
}

/// Pads that repeat elements, as their indices along each axis; negative ones leave elements out.
fn by_indices(
    reading: &Reading<'_>,
    mode: &str,
    pads: &[i64],
    axes: &[usize],
    value: f32,
) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    if pads.iter().any(|pad| pad.unsigned_abs() > MOST) {
        return Err(misfit(pads, &shape));
    }
    let mut formula = Formula::of(reading)?;
    let mut last = reading.named(0).to_owned();
    let mut zeros = vec![0; 2 * shape.rank()];
    for (k, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[k], pads[axes.len() + k]);
        if (before, after) == (0, 0) {
            continue;
        }
        let extent = shape.0[axis].fixed().ok_or_else(|| OpError::new("the batch is padded"))?;
        let extent = extent as i64;
        let constant = mode == "constant";
        let (first, end) = match constant {
            true => (-before.min(0), extent + after.min(0)),
            false => (-before, extent + after),
        };
        (zeros[axis], zeros[shape.rank() + axis]) = (before.max(0), after.max(0));
        if constant && (first, end) == (0, extent) {
            continue;
        }
        if end <= first || end - first > 1 << 20 {
            return Err(OpError::new(format!("pads {pads:?} leave nothing of {shape}")));
        }
        let indices = (first..end).map(|at| mirrored(at, extent, mode)).collect::<Option<Vec<_>>>();
        let indices = indices.ok_or_else(|| {
            OpError::new(format!(
                "mode `{mode}` with pads {pads:?} around {shape} is not supported"
            ))
        })?;
        let indices = formula.whole(indices);
        let at = [("axis", Attr::Int(axis as i64))];
        last = formula.step_with("Gather", &[&last, &indices], &at);
    }
    if mode == "constant" && zeros.iter().any(|&pad| pad > 0) {
        let attrs = [("pads", Attr::Ints(zeros)), ("value", Attr::Float(value))];
        formula.step_with("Pad", &[&last], &attrs);
    } else if last == reading.named(0) {
        formula.step("Identity", &[&last]);
    }
    Ok(formula.done())
}

/// The index inside an axis of `extent` that stands at `at`, which may lie outside.
fn mirrored(at: i64, extent: i64, mode: &str) -> Option<i64> {
    let inside = (0..extent).contains(&at);
    match mode {
        _ if inside => Some(at),
        "edge" => Some(at.clamp(0, extent - 1)),
        "wrap" => Some(at.rem_euclid(extent)),
        "reflect" if extent > 1 => {
            let around = at.rem_euclid(2 * (extent - 1));
            Some(around.min(2 * (extent - 1) - around))
        }
        _ => None,
    }
}

impl Op for Pad {
    fn kind(&self) -> &'static str {
        "Pad"
    }

    fn spec(&self) -> Spec {
        let pads = self.before.iter().chain(&self.after).map(|&p| p as i64).collect();
        let mut spec = Spec::slots(1);
        spec.inputs.push(SpecInput::Literal("pads", Literal::Ints(Nd::vector(pads))));
        spec.inputs.push(SpecInput::Literal("value", Literal::Floats(Nd::scalar(self.value))));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let shape = operands.ranked(0, self.before.len())?;
        let dims = shape.0.iter().enumerate().map(|(k, dim)| {
            match (dim, self.before[k] + self.after[k]) {
                (dim, 0) => Ok(*dim),
                (Dim::Fixed(extent), more) => Ok(Dim::Fixed(extent + more)),
                (Dim::Batch(_), _) => Err(OpError::new("the batch is padded")),
            }
        });
        Ok(vec![Shape(dims.collect::<Result<_, _>>()?)])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let padded = |k: &usize| self.before[*k] + self.after[*k] > 0;
        let axes: Vec<usize> = (0..self.before.len()).filter(padded).collect();
        let mut labels = flow.labels_by_indices(0, &axes);
        for axis in axes {
            let others = (0..labels.rank()).any(|k| k != axis && labels.shape()[k] > 1);
            match (labels.shape()[axis] > 1, others) {
                // What is added belongs to the same channels.
                (false, _) => {}
                (true, false) => {
                    let mut side = |count: usize| -> Nd<u32> {
                        let mut shape = labels.shape().to_vec();
                        shape[axis] = count;
                        Nd::new(shape, flow.added(count))
                    };
                    let (before, after) = (side(self.before[axis]), side(self.after[axis]));
                    labels = Nd::concat(&[&before, &labels, &after], axis);
                }
                (true, true) => {
                    return flow.freeze_all("it pads channels that lie along several axes");
                }
            }
        }
        flow.set(0, labels);
    }

    fn resized(&self, kept: &Kept<'_>) -> Result<Option<Arc<dyn Op>>, OpError> {
        let mut op = self.clone();
        for axis in (0..self.before.len()).filter(|&k| self.before[k] + self.after[k] > 0) {
            let indices = kept.output(0).indices(axis)?;
            let inner = kept.input(0).before[axis];
            let first = self.before[axis];
            op.before[axis] = indices.iter().filter(|&&index| index < first).count();
            op.after[axis] = indices.iter().filter(|&&index| index >= first + inner).count();
        }
        Ok(Some(Arc::new(op)))
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        let parts: Option<Vec<&Self>> =
            joint.parts.iter().map(|&op| (op as &dyn Any).downcast_ref::<Self>()).collect();
        let parts = parts.ok_or_else(|| OpError::new("the parts' operators differ"))?;
        let Some(arranged) = joint.inputs[0].clone() else { return joint.same(self.clone()) };
        let axis = arranged.axis;
        let elsewhere = |pads: &[usize], k: usize| if k == axis { 0 } else { pads[k] };
        let agree = |other: &&Self| {
            let same = |k: usize| {
                elsewhere(&other.before, k) == elsewhere(&self.before, k)
                    && elsewhere(&other.after, k) == elsewhere(&self.after, k)
            };
            other.value == self.value && (0..self.before.len()).all(same)
        };
        if !parts.iter().all(agree) {
            return Err(OpError::new("the parts' pads differ"));
        }
        // All padding before, then the operand's own channels, then all padding after.
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (part, op) in parts.iter().enumerate() {
            places.extend((0..op.before[axis]).map(|c| (part, c)));
        }
        places
            .extend(arranged.places.iter().map(|&(part, c)| (part, parts[part].before[axis] + c)));
        for (part, op) in parts.iter().enumerate() {
            let start = op.before[axis] + joint.counts[part];
            places.extend((0..op.after[axis]).map(|c| (part, start + c)));
        }
        joint.outputs[0] = Some(Arrangement { axis, places });
        let mut op = self.clone();
        op.before[axis] = parts.iter().map(|op| op.before[axis]).sum();
        op.after[axis] = parts.iter().map(|op| op.after[axis]).sum();
        Ok(Arc::new(op))
    }
}

impl Execute for Pad {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        Ok(Lowered::kernel(self.surround(lower)?, lower.order(0)))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let forward = self.lower(lower)?;
        let Surround { offset, extents, strides, .. } = self.surround(lower)?;
        let inside = CopyOut { offset, extents, strides };
        Ok(Trained::new(forward, inside, vec![Reads::Gradient(0)], vec![0]))
    }
}

impl Pad {
    fn surround(&self, lower: &Lower<'_>) -> Result<Surround, OpError> {
        let order = lower.order(0);
        let strides = order.strides(lower.output(0));
        Ok(Surround {
            extents: order.physical(&lower.extents(0)?),
            strides: order.axes().iter().map(|&axis| strides[axis] as isize).collect(),
            offset: self.before.iter().zip(&strides).map(|(pad, stride)| pad * stride).sum(),
            value: self.value,
        })
    }
}

struct Surround {
    extents: Vec<usize>,
    strides: Vec<isize>,
    offset: usize,
    value: f32,
}

impl Kernel for Surround {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        fill(outputs[0], self.value);
        scatter_strided(inputs[0], &self.extents, &self.strides, self.offset, outputs[0]);
    }
}
