//! From channels that stay to a smaller network.

pub(crate) mod class_removal;
pub(crate) mod control;
pub(crate) mod kept_channels;
pub(crate) mod plan;
