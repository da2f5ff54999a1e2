//! Runs one operator on constants.

use brickwork_tensor::kernels::copy::gather_strided;
use brickwork_tensor::{Buffer, Level, Order, Tensor, volume};

use crate::error::OpError;
use crate::lower::{Epilogue, Feed, Lower, Step};
use crate::op::Op;
use crate::shape::{Operands, Shape};

/// Roughly how many steps [`evaluate`] takes, and how many bytes.
pub(crate) fn cost(op: &dyn Op, facts: &Operands<'_>, results: &[Shape]) -> u64 {
    let bytes = results.iter().map(|shape| 4 * shape.sample_volume() as u64);
    bytes.fold(op.cost(facts, &results[0]).steps, u64::saturating_add)
}

/// The results of `op` on operands that are all constant.
///
/// # Errors
/// If a result's shape is open or the operator cannot run.
pub(crate) fn evaluate(
    op: &dyn Op,
    facts: &Operands<'_>,
    results: &[Shape],
) -> Result<Vec<Tensor>, OpError> {
    let extents = results
        .iter()
        .map(|shape| {
            shape.extents().ok_or_else(|| OpError::new("a constant result has an open shape"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let feeds = (0..facts.len())
        .map(|slot| match facts.constant(slot) {
            Some(data) if slot == 0 => {
                Feed::Computed(data.shape().to_vec(), Order::row_major(data.rank()))
            }
            Some(data) => Feed::Constant(data),
            None => Feed::Absent,
        })
        .collect();
    let mut lower = Lower::new(feeds, extents.clone(), Epilogue::default(), Level::best());
    let lowered = op.lower(&mut lower)?;
    let Some(first) = facts.constant(0) else { return Err(OpError::new("it has no operand")) };
    let input = match &lower.wanted()[0] {
        Some(order) => in_order(first, order),
        None => first.data().to_vec(),
    };
    let mut outputs: Vec<Vec<f32>> = extents.iter().map(|e| vec![0.0; volume(e)]).collect();
    match lowered.step {
        Step::View => outputs[0].copy_from_slice(&input),
        Step::Run(kernel) => {
            let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
            kernel.run(&[&input], &mut slices, &mut Buffer::default());
        }
    }
    let tensors = outputs.into_iter().zip(extents).zip(lowered.orders);
    Ok(tensors.map(|((data, extents), order)| row_major(&data, &extents, &order)).collect())
}

/// The elements of `tensor` as they lie in `order`.
pub(crate) fn in_order(tensor: &Tensor, order: &Order) -> Vec<f32> {
    tensor.transpose(order.axes()).into_data()
}

/// The row-major array whose elements lie in `order` in `data`.
pub fn row_major(data: &[f32], extents: &[usize], order: &Order) -> Tensor {
    let strides: Vec<isize> = order.strides(extents).iter().map(|&s| s as isize).collect();
    let mut out = vec![0.0; volume(extents)];
    gather_strided(data, 0, extents, &strides, &mut out);
    Tensor::new(extents, out)
}
