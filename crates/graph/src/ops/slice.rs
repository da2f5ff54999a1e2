//! Slice: a regular part of a value. On an axis whose channels are cut, the part shrinks with them.

use std::sync::Arc;

use brickwork_tensor::Nd;

use super::formula::Formula;
use super::gather::Gather;
use super::moving::{CopyOut, sources};
use crate::attrs::Literal;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Known, Operand, Read, Reading, Whole, axis_of};
use crate::remains::Kept;
use crate::shape::{Dim, Int, Operands, Shape, listed};
use crate::training::Trained;

/// Along each axis in `cuts`, every `step`-th index from `start`, `count` of them.
#[derive(Clone, Debug)]
struct Slice {
    cuts: Vec<Cut>,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    axis: usize,
    start: usize,
    step: isize,
    count: usize,
    /// Extent of the axis before the cut.
    extent: usize,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let missing = |what: &str| OpError::new(format!("`{what}` is missing"));
    let starts = reading.list("starts", 1)?.ok_or_else(|| missing("starts"))?;
    let ends = match (reading.ints("ends")?, reading.operand(2)) {
        (Some(list), _) => list,
        (None, Operand::Absent) => return Err(missing("ends")),
        (None, _) => ends_of(&reading.ints_at(2, "ends")?.unwrap_or_default())?,
    };
    let axes = reading.list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = reading.fixed_ints_at(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()].iter().any(|&len| len != starts.len()) {
        return Err(OpError::new("starts, ends, axes and steps differ in length"));
    }
    let mut cuts: Vec<Cut> = Vec::new();
    for k in 0..starts.len() {
        let axis = axis_of(axes[k], shape.rank())?;
        if cuts.iter().any(|cut| cut.axis == axis) {
            return Err(OpError::new(format!("axes {axes:?} name axis {axis} twice")));
        }
        let Some(extent) = shape.0[axis].fixed() else {
            // A slice of the whole batch axis changes nothing.
            let end = usize::try_from(ends[k]).is_ok_and(|end| reading.is_batch(end));
            if starts[k] == 0 && (end || ends[k] >= i64::from(i32::MAX)) && steps[k] == 1 {
                continue;
            }
            return Err(OpError::new("a part of the batch is taken"));
        };
        cuts.push(cut(axis, extent, starts[k], ends[k], steps[k])?);
    }
    if let Some(whole) = reading.operand(0).whole() {
        return Ok(Read::Known(vec![part(&whole, &cuts)]));
    }
    if let Some(empty) = cuts.iter().find(|cut| cut.count == 0) {
        return Err(OpError::new(format!(
            "nothing of axis {} is left between {} and {}",
            empty.axis, empty.start, empty.start
        )));
    }
    if cuts.len() > 1 && cuts.iter().any(|cut| cut.step.abs() > 1) {
        return one_by_one(reading, &cuts);
    }
    Ok(reading.node(Slice { cuts }, 1))
}

/// A part of whole numbers, of which nothing may be left.
fn part(whole: &Whole, cuts: &[Cut]) -> Known {
    let mut shape = whole.shape.clone();
    let mut data = (*whole.data).clone();
    for cut in cuts {
        shape.0[cut.axis] = Dim::Fixed(cut.count);
        let start = if cut.count == 0 { 0 } else { cut.start };
        data = data.slice(cut.axis, start, cut.step, cut.count);
    }
    Known::whole(data, shape)
}

/// Ends as numbers. The whole batch ends at the largest number.
fn ends_of(ends: &[Int]) -> Result<Vec<i64>, OpError> {
    let end = |end: &Int| match end {
        Int::Fixed(x) => Ok(*x),
        Int::Batch(1) => Ok(i64::MAX),
        _ => Err(OpError::new(format!("ends {} depend on the batch size", listed(ends)))),
    };
    ends.iter().map(end).collect()
}

/// A slice for each axis: what remains of a step after channels are cut is then a node's own matter.
fn one_by_one(reading: &Reading<'_>, cuts: &[Cut]) -> Result<Read, OpError> {
    let mut formula = Formula::of(reading)?;
    let mut last = reading.named(0).to_owned();
    for cut in cuts {
        let lists = [cut.start as i64, cut.end(), cut.axis as i64, cut.step as i64]
            .map(|number| formula.whole(vec![number]));
        let [starts, ends, axes, steps] = &lists;
        last = formula.step("Slice", &[&last, starts, ends, axes, steps]);
    }
    Ok(formula.done())
}

fn cut(axis: usize, extent: usize, start: i64, end: i64, step: i64) -> Result<Cut, OpError> {
    if step == 0 || step.unsigned_abs() > 1 << 31 || extent == 0 {
        return Err(OpError::new(format!("step {step} over an axis of extent {extent}")));
    }
    let size = extent as i64;
    let wrap = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let (start, end) = if step > 0 {
        (wrap(start).clamp(0, size), wrap(end).clamp(0, size))
    } else {
        (wrap(start).clamp(0, size - 1), wrap(end).clamp(-1, size - 1))
    };
    let count = ((end - start + step - step.signum()) / step).max(0) as usize;
    Ok(Cut { axis, start: start as usize, step: step as isize, count, extent })
}

