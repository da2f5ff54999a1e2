//! The operators: one file each, and the table of them. A new one is a file, a `mod` line and a line of
//! the table.

use std::sync::Arc;

use brickwork_tensor::kernels::elementwise::Binary;

use crate::error::OpError;
use crate::op::Op;
use crate::read::{Read, Reading};

mod abs;
mod add;
mod and;
mod attention;
mod average_pool;
mod batch_normalization;
mod cast;
mod cast_like;
mod ceil;
mod celu;
mod clip;
mod col2im;
mod concat;
mod constant;
mod constant_of_shape;
mod conv;
mod conv_transpose;
mod cos;
mod cum_sum;
mod depth_to_space;
mod div;
mod dropout;
mod einsum;
mod elu;
mod equal;
mod erf;
mod exp;
mod expand;
mod flatten;
mod floor;
mod gather;
mod gather_elements;
mod gather_nd;
mod gelu;
mod gemm;
mod global_average_pool;
mod global_max_pool;
mod greater;
mod greater_or_equal;
mod group_normalization;
mod hard_sigmoid;
mod hard_swish;
mod identity;
mod instance_normalization;
mod layer_normalization;
mod leaky_relu;
mod less;
mod less_or_equal;
mod log;
mod log_softmax;
mod lp_normalization;
mod lrn;
mod matmul;
mod max;
mod max_pool;
mod mean;
mod min;
mod mish;
mod mod_;
mod mul;
mod neg;
mod not;
mod or;
mod pad;
mod pow;
mod prelu;
mod range;
mod reciprocal;
mod reduce_l1;
mod reduce_l2;
mod reduce_log_sum;
mod reduce_log_sum_exp;
mod reduce_max;
mod reduce_mean;
mod reduce_min;
mod reduce_prod;
mod reduce_sum;
mod reduce_sum_square;
mod relu;
mod reshape;
mod resize;
mod rms_normalization;
mod round;
mod scatter_nd;
mod selu;
mod shape;
mod sigmoid;
mod sign;
mod sin;
mod size;
mod slice;
mod softmax;
mod softplus;
mod softsign;
mod space_to_depth;
mod split;
mod sqrt;
mod squeeze;
mod sub;
mod sum;
mod swish;
mod tanh;
mod thresholded_relu;
mod tile;
mod transpose;
mod trilu;
mod unsqueeze;
mod upsample;
mod where_;
mod xor;

// What several of them share.
mod arithmetic;
mod comparing;
mod formula;
mod indexing;
mod moving;
mod normalising;
mod pointwise;
mod pooling;
mod product;
mod reducing;
mod volumetric;
mod windowed;

pub use cast::CONVERTS;
pub use identity::HANDS_ON;

macro_rules! operators {
    ($($kind:literal => $file:ident),* $(,)?) => {
        /// ONNX names of the operators that can be read, in alphabetical order.
        pub const SUPPORTED: &[&str] = &[$($kind),*];

        /// The reader of an operator.
        pub(crate) fn find(kind: &str) -> Option<fn(&Reading<'_>) -> Result<Read, OpError>> {
            match kind {
                $($kind => Some($file::read),)*
                _ => None,
            }
        }
    };
}

