//! Files of the project's own, besides ONNX.

pub(crate) mod sealed;
