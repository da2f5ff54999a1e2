//! Plans and runs graphs on the CPU.
//!
//! A [`Session`] lowers every node to a kernel for the batch at hand, lets convolutions and linear
//! layers take over what follows them (normalisation, residual sums, activations), gives values
//! buffers that are reused as soon as they are free, and lends any value to an observer.

mod error;
#[cfg(test)]
mod fixture;
mod fuse;
mod loss;
mod memory;
mod optimiser;
mod plan;
mod runner;
mod schedule;
mod session;
mod stages;
mod training;

pub use error::ExecError;
pub use fuse::{Chain, chains};
pub use loss::{
    LossError, binary_cross_entropy, correct, cross_entropy, decided, distillation, squared_error,
};
pub use optimiser::{Optimiser, OptimiserError, OptimiserKind, OptimiserState};
pub use runner::Fetched;
pub use schedule::{Curve, Schedule, ScheduleError};
pub use session::Session;
pub use training::{Learned, Parameter, Role, Target, Training};
