//! What windowed pools share.

use std::sync::Arc;

use brickwork_tensor::kernels::depthwise::Extents;
use brickwork_tensor::kernels::pool::{Pool, pool, pool_backward};
use brickwork_tensor::kernels::window::Window;
use brickwork_tensor::{Buffer, Level, Order};

use super::volumetric;
use super::windowed::{self, size, window_attrs};
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Cost, Op, Spec};
use crate::read::{Read, Reading};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained};

/// Operand: image `[n, c, h, w]`.
#[derive(Clone, Debug)]
struct Windowed {
    kind: &'static str,
    pool: Pool,
    window: Window,
    ceil: bool,
}

pub(crate) fn read(reading: &Reading<'_>, kind: &'static str, pool: Pool) -> Result<Read, OpError> {
    match reading.shape(0)?.rank() {
        3 => return windowed::over_line(reading, 1),
        5 => return volumetric::pool(reading, kind),
        _ => {}
    }
    let kernel = windowed::pair(reading, "kernel_shape")?
        .ok_or_else(|| OpError::new("attribute `kernel_shape` is missing"))?;
    let image = reading.image(0, 4)?;
    let window = windowed::read(reading, kernel, [image[1], image[2]])?;
    (0..2).try_for_each(|axis| windowed::reaches_inside(&window, axis))?;
    let ceil = reading.int_or("ceil_mode", 0)? != 0;
    Ok(reading.node(Windowed { kind, pool, window, ceil }, 1))
}

impl Op for Windowed {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(1);
        // AveragePool knows dilations only from opset 19 on.
        spec.attrs = window_attrs(&self.window, self.window.dilation != [1, 1]);
        spec.attrs.insert("ceil_mode".to_owned(), Attr::Int(i64::from(self.ceil)));
        if self.pool != Pool::Max {
            let padded = self.pool == Pool::AveragePadded;
            spec.attrs.insert("count_include_pad".to_owned(), Attr::Int(i64::from(padded)));
        }
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let image = operands.ranked(0, 4)?;
        let channels =
            image.0[1].fixed().ok_or_else(|| OpError::new("the channel axis is open"))?;
        windowed::shape(&self.window, image, channels, self.ceil).map(|shape| vec![shape])
    }

    fn cost(&self, _: &Operands<'_>, output: &Shape) -> Cost {
        let taps = self.window.kernel[0] * self.window.kernel[1];
        Cost { macs: 0, steps: (output.sample_volume() as u64).saturating_mul(taps as u64) }
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        flow.pass_whole_along(&[2, 3], "it pools along the channels");
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }
}

impl Execute for Windowed {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let order = Order::channels_last(4);
        lower.want(0, order.clone());
        Ok(Lowered::kernel(self.kernel(lower)?, order))
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        let (forward, back) = (self.lower(lower)?, Unpool(self.kernel(lower)?));
        let reads = vec![Reads::Gradient(0), Reads::Operand(0)];
        Ok(Trained::new(forward, back, reads, vec![0]))
    }
}

impl Windowed {
    fn kernel(&self, lower: &Lower<'_>) -> Result<RunPool, OpError> {
        let image = lower.extents(0)?;
        let extents =
            Extents { images: image[0], input: size(&image), output: size(lower.output(0)) };
        Ok(RunPool {
            pool: self.pool,
            window: self.window.clone(),
            extents,
            channels: image[1],
            level: lower.level(),
        })
    }
}

struct Unpool(RunPool);

impl Kernel for Unpool {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let RunPool { pool, window, extents, channels, .. } = &self.0;
        pool_backward(*pool, window, inputs[1], inputs[0], *extents, *channels, outputs[0]);
    }
}

struct RunPool {
    pool: Pool,
    window: Window,
    extents: Extents,
    channels: usize,
    level: Level,
}

impl Kernel for RunPool {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let (extents, channels) = (self.extents, self.channels);
        pool(self.pool, &self.window, inputs[0], extents, channels, outputs[0], self.level);
    }
}
