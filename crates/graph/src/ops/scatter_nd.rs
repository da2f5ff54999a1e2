//! ScatterND: known numbers with some of them replaced at known places.

use brickwork_tensor::{Nd, volume};

use super::indexing::places;
use crate::error::OpError;
use crate::read::{Known, Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let reduction = reading.text_or("reduction", "none")?;
    let combine: fn(f32, f32) -> f32 = match reduction.as_str() {
        "none" => |_, new| new,
        "add" => |old, new| old + new,
        "mul" => |old, new| old * new,
        "max" => f32::max,
        "min" => f32::min,
        other => return Err(OpError::new(format!("reduction `{other}` is not supported"))),
    };
    let [data, indices, updates] = [0, 1, 2].map(|slot| reading.operand(slot));
    let indices = indices.whole();
    let known = match (data.whole(), updates.whole(), data.real(), updates.real()) {
        (Some(data), Some(updates), ..) if reduction == "none" => {
            let at = places(indices.as_ref(), &data.shape, 0)?;
            Known::whole(scattered(&data.data, &at, &updates.data, |_, new| new)?, data.shape)
        }
        (_, _, Some(data), Some(updates)) => {
            let at = places(indices.as_ref(), &data.shape, 0)?;
            Known::real(scattered(&data.data, &at, &updates.data, combine)?, data.shape)
        }
        _ => return Err(OpError::new("it replaces numbers computed at run time")),
    };
    Ok(Read::Known(vec![known]))
}

/// `data` with a slice of `updates` at each of the places, put together with what is there.
fn scattered<T: Copy>(
    data: &Nd<T>,
    places: &[usize],
    updates: &Nd<T>,
    combine: impl Fn(T, T) -> T,
) -> Result<Nd<T>, OpError> {
    let size = updates.data().len() / places.len().max(1);
    let misfit = size * places.len() != volume(updates.shape())
        || places.iter().any(|at| at + size > data.data().len());
    if misfit {
        return Err(OpError::new(format!(
            "updates of shape {:?} do not fit {} places of {:?}",
            updates.shape(),
            places.len(),
            data.shape()
        )));
    }
    let mut data = data.clone();
    for (&at, slice) in places.iter().zip(updates.data().chunks(size.max(1))) {
        let old = data.data_mut()[at..at + size].iter_mut();
        old.zip(slice).for_each(|(old, &new)| *old = combine(*old, new));
    }
    Ok(data)
}
