//! Gemm: a linear layer, `y = x W + b` (or `x W' + b`), with `x` `[n, i]`.

use std::sync::Arc;

use brickwork_tensor::kernels::batch_norm::column_sums;
use brickwork_tensor::kernels::copy::gather_strided;
use brickwork_tensor::kernels::correlate::{Connections, correlate};
use brickwork_tensor::kernels::gemm::{Finish, Gather, Packed};
use brickwork_tensor::{Buffer, Level, Order, Tensor};

use super::conv::{Product, scaled};
use super::formula::Formula;
use super::product;
use crate::attrs::Attr;
use crate::channels::Flow;
use crate::error::OpError;
use crate::execute::{Absorbs, Execute};
use crate::joint_node::JointNode;
use crate::lower::{Kernel, Lower, Lowered};
use crate::op::{Cost, Op, Spec};
use crate::read::{Operand, OperandSource, Read, Reading};
use crate::shape::{Operands, Shape};
use crate::training::{Reads, Trained};
use crate::weighted::{WeightLayout, Weighted};

/// Operands: rows `[n, i]`, weights `[i, o]` or (transposed) `[o, i]`, bias `[o]`.
#[derive(Clone, Debug)]
pub(crate) struct Gemm {
    pub(crate) transposed: bool,
}

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let transposed = reading.int_or("transB", 0)? != 0;
    if reading.int_or("transA", 0)? != 0 {
        return of_columns(reading, transposed);
    }
    let (alpha, beta) = (reading.float_or("alpha", 1.0)?, reading.float_or("beta", 1.0)?);
    let Operand::Floats(weights) = reading.operand(1) else {
        return Err(OpError::new("weights (operand 1) must be a constant"));
    };
    if weights.rank() != 2 {
        return Err(OpError::new(format!(
            "weights have shape {:?}, expected two axes",
            weights.shape()
        )));
    }
    let outputs = weights.shape()[usize::from(!transposed)];
    let weights = if alpha == 1.0 {
        OperandSource::Operand(1)
    } else {
        OperandSource::Constant(Arc::new(weights.map(|x| x * alpha)))
    };
    let bias = match reading.floats_at(2, "the bias")? {
        None => OperandSource::Absent,
        Some(bias) if bias.shape() == [outputs] && beta == 1.0 => OperandSource::Operand(2),
        Some(bias) => OperandSource::Constant(Arc::new(spread(&bias, outputs, beta)?)),
    };
    Ok(Read::Node(Arc::new(Gemm { transposed }), vec![OperandSource::Operand(0), weights, bias]))
}

/// A product with the transposed first operand.
fn of_columns(reading: &Reading<'_>, transposed: bool) -> Result<Read, OpError> {
    let factors = ["alpha", "beta"].map(|name| reading.float_or(name, 1.0));
    let [alpha, beta] = factors;
    let attrs = [
        ("transB", Attr::Int(i64::from(transposed))),
        ("alpha", Attr::Float(alpha?)),
        ("beta", Attr::Float(beta?)),
    ];
    let mut formula = Formula::of(reading)?;
    let perm = [("perm", Attr::Ints(vec![1, 0]))];
    let mut names: Vec<&str> = reading.form.inputs.iter().map(String::as_str).collect();
    let rows = formula.step_with("Transpose", &names[..1], &perm);
    names[0] = &rows;
    formula.step_with("Gemm", &names, &attrs);
    Ok(formula.done())
}

/// A bias that broadcasts to `[n, outputs]`, as `[outputs]`, times `beta`.
fn spread(bias: &Tensor, outputs: usize, beta: f32) -> Result<Tensor, OpError> {
    let fits = match bias.shape() {
        [] | [1] | [1, 1] => true,
        [o] | [1, o] => *o == outputs,
        _ => false,
    };
    if !fits {
        return Err(OpError::new(format!(
            "bias has shape {:?}, expected [{outputs}]",
            bias.shape()
        )));
    }
    let flat = bias.clone().reshape([bias.data().len()]);
    Ok(flat.broadcast(&[outputs]).map(|x| x * beta))
}

impl Op for Gemm {
    fn kind(&self) -> &'static str {
        "Gemm"
    }

    fn spec(&self) -> Spec {
        let mut spec = Spec::slots(3);
        spec.attrs.insert("transB".to_owned(), Attr::Int(i64::from(self.transposed)));
        spec
    }

    fn shapes(&self, operands: &Operands<'_>) -> Result<Vec<Shape>, OpError> {
        let (rows, weights) = (operands.ranked(0, 2)?, operands.ranked(1, 2)?);
        let (inputs, outputs) = if self.transposed { (1, 0) } else { (0, 1) };
        if rows.0[1] != weights.0[inputs] {
            return Err(OpError::new(format!("rows {rows} do not fit weights {weights}")));
        }
        if operands.has(2) && operands.shape(2)?.0 != [weights.0[outputs]] {
            return Err(OpError::new(format!(
                "bias has shape {}, expected [{}]",
                operands.shape(2)?,
                weights.0[outputs]
            )));
        }
        Ok(vec![Shape(vec![rows.0[0], weights.0[outputs]])])
    }

    fn channels(&self, flow: &mut Flow<'_>) {
        linear_channels(flow, self.transposed);
    }

    fn joined(&self, joint: &mut JointNode<'_>) -> Result<Arc<dyn Op>, OpError> {
        joint.same(self.clone())
    }

    fn cost(&self, operands: &Operands<'_>, output: &Shape) -> Cost {
        let weights = operands.shape(1).map_or(0, Shape::sample_volume);
        let rows = output.sample().first().copied().unwrap_or(1) as u64;
        Cost::of(rows.saturating_mul(weights as u64), operands, output)
    }

    fn weighted(&self, operands: &Operands<'_>) -> Option<Weighted> {
        weighted_linear(operands, self.transposed, Some(2))
    }
}

