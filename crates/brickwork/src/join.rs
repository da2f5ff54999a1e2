//! Joining components into one classifier, and making their scores comparable.

pub(crate) mod branches;
pub(crate) mod calibrate;
pub(crate) mod padded;
pub(crate) mod replacing;