impl Cut {
    fn indices(&self) -> impl Iterator<Item = usize> + use<> {
        let (start, step) = (self.start as isize, self.step);
        (0..self.count as isize).map(move |k| (start + k * step) as usize)
    }

    /// Where the slice ends, exclusive, as ONNX writes it.
    fn end(&self) -> i64 {
        let last = self.start as i64 + (self.count as i64 - 1) * self.step as i64;
        let end = last + self.step.signum() as i64;
        if end < 0 { i64::from(i32::MIN) } else { end }
    }
}

impl Op for Slice {
    fn kind(&self) -> &'static str {
        "Slice"
    }

    fn spec(&self) -> Spec {
        let list =
            |f: fn(&Cut) -> i64| Literal::Ints(Nd::vector(self.cuts.iter().map(f).collect()));
        let mut spec = Spec::slots(1);
        spec.inputs.extend([
            SpecInput::Literal("starts", list(|cut| cut.start as i64)),
            SpecInput::Literal("ends", list(Cut::end)),
            SpecInput::Literal("axes", list(|cut| cut.axis as i64)),
            SpecInput::Literal("steps", list(|cut| cut.step as i64)),
        ]);
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let mut shape = operands.shape(0)?.clone();
        for cut in &self.cuts {
            if shape.0.get(cut.axis) != Some(&Dim::Fixed(cut.extent)) {
                return Err(OpError::new(format!(
                    "operand 0 has shape {shape}, expected extent {} on axis {}",
                    cut.extent, cut.axis
                )));
            }
            shape.0[cut.axis] = Dim::Fixed(cut.count);
        }
        Ok(vec![shape])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let axes: Vec<usize> = self.cuts.iter().map(|cut| cut.axis).collect();
        let mut labels = flow.labels_by_indices(0, &axes);
        for cut in &self.cuts {
            if labels.shape()[cut.axis] > 1 {
                labels = labels.slice(cut.axis, cut.start, cut.step, cut.count);
            }
        }
        flow.set(0, labels);
    }

    fn resized(&self, kept: &Kept<'_>) -> Result<Option<Arc<dyn Op>>, OpError> {
        let mut cuts = Vec::new();
        for cut in &self.cuts {
            let before = kept.input(0).indices(cut.axis)?;
            let places: Vec<usize> = cut
                .indices()
                .filter_map(|index| before.iter().position(|&kept| kept == index))
                .collect();
            let step = match places[..] {
                [a, b, ..] => b as isize - a as isize,
                _ => 1,
            };
            if places.windows(2).any(|pair| pair[1] as isize - pair[0] as isize != step) {
                return match self.cuts.len() {
                    1 => Ok(Some(Arc::new(Gather { axis: cut.axis, indices: places }))),
                    _ => Err(OpError::new("what remains of the slice is no longer regular")),
                };
            }
            let Some(&start) = places.first() else {
                return Err(OpError::new("nothing of the slice remains"));
            };
            cuts.push(Cut { start, step, count: places.len(), extent: before.len(), ..*cut });
        }
        Ok(Some(Arc::new(Self { cuts })))
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        let axis = joint.inputs[0].as_ref().map(|arranged| arranged.axis);
        if self.cuts.iter().any(|cut| Some(cut.axis) == axis) {
            return Err(OpError::new("it takes a part of the channels"));
        }
        joint.same(self.clone())
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        sources(operands, |indices| {
            self.cuts
                .iter()
                .fold(indices, |nd, cut| nd.slice(cut.axis, cut.start, cut.step, cut.count))
        })
    }
}

impl Execute for Slice {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        Ok(Lowered::kernel(self.copy(lower)?, lower.order(0)))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        Ok(self.copy(lower)?.trained(lower.order(0)))
    }
}

impl Slice {
    fn copy(&self, lower: &Lower<'_>) -> Result<CopyOut, OpError> {
        let inputs = lower.extents(0)?;
        let (mut starts, mut steps) = (vec![0; inputs.len()], vec![1; inputs.len()]);
        for cut in &self.cuts {
            (starts[cut.axis], steps[cut.axis]) = (cut.start, cut.step);
        }
        Ok(CopyOut::new(&inputs, lower.output(0), &starts, &steps, &lower.order(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_follow_onnx() {
        let indices =
            |start, end, step| cut(0, 5, start, end, step).unwrap().indices().collect::<Vec<_>>();
        assert_eq!(indices(1, 3, 1), [1, 2]);
        assert_eq!(indices(0, i64::MAX, 2), [0, 2, 4]);
        assert_eq!(indices(-2, 100, 1), [3, 4]);
        assert_eq!(indices(-1, i64::MIN, -2), [4, 2, 0]);
        assert_eq!(indices(3, 3, 1), []);
        for (start, end, step) in [(1, 4, 2), (4, -6, -1), (3, 0, -2)] {
            let first = cut(0, 5, start, end, step).unwrap();
            let again = cut(0, 5, first.start as i64, first.end(), step).unwrap();
            assert_eq!(first.indices().collect::<Vec<_>>(), again.indices().collect::<Vec<_>>());
        }
    }
}
