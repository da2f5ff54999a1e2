//! What all functions of two elements share: shapes, channels, and the arithmetic of shape chains.

use std::sync::Arc;

use brickwork_tensor::kernels::elementwise::{Binary, Side, Walk};
use brickwork_tensor::kernels::pointwise::Pointwise;
use brickwork_tensor::{Buffer, Level, Nd, Order, Tensor, broadcast_shape};

use super::formula::Formula;
use super::pointwise::finish;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::{Absorbs, Execute, Fusion};
use crate::joint_node::JointNode;
use crate::lower::{Feed, Kernel, Lower, Lowered};
use crate::op::{Op, Spec};
use crate::read::{Known, Operand, Read, Reading, Real, Whole};
use crate::shape::{Dim, Int, Operands, Shape};
use crate::training::{Reads, Trained};

/// A function of two elements, with multidirectional broadcasting.
#[derive(Clone, Debug)]
pub(crate) struct Arithmetic {
    pub(crate) kind: &'static str,
    pub(crate) function: Binary,
}

/// Reads `kind`; whole numbers are worked out at once with `whole`.
pub(crate) fn read(
    reading: &Reading<'_>,
    kind: &'static str,
    function: Binary,
    whole: fn(Int, Int) -> Option<Int>,
) -> Result<Read, OpError> {
    match two_whole(reading) {
        Some([a, b]) => Ok(Read::Known(vec![zipped(reading, &a, &b, whole)?])),
        None => Ok(reading.node(Arithmetic { kind, function }, 2)),
    }
}

/// Reads the same of any number of operands, written two at a time. `whole` as in [`read`].
///
/// # Errors
/// As [`read`].
pub(crate) fn read_any(
    reading: &Reading<'_>,
    kind: &'static str,
    function: Binary,
    whole: fn(Int, Int) -> Option<Int>,
) -> Result<Read, OpError> {
    let inputs = &reading.form.inputs;
    if inputs.len() == 2 {
        return read(reading, kind, function, whole);
    }
    let mut formula = Formula::of(reading)?;
    let mut last = inputs[0].clone();
    for input in &inputs[1..] {
        last = formula.step(kind, &[&last, input]);
    }
    if inputs.len() == 1 {
        formula.step("Identity", &[&last]);
    }
    Ok(formula.done())
}

/// What is said of whole numbers that would depend on the batch size in a way that [`Int`] cannot hold.
pub(crate) fn not_written() -> OpError {
    OpError::new("shape arithmetic that depends on the batch size in a way not supported")
}

/// The operands, if both are known whole numbers. Next to numbers in terms of the batch, real ones
/// without a fraction count as whole: exporters divide extents so.
pub(crate) fn two_whole(reading: &Reading<'_>) -> Option<[Whole; 2]> {
    let (a, b) = (reading.operand(0), reading.operand(1));
    match (a.whole(), b.whole()) {
        (Some(a), Some(b)) => Some([a, b]),
        (Some(a), None) => as_whole(b, &a).map(|b| [a, b]),
        (None, Some(b)) => as_whole(a, &b).map(|a| [a, b]),
        (None, None) => None,
    }
}

/// Real numbers without a fraction as whole ones, beside others that depend on the batch.
fn as_whole(operand: &Operand, beside: &Whole) -> Option<Whole> {
    let Real { data, shape } = operand.real()?;
    let open = beside.data.data().iter().all(|x| x.fixed().is_none());
    let exact = data.data().iter().all(|x| x.fract() == 0.0 && x.abs() < (1u64 << 53) as f32);
    let data = Arc::new(data.map(|x| Int::Fixed(x as i64)));
    (open && exact).then_some(Whole { data, shape })
}

/// `whole` of every two elements of operands that broadcast.
pub(crate) fn zipped(
    reading: &Reading<'_>,
    a: &Whole,
    b: &Whole,
    whole: impl Fn(Int, Int) -> Option<Int>,
) -> Result<Known, OpError> {
    let shape = broadcast(&a.shape, &b.shape)?;
    let extents = shape.sample();
    reading.affords(&extents, true)?;
    let (a, b) = (a.data.broadcast(&extents), b.data.broadcast(&extents));
    let data = a.data().iter().zip(b.data()).map(|(&a, &b)| whole(a, b));
    let data = data.collect::<Option<Vec<_>>>().ok_or_else(not_written)?;
    Ok(Known::whole(Nd::new(extents, data), shape))
}

