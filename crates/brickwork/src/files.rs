//! Files of the project's own, besides ONNX.

pub(crate) mod digest;
pub(crate) mod masks;
pub(crate) mod sealed;
