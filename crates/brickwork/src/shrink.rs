//! Making a network smaller step by step: what channels are worth, and which go first.

pub(crate) mod criterion;
pub(crate) mod memory;
pub(crate) mod own_times;
pub(crate) mod ranking;
pub(crate) mod step;
pub(crate) mod walk;
