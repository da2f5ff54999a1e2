//! ONNX files: opset 7 to 21 in, opset 17 out.

mod literal;
mod proto;
mod read;
mod write;

pub use read::{ReadOptions, decode, load};
pub use write::{encode, save};
