//! CumSum: running sums of known numbers along one axis.

use brickwork_tensor::{Nd, volume};

use super::arithmetic::not_written;
use crate::error::OpError;
use crate::read::{Known, Read, Reading, axis_of};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let shape = reading.shape(0)?;
    let axis = reading.fixed_ints_at(1, "the axis")?.and_then(|list| list.first().copied());
    let axis = axis.ok_or_else(|| OpError::new("the axis (operand 1) is missing"))?;
    let axis = axis_of(axis, shape.rank())?;
    let exclusive = reading.int_or("exclusive", 0)? != 0;
    let reverse = reading.int_or("reverse", 0)? != 0;
    if shape.batch_axis() == Some(axis) {
        return Err(OpError::new("it sums over the batch"));
    }
    let running = Running { axis, exclusive, reverse };
    let operand = reading.operand(0);
    if let Some(whole) = operand.whole() {
        let sums = running.of(&whole.data, Int::Fixed(0), Int::add).ok_or_else(not_written)?;
        return Ok(Read::Known(vec![Known::whole(sums, whole.shape)]));
    }
    let sums = operand.real().and_then(|real| {
        let sums = running.of(&real.data, 0.0, |a, b| Some(a + b))?;
        Some(Known::real(sums, real.shape))
    });
    let sums = sums.ok_or_else(|| OpError::new("sums of values computed at run time"))?;
    Ok(Read::Known(vec![sums]))
}

/// How sums run.
struct Running {
    axis: usize,
    exclusive: bool,
    reverse: bool,
}

impl Running {
    fn of<T: Copy>(&self, data: &Nd<T>, zero: T, add: impl Fn(T, T) -> Option<T>) -> Option<Nd<T>> {
        let extent = data.shape()[self.axis];
        let inner = volume(&data.shape()[self.axis + 1..]);
        let mut sums = data.clone();
        for start in (0..data.data().len()).filter(|at| (at / inner).is_multiple_of(extent)) {
            let mut sum = zero;
            for k in 0..extent {
                let place = if self.reverse { extent - 1 - k } else { k };
                let at = start + place * inner;
                let next = add(sum, data.data()[at])?;
                sums.data_mut()[at] = if self.exclusive { sum } else { next };
                sum = next;
            }
        }
        Some(sums)
    }
}
