//! Plans and runs graphs on the CPU.
//!
//! A [`Session`] lowers every node to a kernel for the batch at hand, lets convolutions and linear
//! layers take over what follows them (normalisation, residual sums, activations), gives values
//! buffers that are reused as soon as they are free, and lends any value to an observer.

mod error;
mod fuse;
mod plan;
mod session;

pub use error::ExecError;
pub use session::{Fetched, Session};
