//! Joining components into one classifier, and making their scores comparable.

pub(crate) mod assemble;
mod assembly;
mod branches;
pub(crate) mod calibrate;
mod head;
pub(crate) mod input;
mod padded;
pub(crate) mod replacing;
mod shared;
