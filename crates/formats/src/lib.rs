//! ONNX and safetensors files to graphs and back. Names no operator.

mod error;
mod file;
mod fingerprint;
mod memory;
pub mod onnx;
pub mod weights;

pub use error::{ReadError, WriteError};
pub use file::{abandon_writes, read_whole, write_atomically};
pub use fingerprint::{fingerprint, is_fingerprint_of, same_fingerprint};
pub use memory::{NoMemory, room};
