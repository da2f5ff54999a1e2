//! Labelled images as a model sees them, and which of them are looked at.

pub(crate) mod account;
pub(crate) mod image_set;
pub(crate) mod labels;
pub(crate) mod matching;
pub(crate) mod seen;
pub(crate) mod select;
pub(crate) mod source;
