//! What can go wrong in a verb, in words a user can act on.

use brickwork_data::DataError;
use brickwork_exec::ExecError;
use brickwork_formats::{ReadError, WriteError};
use brickwork_graph::Problems;
use thiserror::Error;

/// Why a verb refused or failed.
#[derive(Debug, Error)]
pub enum Error {
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Images or labels are wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network cannot run.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// An edit would break the network.
    #[error("{0}")]
    Graph(#[from] Problems),
    /// The model is not what the verb works on.
    #[error("{0}")]
    Model(String),
    /// A class list cannot be understood.
    #[error("{0}")]
    Classes(String),
    /// A profile does not fit.
    #[error("{0}")]
    Profile(String),
    /// A file of the project's own cannot be laid out, read or used.
    #[error("{0}")]
    File(String),
    /// Training went wrong.
    #[error("{0}")]
    Training(String),
    /// Options contradict each other or the model.
    #[error("{0}")]
    Options(String),
}
