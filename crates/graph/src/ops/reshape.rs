//! Reshape: the same elements in row-major order under another shape.

use std::ops::Range;
use std::sync::Arc;

use brickwork_tensor::{Nd, Order};

use super::formula::Formula;
use super::moving::sources;
use crate::attrs::{Attr, Literal};
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::Execute;
use crate::joint_node::JointNode;
use crate::lower::{Lower, Lowered};
use crate::op::{Op, Spec, SpecInput};
use crate::read::{Read, Reading};
use crate::remains::Kept;
use crate::shape::{Dim, Int, Operands, Shape, listed};

/// Operand: any value. The target shape holds no -1 and no 0.
#[derive(Clone, Debug)]
struct Reshape {
    target: Shape,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let input = reading.shape(0)?;
    let target = match reading.ints("shape")? {
        Some(list) => list.into_iter().map(Int::Fixed).collect(),
        None => reading
            .ints_at(1, "the target shape")?
            .ok_or_else(|| OpError::new("the target shape (operand 1) is missing"))?,
    };
    let keep_zero = reading.int_or("allowzero", 0)? != 0;
    // Of turned rows, the samples lie behind the rows as far as the file goes.
    let seen = reading.turned.map_or_else(
        || input.clone(),
        |rows| Shape([&[Dim::Fixed(rows), Dim::Batch(1)], &input.0[1..]].concat()),
    );
    let target = resolve(&input, &seen, &target, keep_zero, reading.fixed_batch)?;
    if let Some(rows) = reading.turned {
        return from_turned(reading, rows, &target);
    }
    let batch = input.batch_axis().filter(|&axis| axis > 0 && input.0[axis] == Dim::Batch(1));
    let rows = before_batch(&input);
    match batch {
        Some(batch) if target.0.first() == Some(&Dim::Batch(rows)) && rows > 1 => {
            turn(reading, batch, rows, &target)
        }
        _ => Ok(reading.node(Reshape { target }, 1)),
    }
}

/// Rows of which the file has the samples innermost become rows with samples outermost, as all values
/// have them; it is remembered that they are turned.
fn turn(reading: &Reading<'_>, batch: usize, rows: usize, target: &Shape) -> Result<Read, OpError> {
    let mut formula = Formula::of(reading)?;
    let others = (0..reading.shape(0)?.rank()).filter(|&axis| axis != batch);
    let perm = std::iter::once(batch).chain(others).map(|axis| axis as i64).collect();
    let perm = [("perm", Attr::Ints(perm))];
    let moved = formula.step_with("Transpose", &[reading.named(0)], &perm);
    formula.reshape(&moved, target);
    Ok(Read::Turning { forms: formula.forms(), rows: Some(rows) })
}

/// Turned rows under another shape: as the file has them, where the target takes samples and rows apart.
fn from_turned(reading: &Reading<'_>, rows: usize, target: &Shape) -> Result<Read, OpError> {
    let input = reading.named(0);
    let mut formula = Formula::of(reading)?;
    let axis = target.batch_axis().unwrap_or(0);
    if target.0.first() == Some(&Dim::Batch(rows)) {
        formula.reshape(input, target);
        return Ok(Read::Turning { forms: formula.forms(), rows: Some(rows) });
    }
    if before_batch(target) != rows {
        return Err(OpError::new(format!("reshaping to {target} would mix samples of the batch")));
    }
    let (outer, inner) = (&target.0[..axis], &target.0[axis + 1..]);
    let each = Dim::Fixed(target.0[axis].at(1));
    let apart = Shape([&[Dim::Batch(1)], outer, &[each], inner].concat());
    let samples = formula.reshape(input, &apart);
    let perm = (1..=axis).chain([0]).chain(axis + 1..apart.rank()).map(|k| k as i64).collect();
    let moved = formula.step_with("Transpose", &[&samples], &[("perm", Attr::Ints(perm))]);
    formula.reshape(&moved, target);
    Ok(Read::Turning { forms: formula.forms(), rows: None })
}

/// The target shape with -1 and 0 worked out. Where the file fixes the batch size, extents that have it
/// built in are told by their place in `seen`, which is the input as the file has it.
fn resolve(
    input: &Shape,
    seen: &Shape,
    target: &[Int],
    keep_zero: bool,
    fixed_batch: Option<usize>,
) -> Result<Shape, OpError> {
    let show = || OpError::new(format!("{input} cannot be reshaped to {}", listed(target)));
    let mut dims = Vec::new();
    let mut open = None;
    for (k, &int) in target.iter().enumerate() {
        let dim = match int {
            Int::Fixed(-1) if open.is_none() => {
                open = Some(k);
                Dim::Fixed(1)
            }
            Int::Fixed(0) if !keep_zero => *input.0.get(k).ok_or_else(show)?,
            int => int.dim().ok_or_else(show)?,
        };
        dims.push(dim);
    }
    let says_batch = dims.iter().any(|dim| dim.fixed().is_none());
    if let (Some(batch), Some(_), false) = (fixed_batch, input.batch_axis(), says_batch) {
        return opened(seen, &dims, open, batch).ok_or_else(show);
    }
    let (elements, per_batch) = product(&input.0)?;
    let (given, given_batch) = product(&dims)?;
    match open {
        Some(k) => {
            if given == 0
                || elements % given != 0
                || given_batch > per_batch
                || per_batch - given_batch > 1
            {
                return Err(show());
            }
            let rest = elements / given;
            dims[k] = if per_batch > given_batch { Dim::Batch(rest) } else { Dim::Fixed(rest) };
        }
        None if (elements, per_batch) != (given, given_batch) => return Err(show()),
        None => {}
    }
    Ok(Shape(dims))
}

