//! What a model is and does: accuracy, leakage, size, differences, proofs.

pub(crate) mod agreement;
pub(crate) mod answers;
pub(crate) mod diff;
pub(crate) mod eval;
pub(crate) mod examples;
pub(crate) mod held_out;
pub(crate) mod inspect;
pub(crate) mod latency;
pub(crate) mod moments;
pub(crate) mod multilabel;
pub(crate) mod probe;
pub(crate) mod reject;
pub(crate) mod scored;
pub(crate) mod scores;
pub(crate) mod speed;
pub(crate) mod stages;
pub(crate) mod statistics;
pub(crate) mod timing;
pub(crate) mod verify;
