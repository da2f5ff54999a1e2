//! Range: numbers at equal distances, which must be known while reading, up to a multiple of the batch.

use brickwork_tensor::Nd;

use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::{Dim, Int, Shape};

/// A range has fewer numbers.
const MOST: usize = 1 << 28;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let parts = [0, 1, 2].map(|slot| reading.operand(slot));
    let real = parts.map(|part| part.real().and_then(|real| real.data.data().first().copied()));
    if let [Some(start), Some(limit), Some(step)] = real {
        let count = ((limit - start) / step).ceil().max(0.0) as usize;
        let count = usable(count)?;
        reading.affords(&[count], false)?;
        let data = (0..count).map(|k| start + k as f32 * step).collect();
        return Ok(Read::Known(vec![Known::real(Nd::vector(data), Shape::fixed(&[count]))]));
    }
    let whole = parts.map(|part| part.whole().and_then(|whole| whole.data.data().first().copied()));
    match whole {
        [Some(Int::Fixed(start)), Some(Int::Fixed(limit)), Some(Int::Fixed(step))] if step != 0 => {
            // In wider numbers, in which none of this overflows.
            let [from, to, by] = [start, limit, step].map(i128::from);
            let count = (to - from + by - by.signum()) / by;
            let count = usable(usize::try_from(count).unwrap_or(0))?;
            reading.affords(&[count], true)?;
            let data = (0..count as i64).map(|k| Int::Fixed(start + k * step)).collect();
            Ok(Read::Known(vec![Known::whole(Nd::vector(data), Shape::fixed(&[count]))]))
        }
        [Some(Int::Fixed(0)), Some(Int::Batch(times)), Some(Int::Fixed(step))]
            if step > 0 && times % step == 0 =>
        {
            let count = usable(usize::try_from(times / step).unwrap_or(0))?;
            reading.affords(&[count], true)?;
            let data = (0..count as i64).map(|k| Int::Place { times, plus: k * step }).collect();
            let shape = Shape(vec![Dim::Batch(count)]);
            Ok(Read::Known(vec![Known::whole(Nd::vector(data), shape)]))
        }
        _ => Err(OpError::new(
            "start, limit and step (operands 0 to 2) must be known numbers, only the limit in terms \
             of the batch",
        )),
    }
}

fn usable(count: usize) -> Result<usize, OpError> {
    match count {
        1..MOST => Ok(count),
        _ => Err(OpError::new(format!("a range of {count} numbers is not supported"))),
    }
}