/// The target `dims` of a file with batches of `batch` samples, with the batch opened: it lies on the
/// first axis with as many elements before it as before the batch in `input`, at best on the same axis.
fn opened(input: &Shape, dims: &[Dim], open: Option<usize>, batch: usize) -> Option<Shape> {
    let mut extents: Vec<usize> = dims.iter().filter_map(|dim| dim.fixed()).collect();
    let total: usize = input.at(batch).iter().product();
    if let Some(k) = open {
        let given: usize = extents.iter().try_fold(1usize, |a, &b| a.checked_mul(b))?;
        extents[k] = total.checked_div(given).filter(|rest| rest * given == total)?;
    }
    if extents.iter().try_fold(1usize, |a, &b| a.checked_mul(b)) != Some(total) {
        return None;
    }
    let before = before_batch(input);
    let fits = |axis: &usize| {
        let outer: usize = extents[..*axis].iter().product();
        outer == before && extents[*axis].is_multiple_of(batch)
    };
    let same = input.batch_axis().filter(|&axis| {
        axis < extents.len() && input.at(batch)[..=axis] == extents[..=axis] && fits(&axis)
    });
    let axis = same.or_else(|| (0..extents.len()).find(fits))?;
    let mut shape = Shape::fixed(&extents);
    // Samples that would be merged with what lies behind them are merged with the rows before.
    let behind = input.0[input.batch_axis()? + 1..].iter().map(|dim| dim.at(1)).product::<usize>();
    if axis == 1 && extents.len() == 2 && behind == extents[1] && batch == 1 && behind > 1 {
        shape.0[0] = Dim::Batch(extents[0]);
        return Some(shape);
    }
    shape.0[axis] = Dim::Batch(extents[axis] / batch);
    Some(shape)
}

/// The product of extents as (factor, power of the batch size).
fn product(dims: &[Dim]) -> Result<(usize, usize), OpError> {
    let mut result = (1usize, 0);
    for dim in dims {
        let factor = match dim {
            Dim::Fixed(extent) => *extent,
            Dim::Batch(each) => {
                result.1 += 1;
                *each
            }
        };
        result.0 =
            result.0.checked_mul(factor).ok_or_else(|| OpError::new("the shape is too large"))?;
    }
    Ok(result)
}

/// Elements that lie before the batch axis.
fn before_batch(shape: &Shape) -> usize {
    let outer = shape.0.iter().map_while(|dim| dim.fixed());
    outer.product()
}

impl Op for Reshape {
    fn kind(&self) -> &'static str {
        "Reshape"
    }

    fn spec(&self) -> Spec {
        let ints = self.target.0.iter().map(|dim| dim.fixed().map_or(-1, |extent| extent as i64));
        let mut spec = Spec::slots(1);
        spec.inputs.push(SpecInput::Literal("shape", Literal::Ints(Nd::vector(ints.collect()))));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let input = operands.shape(0)?;
        if product(&input.0)? != product(&self.target.0)? {
            return Err(OpError::new(format!("{input} cannot be reshaped to {}", self.target)));
        }
        if before_batch(input) != before_batch(&self.target) {
            return Err(OpError::new(format!(
                "reshaping {input} to {} would mix samples of the batch",
                self.target
            )));
        }
        Ok(vec![self.target.clone()])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        let elements = flow.extents(0).iter().product();
        flow.rearrange(&(0..elements).collect::<Vec<_>>());
    }

    fn resized(&self, kept: &Kept<'_>) -> Result<Option<Arc<dyn Op>>, OpError> {
        if !kept.changes() {
            return Ok(None);
        }
        let after = kept.output(0).after();
        let dims = self.target.0.iter().zip(after).map(|(dim, extent)| match dim {
            Dim::Fixed(_) => Dim::Fixed(extent),
            Dim::Batch(_) => Dim::Batch(extent),
        });
        Ok(Some(Arc::new(Self { target: Shape(dims.collect()) })))
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        let [batch, Dim::Fixed(_)] = self.target.0[..] else {
            return Err(OpError::new("only reshapes to [n, features] can stand side by side"));
        };
        let each = joint.each;
        joint.spread(each);
        let total = joint.outputs[0].as_ref().map_or(0, |arranged| arranged.places.len());
        Ok(Arc::new(Self { target: Shape(vec![batch, Dim::Fixed(total)]) }))
    }

    fn moves(&self, operands: &Operands<'_>) -> Option<Vec<usize>> {
        sources(operands, |indices| indices)
    }
}

