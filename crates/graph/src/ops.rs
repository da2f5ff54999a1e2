//! The operators: one file each, and the list of them.

use std::sync::Arc;

use crate::op::{Op, OpError};
use crate::read::{Read, Reading};

mod arithmetic;
mod moving;
mod pointwise;
mod pooling;
mod reducing;
mod windowed;

macro_rules! operators {
    ($($kind:literal => $file:ident),* $(,)?) => {
        $(mod $file;)*

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
    "AveragePool" => average_pool,
    "BatchNormalization" => batch_normalization,
    "Cast" => cast,
    "Clip" => clip,
    "Concat" => concat,
    "Constant" => constant,
    "ConstantOfShape" => constant_of_shape,
    "Conv" => conv,
    "Div" => div,
    "Dropout" => dropout,
    "Elu" => elu,
    "Erf" => erf,
    "Exp" => exp,
    "Expand" => expand,
    "Flatten" => flatten,
    "Gather" => gather,
    "Gelu" => gelu,
    "Gemm" => gemm,
    "GlobalAveragePool" => global_average_pool,
    "GlobalMaxPool" => global_max_pool,
    "HardSigmoid" => hard_sigmoid,
    "HardSwish" => hard_swish,
    "Identity" => identity,
    "LRN" => lrn,
    "LayerNormalization" => layer_normalization,
    "LeakyRelu" => leaky_relu,
    "Log" => log,
    "LogSoftmax" => log_softmax,
    "MatMul" => matmul,
    "MaxPool" => max_pool,
    "Mul" => mul,
    "Neg" => neg,
    "PRelu" => prelu,
    "Pad" => pad,
    "Pow" => pow,
    "Reciprocal" => reciprocal,
    "ReduceMean" => reduce_mean,
    "Relu" => relu,
    "Reshape" => reshape,
    "Resize" => resize,
    "Shape" => shape,
    "Sigmoid" => sigmoid,
    "Slice" => slice,
    "Softmax" => softmax,
    "Split" => split,
    "Sqrt" => sqrt,
    "Squeeze" => squeeze,
    "Sub" => sub,
    "Sum" => sum,
    "Tanh" => tanh,
    "Transpose" => transpose,
    "Unsqueeze" => unsqueeze,
}

/// The operator that takes indices of one axis: index `k` comes from index `indices[k]`.
pub(crate) fn taking(axis: usize, indices: Vec<usize>) -> Arc<dyn Op> {
    Arc::new(gather::Gather { axis, indices })
}
