//! Gather: the given indices of one axis. Also what a channel shuffle becomes when it is read: with
//! the order of channels spelt out, any of them can be cut.

use std::sync::Arc;

use brickwork_tensor::kernels::copy::{take, take_backward};
use brickwork_tensor::{Buffer, Nd};

use super::moving::sources;
use crate::attrs::{Attr, Literal};
use crate::channels::{Flow, Kept};
use crate::error::OpError;
use crate::execute::Execute;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Known, Operand, Read, Reading, axis_of};
use crate::shape::{Dim, Operands, Shape};
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
    let extent = shape.0[axis].fixed().ok_or_else(|| OpError::new("it gathers along the batch"))?;
    let Operand::Ints(wanted) = reading.operand(1) else {
        return Err(OpError::new("the indices (operand 1) must be known whole numbers"));
    };
    let indices = wanted
        .data()
        .iter()
        .map(|index| {
            index.fixed().ok_or_else(|| OpError::new("an index depends on the batch size"))
        })
        .map(|index| index.and_then(|index| axis_of(index, extent)))
        .collect::<Result<Vec<_>, _>>()?;
    if let Operand::Ints(data) = reading.operand(0) {
        let (before, after) = (&data.shape()[..axis], &data.shape()[axis + 1..]);
        let shape = [before, wanted.shape(), after].concat();
        reading.affords(&shape, true)?;
        let taken = data.take(axis, &indices);
        return Ok(Read::Known(vec![Known::Ints(Arc::new(taken.reshape(shape)))]));
    }
    if wanted.rank() != 1 {
        return Err(OpError::new(format!(
            "indices of shape {:?} on a computed value are not supported, only a list",
            wanted.shape()
        )));
    }
    Ok(reading.node(Gather { axis, indices }, 1))
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
        let labels = flow.labels(0);
        match labels.shape()[self.axis] {
            1 => flow.set(0, labels),
            _ => flow.set(0, labels.take(self.axis, &self.indices)),
        }
    }

    fn resized(&self, kept: &Kept<'_>) -> Result<Option<Arc<dyn Op>>, OpError> {
        let before = kept.input(0).indices(self.axis);
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
