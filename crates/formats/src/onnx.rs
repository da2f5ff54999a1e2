//! ONNX files: opset 7 to 28 in, opset 17 out.

mod external;
mod functions;
mod halves;
mod input;
mod literal;
mod outline;
mod parts;
mod proto;
mod read;
mod sparse;
#[cfg(test)]
mod tests;
mod write;

pub use input::ReadOptions;
pub use outline::{NodeOutline, Outline, Port};
pub use read::{ModelFile, decode, load, metadata};
pub use write::{encode, save};
