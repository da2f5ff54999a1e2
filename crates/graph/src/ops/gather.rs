//! Gather: the given indices of one axis. Also what a channel shuffle becomes when it is read: with
//! the order of channels spelt out, any of them can be cut.

use std::sync::Arc;

use brickwork_tensor::kernels::copy::{take, take_backward};
use brickwork_tensor::{Buffer, Nd};

use super::formula::Formula;
use super::moving::sources;
use crate::attrs::{Attr, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Known, Read, Reading, Whole, axis_of};
use crate::remains::Kept;
use crate::shape::{Dim, Int, Operands, Shape};
use crate::training::{Reads, Trained};

/// Index `k` of `axis` comes from index `indices[k]`.
#[derive(Clone, Debug)]
pub(crate) struct Gather {
    pub(crate) axis: usize,
    pub(crate) indices: Vec<usize>,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let axis = axis_of(reading.int_or("axis", 0)?, shape.rank())?;
    let Some(wanted) = reading.operand(1).whole() else {
        return Err(OpError::new("the indices (operand 1) must be known whole numbers"));
    };
    let Some(extent) = shape.0[axis].fixed() else { return of_samples(reading, axis, &wanted) };
    let indices = wanted
        .data
        .data()
        .iter()
        .map(|index| {
            index.fixed().ok_or_else(|| OpError::new("an index depends on the batch size"))
        })
        .map(|index| index.and_then(|index| axis_of(index, extent)))
        .collect::<Result<Vec<_>, _>>()?;
    let result = replaced(&shape, axis, &wanted.shape.0);
    if let Some(whole) = reading.operand(0).whole() {
        reading.affords(&result.sample(), true)?;
        let taken = whole.data.take(axis, &indices).reshape(result.sample());
        return Ok(Read::Known(vec![Known::whole(taken, result)]));
    }
    if wanted.shape.rank() == 1 && wanted.shape.batch_axis().is_none() {
        return Ok(reading.node(Gather { axis, indices }, 1));
    }
    let mut formula = Formula::of(reading)?;
    let list = formula.whole(indices.iter().map(|&index| index as i64).collect());
    let at = [("axis", Attr::Int(axis as i64))];
    let taken = formula.step_with("Gather", &[reading.named(0), &list], &at);
    match wanted.shape.rank() {
        0 => {
            formula.step_with("Squeeze", &[&taken], &[("axes", Attr::Ints(vec![axis as i64]))]);
        }
        _ => {
            formula.reshape(&taken, &result);
        }
    }
    Ok(formula.done())
}

/// `shape` with other axes in the place of `axis`.
fn replaced(shape: &Shape, axis: usize, by: &[Dim]) -> Shape {
    Shape([&shape.0[..axis], by, &shape.0[axis + 1..]].concat())
}

/// Indices along the batch, each of which stays inside its sample: samples are taken apart, and the
/// indices hold inside each.
fn of_samples(reading: &Reading<'_>, axis: usize, wanted: &Whole) -> Result<Read, OpError> {
    let across = || OpError::new("it gathers along the batch, across samples");
    let shape = reading.shape(0)?;
    let each = shape.0[axis].at(1);
    let single = reading.is_batch(1);
    let inside = |index: &Int| match *index {
        Int::Fixed(at) if single => axis_of(at, each).ok(),
        Int::Place { times, plus } if times == each as i64 => {
            usize::try_from(plus).ok().filter(|&at| at < each)
        }
        _ => None,
    };
    let indices: Option<Vec<usize>> = wanted.data.data().iter().map(inside).collect();
    let indices = indices.ok_or_else(across)?;
    let mut taken = wanted.shape.clone();
    match taken.0.first() {
        _ if taken.batch_axis().is_some() => {}
        Some(first) => taken.0[0] = Dim::Batch(first.at(1)),
        None => return Err(across()),
    }
    let mut formula = Formula::of(reading)?;
    let apart = replaced(&shape, axis, &[Dim::Batch(1), Dim::Fixed(each)]);
    let mut last = formula.reshape(reading.named(0), &apart);
    if !indices.iter().copied().eq(0..each) {
        let list = formula.whole(indices.iter().map(|&index| index as i64).collect());
        let at = [("axis", Attr::Int(axis as i64 + 1))];
        last = formula.step_with("Gather", &[&last, &list], &at);
    }
    formula.reshape(&last, &replaced(&shape, axis, &taken.0));
    Ok(formula.done())
}

impl Op for Gather {
    fn kind(&self) -> &'static str {
        "Gather"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        let indices = self.indices.iter().map(|&index| index as i64).collect();
        spec.inputs.push(SpecInput::Literal("indices", Literal::Ints(Nd::vector(indices))));
        spec.attrs.insert("axis".to_owned(), Attr::Int(self.axis as i64));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let mut shape = operands.shape(0)?.clone();
        let extent = shape.0.get(self.axis).and_then(|dim| dim.fixed()).unwrap_or(0);
        if self.indices.iter().any(|&index| index >= extent) {
            return Err(OpError::new(format!(
                "an index lies outside axis {} of {shape}",
                self.axis
            )));
        }
        shape.0[self.axis] = Dim::Fixed(self.indices.len());
        Ok(vec![shape])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let labels = flow.labels_by_indices(0, &[self.axis]);
        match labels.shape()[self.axis] {
            1 => flow.set(0, labels),
            _ => flow.set(0, labels.take(self.axis, &self.indices)),
        }
    }

    fn resized(&self, kept: &Kept<'_>) -> Result<Option<Arc<dyn Op>>, OpError> {
        let before = kept.input(0).indices(self.axis)?;
        let indices = self
            .indices
            .iter()
            .filter_map(|index| before.iter().position(|kept| kept == index))
            .collect();
        Ok(Some(Arc::new(Self { indices, ..self.clone() })))
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        sources(operands, |nd| nd.take(self.axis, &self.indices))
    }
}

impl Execute for Gather {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        Ok(Lowered::kernel(self.kernel(lower)?, lower.order(0)))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let (forward, back) = (self.lower(lower)?, Untake(self.kernel(lower)?));
        Ok(Trained::new(forward, back, vec![Reads::Gradient(0)], vec![0]))
    }
}

impl Gather {
    fn kernel(&self, lower: &Lower<'_>) -> Result<Take, OpError> {
        let order = lower.order(0);
        let physical = order.physical(&lower.extents(0)?);
        let place = order.axes().iter().position(|&axis| axis == self.axis).unwrap_or(0);
        let inner = physical[place + 1..].iter().product();
        Ok(Take { indices: self.indices.clone(), block: [physical[place], inner] })
    }
}

struct Take {
    indices: Vec<usize>,
    /// Extents of the axis and of what lies inside it.
    block: [usize; 2],
}

impl Kernel for Take {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        take(inputs[0], self.block, &self.indices, outputs[0]);
    }
}

struct Untake(Take);

impl Kernel for Untake {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        take_backward(inputs[0], self.0.block, &self.0.indices, outputs[0]);
    }
}
