//! The operators: one file each, and the table of them. A new one is a file, a `mod` line and a line of
//! the table.

use std::sync::Arc;

use crate::error::OpError;
use crate::op::Op;
use crate::read::{Read, Reading};

mod abs;
mod add;
mod average_pool;
mod batch_normalization;
mod cast;
mod clip;
mod concat;
mod constant;
mod constant_of_shape;
mod conv;
mod div;
mod dropout;
mod elu;
mod erf;
mod exp;
mod expand;
mod flatten;
mod gather;
mod gelu;
mod gemm;
mod global_average_pool;
mod global_max_pool;
mod hard_sigmoid;
mod hard_swish;
mod identity;
mod layer_normalization;
mod leaky_relu;
mod log;
mod log_softmax;
mod lrn;
mod matmul;
mod max_pool;
mod mul;
mod neg;
mod pad;
mod pow;
mod prelu;
mod reciprocal;
mod reduce_mean;
mod relu;
mod reshape;
mod resize;
mod shape;
mod sigmoid;
mod slice;
mod softmax;
mod split;
mod sqrt;
mod squeeze;
mod sub;
mod sum;
mod tanh;
mod transpose;
mod unsqueeze;

// What several of them share.
mod arithmetic;
mod moving;
mod pointwise;
mod pooling;
mod reducing;
mod windowed;

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

/// The operator that gives axes another order: axis `k` is axis `perm[k]` of the operand.
pub(crate) fn transposing(perm: Vec<usize>) -> Arc<dyn Op> {
    Arc::new(transpose::Transpose { perm })
}

#[cfg(test)]
mod tests {
    use super::SUPPORTED;

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
    fn the_table_is_alphabetical() {
        assert!(SUPPORTED.is_sorted());
    }
}