impl Execute for Gemm {
    fn lower(&self, lower: &mut Lower<'_>) -> Result<Lowered, OpError> {
        lower_linear(lower, self.transposed)
    }

    fn train(&self, lower: &mut Lower<'_>) -> Result<Trained, OpError> {
        train_linear(lower, self.transposed)
    }

    fn absorbs(&self) -> Absorbs {
        Absorbs { affine: true, residual: false, pointwise: true }
    }
}

/// Channels through a linear layer over the last axis. Where they lie along other axes alone, as images' do in a layer over
/// positions, they pass on, and the layer stays whole.
pub(crate) fn linear_channels(flow: &mut Flow<'_>, transposed: bool) {
    let last = flow.extents(0).len() - 1;
    let inputs = match flow.labels_along(0, last) {
        Ok(labels) => labels,
        Err(_) => return product::channels_beside_constant(flow, 1),
    };
    let (input_axis, output_axis) = if transposed { (1, 0) } else { (0, 1) };
    flow.contract(1, input_axis, 1, &inputs);
    let outputs = flow.fresh(flow.extents(1)[output_axis]);
    flow.follow(1, output_axis, &outputs);
    flow.follow(2, 0, &outputs);
    flow.layer(inputs, outputs.clone(), 1);
    flow.set_along(0, last, outputs);
}

/// The kernel of a linear layer over the last axis.
pub(crate) fn lower_linear(lower: &mut Lower<'_>, transposed: bool) -> Result<Lowered, OpError> {
    let extents = lower.extents(0)?;
    let order = Order::row_major(extents.len());
    lower.want(0, order.clone());
    let weights = lower.constant(1)?.clone();
    let bias = lower.optional_constant(2).cloned();
    let (epilogue, level) = (lower.epilogue().clone(), lower.level());
    let packed = lower.once(|| {
        let outputs_first =
            if transposed { (*weights).clone() } else { weights.transpose(&[1, 0]) };
        let (w, b) = scaled(&outputs_first, bias.as_deref(), &epilogue);
        let [outputs, inputs] = [outputs_first.shape()[0], outputs_first.shape()[1]];
        Packed::new(level, &w, Some(&b), outputs, inputs, 1, 1)
    });
    let (inputs, rows) = match extents.split_last() {
        Some((&inputs, outer)) => (inputs, outer.iter().product()),
        None => return Err(OpError::new("a scalar has no features")),
    };
    Ok(Lowered::kernel(Product::new(packed, Gather::rows(inputs), rows, &epilogue, level), order))
}

/// The weighted view of a linear layer.
pub(crate) fn weighted_linear(
    operands: &Operands<'_>,
    transposed: bool,
    bias_slot: Option<usize>,
) -> Option<Weighted> {
    operands.constant(1)?;
    let extents = operands.shape(1).ok()?.extents()?;
    let (inputs, outputs) =
        if transposed { (extents[1], extents[0]) } else { (extents[0], extents[1]) };
    let layout = if transposed { WeightLayout::OutputsFirst } else { WeightLayout::InputsFirst };
    Some(Weighted { outputs, inputs, groups: 1, window: None, layout, bias_slot })
}

/// Training of a linear layer over the last axis.
pub(crate) fn train_linear(lower: &mut Lower<'_>, transposed: bool) -> Result<Trained, OpError> {
    let extents = lower.extents(0)?;
    let order = Order::row_major(extents.len());
    lower.want(0, order.clone());
    let (inputs, rows) = match extents.split_last() {
        Some((&inputs, outer)) => (inputs, outer.iter().product()),
        None => return Err(OpError::new("a scalar has no features")),
    };
    let outputs = lower.extents(1)?[usize::from(!transposed)];
    let linear = Linear { rows, inputs, outputs, transposed, level: lower.level() };
    let gives = lower.needed(0..3);
    let reads = vec![Reads::Gradient(0), Reads::Operand(0), Reads::Operand(1)];
    let back = Unlinear { of: linear, gives: gives.clone() };
    Ok(Trained::new(Lowered::kernel(linear, order), back, reads, gives))
}

