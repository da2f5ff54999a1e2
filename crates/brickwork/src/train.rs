//! Training: a network, labelled images and a goal give a better network.
//!
//! A run is a pure function of its options, data and seed: stopped anywhere and resumed from its
//! checkpoint, it ends with the same bits. The best epoch is chosen on samples held out of the
//! training data; test data is never seen.

mod checkpoint;
mod distillation;
pub(crate) mod initialise;
pub(crate) mod log;
mod objective;
mod options;
pub(crate) mod run;
mod score;
mod state;
mod trainer;

pub use checkpoint::Checkpoint;
pub use distillation::{DistillOptions, Distillation, Teacher};
pub use objective::{Labels, Objective};
pub(crate) use options::MOST_EPOCHS;
pub use options::{Material, TrainOptions};
pub use score::{Score, score};
pub use state::Epoch;
pub use trainer::{Outcome, Trainer};
