//! GatherND: slices at known places. Of computed values, the elements of each sample in another order.

use super::formula::Formula;
use super::indexing::{places, same_for_all, taken};
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::{Dim, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let outer = usize::try_from(reading.int_or("batch_dims", 0)?).unwrap_or(usize::MAX);
    let shape = reading.shape(0)?;
    let Some(indices) = reading.operand(1).whole() else {
        return Err(OpError::new("the indices (operand 1) must be known whole numbers"));
    };
    let fixed = Shape::fixed(&shape.sample());
    let starts = places(Some(&indices), &fixed, outer)?;
    let (last, rest) =
        indices.data.shape().split_last().ok_or_else(|| OpError::new("no indices"))?;
    let slice = fixed.sample().get(outer + last..).unwrap_or_default().to_vec();
    let size: usize = slice.iter().product();
    let sources: Vec<usize> = starts.iter().flat_map(|&at| at..at + size).collect();
    let mut result = Shape::fixed(&[rest, &slice].concat());
    if let Some(batch) = shape.batch_axis() {
        if outer == 0 && batch >= *last {
            let rows: Vec<usize> = starts.iter().map(|at| at / size.max(1)).collect();
            let fixed = rest.iter().map(|&extent| Dim::Fixed(extent));
            let result = Shape(fixed.chain(shape.0[*last..].iter().copied()).collect());
            return of_rows(reading, &shape, *last, &rows, &result);
        }
        if batch != 0 || outer == 0 {
            return Err(OpError::new("it gathers along the batch"));
        }
        same_for_all(reading, &indices, batch)?;
        result.0[0] = Dim::Batch(shape.0[0].at(1));
    }
    taken(reading, &sources, result)
}

/// What the first `axes` axes hold, at these places of all of them together, in an array of samples along a later axis.
fn of_rows(
    reading: &Reading<'_>,
    shape: &Shape,
    axes: usize,
    rows: &[usize],
    result: &Shape,
) -> Result<Read, OpError> {
    let extents: Option<Vec<usize>> = shape.0[..axes].iter().map(|dim| dim.fixed()).collect();
    let all: usize = extents.into_iter().flatten().product();
    let together = Shape([&[Dim::Fixed(all)], &shape.0[axes..]].concat());
    let mut formula = Formula::of(reading)?;
    let merged = formula.reshape(reading.named(0), &together);
    let list = formula.whole(rows.iter().map(|&row| row as i64).collect());
    let taken = formula.step_with("Gather", &[&merged, &list], &[("axis", Attr::Int(0))]);
    formula.reshape(&taken, result);
    Ok(formula.done())
}