impl Execute for Reshape {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        let (wanted, order) = carried(&lower.order(0), &lower.extents(0)?, lower.output(0));
        lower.want(0, wanted);
        Ok(Lowered::view(order))
    }
}

/// In which order a value of the extents `from` should lie to be one of the extents `to` without a copy, and the order
/// that it then lies in: as it does in `order`, but that axes which become others together lie side by side.
fn carried(order: &Order, from: &[usize], to: &[usize]) -> (Order, Order) {
    let mut groups = groups(from, to);
    let place = |axis: usize| order.axes().iter().position(|&other| other == axis);
    groups.sort_by_key(|(before, _)| {
        before.clone().rev().find(|&axis| from[axis] > 1).and_then(place)
    });
    let before = groups.iter().flat_map(|(before, _)| before.clone());
    let after = groups.iter().flat_map(|(_, after)| after.clone());
    (Order::new(before.collect::<Vec<_>>()), Order::new(after.collect::<Vec<_>>()))
}

/// The shortest runs of axes that hold equally many elements before and after.
fn groups(from: &[usize], to: &[usize]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut groups: Vec<(Range<usize>, Range<usize>)> = vec![(0..0, 0..0)];
    let (mut i, mut j) = (0, 0);
    while i < from.len() && j < to.len() {
        let (start, mut before, mut after) = ([i, j], from[i], to[j]);
        (i, j) = (i + 1, j + 1);
        while before != after {
            if before < after {
                before *= from[i];
                i += 1;
            } else {
                after *= to[j];
                j += 1;
            }
        }
        groups.push((start[0]..i, start[1]..j));
    }
    // What is left has a single element along each axis.
    if let Some((before, after)) = groups.last_mut() {
        (before.end, after.end) = (from.len(), to.len());
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(list: &[i64]) -> Vec<Int> {
        list.iter().map(|&x| Int::Fixed(x)).collect()
    }

    #[test]
    fn carries_orders_over() {
        let last = Order::channels_last(4);
        let check =
            |order: &Order, from: &[usize], to: &[usize], wanted: &[usize], then: &[usize]| {
                let found = carried(order, from, to);
                assert_eq!((found.0.axes(), found.1.axes()), (wanted, then), "{from:?} to {to:?}");
            };
        // Channels shuffled: taken apart where they lie, turned, put together after a copy.
        check(&last, &[5, 6, 4, 4], &[5, 2, 3, 4, 4], &[0, 2, 3, 1], &[0, 3, 4, 1, 2]);
        let turned = Order::new([0, 3, 4, 2, 1]);
        check(&turned, &[5, 3, 2, 4, 4], &[5, 6, 4, 4], &[0, 3, 4, 1, 2], &[0, 2, 3, 1]);
        // Pixels become positions, where the channels stay innermost.
        check(&last, &[5, 6, 4, 4], &[5, 6, 16], &[0, 2, 3, 1], &[0, 2, 1]);
        check(&last, &[5, 6, 4, 4], &[5, 96], &[0, 1, 2, 3], &[0, 1]);
        check(&last, &[5, 6, 1, 1], &[5, 6], &[0, 1, 2, 3], &[0, 1]);
        check(&Order::row_major(2), &[5, 6], &[5, 1, 6, 1, 1], &[0, 1], &[0, 1, 2, 3, 4]);
        check(&Order::row_major(0), &[], &[1, 1], &[], &[0, 1]);
        check(&last, &[1, 6, 4, 4], &[6, 4, 4], &[2, 3, 0, 1], &[1, 2, 0]);
    }

    #[test]
    fn works_out_open_extents() {
        let image = Shape::batched(&[8, 2, 2]);
        let reshape =
            |target: &[Int]| resolve(&image, &image, target, false, Some(1)).map(|s| s.to_string());
        assert_eq!(reshape(&ints(&[0, -1])).unwrap(), "[n, 32]");
        assert_eq!(reshape(&ints(&[-1, 32])).unwrap(), "[n, 32]");
        assert_eq!(reshape(&ints(&[1, 32])).unwrap(), "[n, 32]");
        assert_eq!(reshape(&[Int::Batch(1), Int::Fixed(2), Int::Fixed(-1)]).unwrap(), "[n, 2, 16]");
        assert_eq!(reshape(&ints(&[-1, 8])).unwrap(), "[4n, 8]");
        assert_eq!(reshape(&ints(&[4, 8])).unwrap(), "[4n, 8]");
        let turned = Shape(vec![Dim::Fixed(5), Dim::Batch(1), Dim::Fixed(8)]);
        let heads = resolve(&turned, &turned, &ints(&[5, 2, 4]), false, Some(1));
        assert_eq!(heads.unwrap().to_string(), "[5, 2n, 4]");
        let eight = resolve(&image, &image, &ints(&[8, 32]), false, Some(8));
        assert_eq!(eight.unwrap().to_string(), "[n, 32]");
        assert!(resolve(&image, &image, &ints(&[1, 32]), false, None).is_err());
        assert!(reshape(&ints(&[0, 31])).is_err());
        assert_eq!(reshape(&ints(&[2, 16])).unwrap(), "[2n, 16]");
    }
}