operators! {
    "Abs" => abs,
    "Add" => add,
    "And" => and,
    "Attention" => attention,
    "AveragePool" => average_pool,
    "BatchNormalization" => batch_normalization,
    "Cast" => cast,
    "CastLike" => cast_like,
    "Ceil" => ceil,
    "Celu" => celu,
    "Clip" => clip,
    "Col2Im" => col2im,
    "Concat" => concat,
    "Constant" => constant,
    "ConstantOfShape" => constant_of_shape,
    "Conv" => conv,
    "ConvTranspose" => conv_transpose,
    "Cos" => cos,
    "CumSum" => cum_sum,
    "DepthToSpace" => depth_to_space,
    "Div" => div,
    "Dropout" => dropout,
    "Einsum" => einsum,
    "Elu" => elu,
    "Equal" => equal,
    "Erf" => erf,
    "Exp" => exp,
    "Expand" => expand,
    "Flatten" => flatten,
    "Floor" => floor,
    "Gather" => gather,
    "GatherElements" => gather_elements,
    "GatherND" => gather_nd,
    "Gelu" => gelu,
    "Gemm" => gemm,
    "GlobalAveragePool" => global_average_pool,
    "GlobalMaxPool" => global_max_pool,
    "Greater" => greater,
    "GreaterOrEqual" => greater_or_equal,
    "GroupNormalization" => group_normalization,
    "HardSigmoid" => hard_sigmoid,
    "HardSwish" => hard_swish,
    "Identity" => identity,
    "InstanceNormalization" => instance_normalization,
    "LRN" => lrn,
    "LayerNormalization" => layer_normalization,
    "LeakyRelu" => leaky_relu,
    "Less" => less,
    "LessOrEqual" => less_or_equal,
    "Log" => log,
    "LogSoftmax" => log_softmax,
    "LpNormalization" => lp_normalization,
    "MatMul" => matmul,
    "Max" => max,
    "MaxPool" => max_pool,
    "Mean" => mean,
    "Min" => min,
    "Mish" => mish,
    "Mod" => mod_,
    "Mul" => mul,
    "Neg" => neg,
    "Not" => not,
    "Or" => or,
    "PRelu" => prelu,
    "Pad" => pad,
    "Pow" => pow,
    "RMSNormalization" => rms_normalization,
    "Range" => range,
    "Reciprocal" => reciprocal,
    "ReduceL1" => reduce_l1,
    "ReduceL2" => reduce_l2,
    "ReduceLogSum" => reduce_log_sum,
    "ReduceLogSumExp" => reduce_log_sum_exp,
    "ReduceMax" => reduce_max,
    "ReduceMean" => reduce_mean,
    "ReduceMin" => reduce_min,
    "ReduceProd" => reduce_prod,
    "ReduceSum" => reduce_sum,
    "ReduceSumSquare" => reduce_sum_square,
    "Relu" => relu,
    "Reshape" => reshape,
    "Resize" => resize,
    "Round" => round,
    "ScatterND" => scatter_nd,
    "Selu" => selu,
    "Shape" => shape,
    "Sigmoid" => sigmoid,
    "Sign" => sign,
    "Sin" => sin,
    "Size" => size,
    "Slice" => slice,
    "Softmax" => softmax,
    "Softplus" => softplus,
    "Softsign" => softsign,
    "SpaceToDepth" => space_to_depth,
    "Split" => split,
    "Sqrt" => sqrt,
    "Squeeze" => squeeze,
    "Sub" => sub,
    "Sum" => sum,
    "Swish" => swish,
    "Tanh" => tanh,
    "ThresholdedRelu" => thresholded_relu,
    "Tile" => tile,
    "Transpose" => transpose,
    "Trilu" => trilu,
    "Unsqueeze" => unsqueeze,
    "Upsample" => upsample,
    "Where" => where_,
    "Xor" => xor,
}

/// The operator that takes indices of one axis: index `k` comes from index `indices[k]`.
pub(crate) fn taking(axis: usize, indices: Vec<usize>) -> Arc<dyn Op> {
    Arc::new(gather::Gather { axis, indices })
}

/// The operator that multiplies two operands element by element.
pub(crate) fn scaling() -> Arc<dyn Op> {
    Arc::new(arithmetic::Arithmetic { kind: "Mul", function: Binary::Mul })
}

/// The operator that gives axes another order: axis `k` is axis `perm[k]` of the operand.
pub(crate) fn transposing(perm: Vec<usize>) -> Arc<dyn Op> {
    Arc::new(transpose::Transpose { perm })
}

#[cfg(test)]
mod tests {
    use brickwork_tensor::Nd;

    use super::SUPPORTED;
    use crate::{Builder, Form, Literal, Shape};

    #[test]
    fn every_operator_file_is_in_the_table() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
        let mut operators = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let source = std::fs::read_to_string(&path).unwrap();
            if source.contains("\npub(crate) fn read(reading: &Reading<'_>) -> Result<Read") {
                let line = format!(" => {},\n", path.file_stem().unwrap().display());
                assert!(include_str!("ops.rs").contains(&line), "no line `{}`", line.trim());
                operators += 1;
            }
        }
        assert_eq!(operators, SUPPORTED.len());
    }

    #[test]
    fn operands_may_be_missing_of_any_operator() {
        let names = ["x", "k", "w", "i", ""];
        for kind in SUPPORTED {
            for first in names {
                for (count, others) in [(1, ""), (2, ""), (2, "x"), (3, "w"), (4, "i"), (6, "k")] {
                    let mut builder = Builder::new("net", 17, None);
                    builder.input("x", Shape::batched(&[4, 4, 4]));
                    builder.constant("k", Literal::Ints(Nd::new([2], vec![0, 1])));
                    builder.constant("w", Literal::Floats(Nd::filled([4, 4, 3, 3], 0.5)));
                    builder.constant("i", Literal::Ints(Nd::new(Vec::new(), vec![1])));
                    let rest = std::iter::repeat_n(others.to_owned(), count - 1);
                    builder.node(&Form {
                        kind: (*kind).to_owned(),
                        inputs: std::iter::once(first.to_owned()).chain(rest).collect(),
                        outputs: vec!["y".to_owned()],
                        ..Form::default()
                    });
                    builder.output("y");
                    if let Err(error) = builder.finish() {
                        assert!(!error.to_string().is_empty(), "{kind}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_table_is_alphabetical() {
        assert!(SUPPORTED.is_sorted());
    }
}
