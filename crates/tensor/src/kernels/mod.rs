//! The numeric loops, each over plain slices.

pub mod contribution;
pub mod convolution;
pub mod copy;
pub mod depthwise;
pub mod elementwise;
pub mod exact;
pub mod gemm;
pub mod pointwise;
pub mod pool;
pub mod resize;
pub mod rows;
pub mod window;
pub mod winograd;