/// `of` every two elements of the operands, if both are known real numbers: for one sample, and the shape they stand
/// for. Their results are as large as an [`Int`] if they are `whole`.
///
/// # Errors
/// If the operands do not broadcast, or the results are too many.
pub(crate) fn zipped_reals<T: Copy>(
    reading: &Reading<'_>,
    whole: bool,
    of: impl Fn(f32, f32) -> T,
) -> Result<Option<(Nd<T>, Shape)>, OpError> {
    let (Some(a), Some(b)) = (reading.operand(0).real(), reading.operand(1).real()) else {
        return Ok(None);
    };
    let shape = broadcast(&a.shape, &b.shape)?;
    let extents = shape.sample();
    reading.affords(&extents, whole)?;
    let (a, b) = (a.data.broadcast(&extents), b.data.broadcast(&extents));
    let data = a.data().iter().zip(b.data()).map(|(&a, &b)| of(a, b)).collect();
    Ok(Some((Nd::new(extents, data), shape)))
}

/// The broadcast of two shapes.
pub(crate) fn broadcast(a: &Shape, b: &Shape) -> Result<Shape, OpError> {
    let rank = a.rank().max(b.rank());
    let dim = |shape: &Shape, k: usize| {
        (k + shape.rank()).checked_sub(rank).map_or(Dim::Fixed(1), |axis| shape.0[axis])
    };
    let dims = (0..rank).map(|k| match (dim(a, k), dim(b, k)) {
        (x, y) if x == y => Ok(x),
        (Dim::Fixed(1), y) => Ok(y),
        (x, Dim::Fixed(1)) => Ok(x),
        _ => Err(OpError::new(format!("operands of shape {a} and {b} do not broadcast"))),
    });
    dims.collect::<Result<_, _>>().map(Shape)
}

impl Arithmetic {
    fn computed_same_shape(&self, operands: &Operands<'_>) -> bool {
        matches!((operands.shape(0), operands.shape(1)), (Ok(a), Ok(b)) if a == b)
            && operands.constant(0).is_none()
            && operands.constant(1).is_none()
    }

    /// The constant operand as one number per channel (axis 1) of a value of `rank` axes.
    fn per_channel(&self, operands: &Operands<'_>) -> Option<Vec<f32>> {
        let (value, constant) = (operands.shape(0).ok()?, operands.constant(1)?);
        if operands.constant(0).is_some() || constant.rank() > value.rank() || value.rank() < 2 {
            return None;
        }
        let channels = value.0[1].fixed()?;
        let mut shape = vec![1; value.rank()];
        shape[1] = channels;
        let fits = broadcast_shape(constant.shape(), &shape).is_some_and(|s| s == shape);
        fits.then(|| constant.broadcast(&shape).into_data())
    }
}

impl Op for Arithmetic {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn spec(&self) -> Spec {
        Spec::slots(2)
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        Ok(vec![broadcast(operands.shape(0)?, operands.shape(1)?)?])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        flow.join();
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }
}

impl Execute for Arithmetic {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        lower_binary(lower, self.function)
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        train_binary(lower, self.function)
    }

    fn fusion(&self, operands: &Operands<'_>) -> Fusion {
        match self.function {
            Binary::Add if self.computed_same_shape(operands) => Fusion::Sum,
            Binary::Mul if self.computed_same_shape(operands) => Fusion::Product,
            Binary::Add | Binary::Mul | Binary::Sub | Binary::Div => {
                let Some(per) = self.per_channel(operands) else { return Fusion::None };
                let ones = vec![1.0; per.len()];
                let zeros = vec![0.0; per.len()];
                match self.function {
                    Binary::Add => Fusion::Affine(ones, per),
                    Binary::Sub => Fusion::Affine(ones, per.iter().map(|x| -x).collect()),
                    Binary::Mul => Fusion::Affine(per, zeros),
                    _ => Fusion::Affine(per.iter().map(|x| 1.0 / x).collect(), zeros),
                }
            }
            Binary::Pow | Binary::PRelu | Binary::Max | Binary::Min => Fusion::None,
        }
    }

    fn absorbs(&self) -> Absorbs {
        Absorbs { pointwise: true, ..Absorbs::default() }
    }
}

