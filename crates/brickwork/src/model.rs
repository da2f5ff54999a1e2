//! Classifiers and what is known of them: the graph, its card, its layers, its sizes.

pub(crate) mod best_classes;
pub(crate) mod card;
pub(crate) mod classes;
pub(crate) mod classifier;
pub(crate) mod digest;
pub(crate) mod error;
pub(crate) mod head;
pub(crate) mod latency_table;
pub(crate) mod layers;
pub(crate) mod looks;
pub(crate) mod names;
pub(crate) mod percent;
pub(crate) mod progress;
pub(crate) mod provenance;
pub(crate) mod random;
pub(crate) mod rebuild;
pub(crate) mod sizes;
pub(crate) mod text;
pub(crate) mod time_limit;
