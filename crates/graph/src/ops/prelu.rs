//! PRelu: `x` where positive, else `slope * x` with a learned slope per channel.

use std::sync::Arc;

use brickwork_tensor::{Buffer, Order, Tensor};

use super::arithmetic::broadcast;
use crate::beside::Beside;
use crate::channels::Flow;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Op, OpError, Operands, Spec};
use crate::read::{Read, Reading};
use crate::shape::Shape;

/// Operands: value, slope that broadcasts to it.
#[derive(Clone, Debug)]
struct PRelu;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    Ok(reading.node(PRelu, 2))
}

impl Op for PRelu {
    fn kind(&self) -> &'static str {
        "PRelu"
    }

    fn spec(&self) -> Spec {
        Spec::slots(2)
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let (value, slope) = (operands.shape(0)?, operands.shape(1)?);
        operands.must_be_constant(1, "the slope")?;
        if broadcast(value, slope)? != *value {
            return Err(OpError::new(format!("slope {slope} does not broadcast to {value}")));
        }
        Ok(vec![value.clone()])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        flow.join();
    }

    fn beside(&self, beside: &mut Beside<'_>) -> Result<Arc<dyn Op>, OpError> {
        beside.same(self.clone())
    }

    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let extents = lower.extents(0)?;
        let order = Order::channels_last(extents.len());
        lower.want(0, order.clone());
        // One sample's slopes, repeated over the batch.
        let mut sample = extents.clone();
        let slope = lower.constant(1)?.shape();
        if slope.len() < extents.len() || slope.first() == Some(&1) {
            sample.iter_mut().take(1).for_each(|extent| *extent = 1);
        }
        let slopes = lower.constant(1)?.broadcast(&sample).transpose(order.axes());
        Ok(Lowered::kernel(RunPRelu { slopes: Arc::new(slopes) }, order))
    }
}

struct RunPRelu {
    slopes: Arc<Tensor>,
}

impl Kernel for RunPRelu {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        outputs[0].copy_from_slice(inputs[0]);
        self.update(outputs[0], &[]);
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn update(&self, first: &mut [f32], _: &[&[f32]]) {
        for sample in first.chunks_mut(self.slopes.data().len()) {
            for (x, slope) in sample.iter_mut().zip(self.slopes.data()) {
                *x = if *x < 0.0 { *x * slope } else { *x };
            }
        }
    }
}
