//! Labelled images as a model sees them, and which of them are looked at.

pub(crate) mod select;
pub(crate) mod source;