/// A linear layer whose weights change with every step.
#[derive(Clone, Copy)]
struct Linear {
    rows: usize,
    inputs: usize,
    outputs: usize,
    /// Whether weights are `[outputs, inputs]`.
    transposed: bool,
    level: Level,
}

/// Rows up to which packing the weights takes longer than multiplying by them. Rows are then packed
/// instead, and the product is transposed.
const FEW_ROWS: usize = 256;

impl Linear {
    /// `[outputs, rows]` = weights times transposed `rows`, for weights that lie `[outputs, inputs]`.
    fn by_rows(&self, x: &[f32], w: &[f32], outputs: usize, out: &mut [f32]) {
        let inputs = w.len() / outputs;
        let packed = Packed::new(self.level, x, None, self.rows, inputs, 1, 1);
        packed.run(&Gather::rows(inputs), w, outputs, Finish::PLAIN, out);
    }

    /// `[columns, rows]` = transposed weights times transposed `rows`, for weights that lie
    /// `[inner, columns]`.
    fn by_columns(
        &self,
        x: &[f32],
        w: &[f32],
        inner: usize,
        out: &mut [f32],
        scratch: &mut Buffer,
    ) {
        let turned = turned(x, self.rows);
        let columns = w.len() / inner;
        let connections = Connections { channels: self.rows, outputs: columns, groups: 1 };
        let gather = Gather::rows(self.rows);
        correlate(self.level, connections, &gather, &turned, w, inner, out, scratch);
    }
}

/// A matrix of `rows` rows, transposed.
fn turned(matrix: &[f32], rows: usize) -> Vec<f32> {
    let mut turned = vec![0.0; matrix.len()];
    let columns = matrix.len() / rows.max(1);
    gather_strided(matrix, 0, &[columns, rows], &[1, columns as isize], &mut turned);
    turned
}

impl Kernel for Linear {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer) {
        let (x, w, b) = (inputs[0], inputs[1], inputs.get(2).copied());
        if self.rows <= FEW_ROWS {
            let mut across = vec![0.0; self.rows * self.outputs];
            if self.transposed {
                self.by_rows(x, w, self.outputs, &mut across);
            } else {
                self.by_columns(x, w, self.inputs, &mut across, scratch);
            }
            let out = &mut *outputs[0];
            let (rows, each) = (self.rows as isize, [self.rows, self.outputs]);
            gather_strided(&across, 0, &each, &[1, rows], out);
            if let Some(b) = b {
                let add = |row: &mut [f32]| row.iter_mut().zip(b).for_each(|(y, b)| *y += b);
                out.chunks_mut(self.outputs).for_each(add);
            }
            return;
        }
        let turned = (!self.transposed).then(|| turn(w, self.inputs, scratch));
        let w = turned.unwrap_or(w);
        let packed = Packed::new(self.level, w, b, self.outputs, self.inputs, 1, 1);
        packed.run(&Gather::rows(self.inputs), x, self.rows, Finish::PLAIN, outputs[0]);
    }
}

/// A matrix of `rows` rows, transposed.
fn turn<'a>(matrix: &[f32], rows: usize, into: &'a mut Buffer) -> &'a [f32] {
    let columns = matrix.len() / rows;
    let turned = into.ensure(matrix.len());
    gather_strided(matrix, 0, &[columns, rows], &[1, columns as isize], turned);
    turned
}

/// Gradients of rows, weights and bias: those of them in `gives`.
struct Unlinear {
    of: Linear,
    gives: Vec<usize>,
}

impl Kernel for Unlinear {
    fn run(&self, operands: &[&[f32]], results: &mut [&mut [f32]], scratch: &mut Buffer) {
        let Linear { rows, inputs, outputs, transposed, level } = self.of;
        let [dy, x, w] = [operands[0], operands[1], operands[2]];
        for (slot, out) in self.gives.iter().zip(results) {
            match slot {
                0 if rows <= FEW_ROWS => {
                    let mut across = vec![0.0; rows * inputs];
                    if transposed {
                        self.of.by_columns(dy, w, outputs, &mut across, scratch);
                    } else {
                        self.of.by_rows(dy, w, inputs, &mut across);
                    }
                    gather_strided(&across, 0, &[rows, inputs], &[1, rows as isize], out);
                }
                0 => {
                    let turned = transposed.then(|| turn(w, outputs, scratch));
                    let w = turned.unwrap_or(w);
                    let packed = Packed::new(level, w, None, inputs, outputs, 1, 1);
                    packed.run(&Gather::rows(outputs), dy, rows, Finish::PLAIN, out);
                }
                1 => {
                    // Weights lie as [of the second, of the first].
                    let [(first, channels), (second, columns)] = if transposed {
                        [(x, inputs), (dy, outputs)]
                    } else {
                        [(dy, outputs), (x, inputs)]
                    };
                    let connections = Connections { channels, outputs: columns, groups: 1 };
                    let gather = Gather::rows(channels);
                    correlate(level, connections, &gather, first, second, rows, out, scratch);
                }
                _ => out.copy_from_slice(&column_sums(dy, outputs)),
            }
        }
    }
}
