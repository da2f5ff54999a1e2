//! Drawings and pages. They read answers and compute nothing of their own.

pub(crate) mod frontier;
pub(crate) mod report;
pub(crate) mod route;
