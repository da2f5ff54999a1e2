//! Dense arrays and the fast kernels under Brickwork.
//!
//! This crate knows numbers: it does no I/O and knows no graph.

mod buffer;
pub mod kernels;
mod nd;
mod order;
mod simd;

pub use buffer::Buffer;
pub use nd::{Nd, Tensor, broadcast_shape, broadcast_strides, for_each_offset, row_major, volume};
pub use order::Order;
pub use simd::Level;