/// The kernel of a function of two elements.
pub(crate) fn lower_binary(lower: &mut Lower<'_>, function: Binary) -> Result<Lowered, OpError> {
    let out = lower.output(0).to_vec();
    let order = leading_order(lower, &out);
    let extents = order.physical(&out);
    let (a, b) = (operand(lower, 0, &out, &order)?, operand(lower, 1, &out, &order)?);
    let kernel = Combine {
        function,
        walk: Walk::new(&extents, &a.strides, &b.strides),
        constants: [a.constant, b.constant],
        in_place: a.whole,
        then: lower.epilogue().pointwise.clone(),
        level: lower.level(),
    };
    Ok(Lowered::kernel(kernel, order))
}

/// The training form of a function of two elements.
pub(crate) fn train_binary(lower: &mut Lower<'_>, function: Binary) -> Result<Trained, OpError> {
    let out = lower.output(0).to_vec();
    let order = leading_order(lower, &out);
    let forward = lower_binary(lower, function)?;
    let gives = lower.needed(0..2);
    let whole = |slot| lower.extents(slot).is_ok_and(|extents| extents == out);
    if function == Binary::Add && gives.iter().all(|&slot| whole(slot)) {
        return Ok(Trained::same(forward, gives));
    }
    let (a, b) = (operand(lower, 0, &out, &order)?, operand(lower, 1, &out, &order)?);
    let sides = gives.iter().map(|&slot| [Side::A, Side::B][slot]).collect();
    let walk = Walk::new(&order.physical(&out), &a.strides, &b.strides);
    let reads = vec![Reads::Gradient(0), Reads::Operand(0), Reads::Operand(1)];
    Ok(Trained::new(forward, Uncombine { function, walk, sides }, reads, gives))
}

/// The order of the computed operand that has the output's own shape, else channels-last.
pub(crate) fn leading_order(lower: &Lower<'_>, out: &[usize]) -> Order {
    (0..lower.slots())
        .find_map(|slot| match lower.feed(slot) {
            Feed::Computed(extents, order) if extents == out => Some(order.clone()),
            _ => None,
        })
        .unwrap_or_else(|| Order::channels_last(out.len()))
}

struct Fed {
    /// Strides along the output's axes, outermost in memory first.
    strides: Vec<usize>,
    constant: Option<Arc<Tensor>>,
    /// Whether this is a computed value of the output's own shape and order.
    whole: bool,
}

fn operand(
    lower: &mut Lower<'_>,
    slot: usize,
    out: &[usize],
    order: &Order,
) -> Result<Fed, OpError> {
    let extents = lower.extents(slot)?;
    let whole = extents == out && matches!(lower.feed(slot), Feed::Computed(..));
    if whole {
        lower.want(slot, order.clone());
    }
    let own = if whole { order.clone() } else { lower.order(slot) };
    let own_strides = own.strides(&extents);
    let missing = out.len() - extents.len();
    let strides = order
        .axes()
        .iter()
        .map(|&axis| match axis.checked_sub(missing) {
            Some(k) if extents[k] != 1 => own_strides[k],
            _ => 0,
        })
        .collect();
    Ok(Fed { strides, constant: lower.optional_constant(slot).cloned(), whole })
}

struct Combine {
    function: Binary,
    walk: Walk,
    constants: [Option<Arc<Tensor>>; 2],
    in_place: bool,
    then: Option<Pointwise>,
    level: Level,
}

impl Combine {
    fn operands<'a>(&'a self, inputs: &[&'a [f32]]) -> (&'a [f32], &'a [f32]) {
        match &self.constants {
            [Some(a), Some(b)] => (a.data(), b.data()),
            [Some(a), None] => (a.data(), inputs[0]),
            [None, Some(b)] => (inputs[0], b.data()),
            [None, None] => (inputs[0], inputs[1]),
        }
    }
}

impl Kernel for Combine {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        let (a, b) = self.operands(inputs);
        self.walk.run(self.function, a, b, outputs[0], self.level);
        finish(self.then.as_ref(), outputs[0], self.level);
    }

    fn works_in_place(&self) -> bool {
        self.in_place
    }

    fn update(&self, first: &mut [f32], others: &[&[f32]]) {
        let b = self.constants[1].as_ref().map_or_else(|| others[0], |b| b.data());
        self.walk.update(self.function, first, b, self.level);
        finish(self.then.as_ref(), first, self.level);
    }
}

/// The gradients of some operands, summed over what they were repeated along.
struct Uncombine {
    function: Binary,
    walk: Walk,
    sides: Vec<Side>,
}

impl Kernel for Uncombine {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], _: &mut Buffer) {
        for (side, out) in self.sides.iter().zip(outputs) {
            self.walk.backward(self.function, *side, inputs[1], inputs[2], inputs[0], out);
        }
    }
}
