//! Files of the project's own, besides ONNX.

pub(crate) mod cache;
pub(crate) mod masks;
pub(crate) mod sealed;
