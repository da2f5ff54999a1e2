//! Split: neighbouring parts of one axis as separate values.

use std::sync::Arc;

use brickwork_tensor::kernels::copy::{gather_strided, scatter_strided};
use brickwork_tensor::{Buffer, Nd};

use crate::attrs::{Attr, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::lower::{Kernel, Lower, Lowered, Step};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Read, Reading, axis_of};
use crate::remains::Kept;
use crate::shape::{Dim, Operands, Shape};
use crate::training::{Reads, Trained};

/// Parts of `sizes` along `axis`.
#[derive(Clone, Debug)]
struct Split {
    axis: usize,
    sizes: Vec<usize>,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let axis = axis_of(reading.int_or("axis", 0)?, shape.rank())?;
    let extent = shape.0[axis].fixed().ok_or_else(|| OpError::new("the batch is split"))?;
    let parts = reading.form.outputs.len();
    reading.ignore(&["num_outputs"]);
    let sizes = match reading.list("split", 1)? {
        Some(list) => list.iter().map(|&x| usize::try_from(x).ok()).collect::<Option<Vec<_>>>(),
        None => {
            let each = extent.div_ceil(parts.max(1));
            Some((0..parts).map(|k| each.min(extent.saturating_sub(k * each))).collect())
        }
    };
    let sizes = sizes
        .filter(|s| s.iter().all(|&size| 0 < size && size <= extent))
        .filter(|s| s.len() <= extent && s.iter().sum::<usize>() == extent)
        .filter(|s| s.len() == parts)
        .ok_or_else(|| {
            OpError::new(format!("axis {axis} of {shape} does not split into {parts} parts"))
        })?;
    Ok(reading.node(Split { axis, sizes }, 1))
}

impl Op for Split {
    fn kind(&self) -> &'static str {
        "Split"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        let sizes = self.sizes.iter().map(|&size| size as i64).collect();
        spec.inputs.push(SpecInput::Literal("split", Literal::Ints(Nd::vector(sizes))));
        spec.attrs.insert("axis".to_owned(), Attr::Int(self.axis as i64));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let shape = operands.shape(0)?;
        let total = self.sizes.iter().sum();
        if shape.0.get(self.axis) != Some(&Dim::Fixed(total)) {
            return Err(OpError::new(format!("axis {} of {shape} is not {total} long", self.axis)));
        }
        let part = |size: &usize| {
            let mut part = shape.clone();
            part.0[self.axis] = Dim::Fixed(*size);
            part
        };
        Ok(self.sizes.iter().map(part).collect())
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let labels = flow.labels_by_indices(0, &[self.axis]);
        let mut start = 0;
        for (part, &size) in self.sizes.iter().enumerate() {
            if labels.shape()[self.axis] > 1 {
                flow.set(part, labels.slice(self.axis, start, 1, size));
            } else {
                flow.set(part, labels.clone());
            }
            start += size;
        }
    }

    fn resized(&self, kept: &Kept<'_>) -> Result<Option<Arc<dyn Op>>, OpError> {
        let sizes =
            (0..self.sizes.len()).map(|part| kept.output(part).after()[self.axis]).collect();
        Ok(Some(Arc::new(Self { sizes, ..self.clone() })))
    }
}

impl Execute for Split {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let order = lower.order(0);
        let kernel = Box::new(self.parts(lower)?);
        Ok(Lowered { step: Step::Run(kernel), orders: vec![order; self.sizes.len()] })
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let (forward, back) = (self.lower(lower)?, Unsplit(self.parts(lower)?));
        let reads = (0..self.sizes.len()).map(Reads::Gradient).collect();
        Ok(Trained::new(forward, back, reads, vec![0]))
    }
}

impl Split {
    fn parts(&self, lower: &Lower<'_>) -> Result<Parts, OpError> {
        let order = lower.order(0);
        let strides = order.strides(&lower.extents(0)?);
        let mut start = 0;
        let parts = (0..self.sizes.len()).map(|part| {
            let offset = start * strides[self.axis];
            start += self.sizes[part];
            (offset, order.physical(lower.output(part)))
        });
        Ok(Parts {
            parts: parts.collect(),
            strides: order.axes().iter().map(|&axis| strides[axis] as isize).collect(),
        })
    }
}

struct Parts {
    /// Offset and extents of each part.
    parts: Vec<(usize, Vec<usize>)>,
    strides: Vec<isize>,
}

impl Kernel for Parts {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        for ((offset, extents), out) in self.parts.iter().zip(outputs) {
            gather_strided(inputs[0], *offset, extents, &self.strides, out);
        }
    }
}

/// Puts the gradients of the parts side by side.
struct Unsplit(Parts);

impl Kernel for Unsplit {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        for ((offset, extents), part) in self.0.parts.iter().zip(inputs) {
            scatter_strided(part, extents, &self.0.strides, *offset, outputs[0]);
        }
    }
}
