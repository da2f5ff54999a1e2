//! What can go wrong with a box.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a box refused or failed.
#[derive(Debug, Error)]
pub enum BoxError {
    /// A file of the box could not be read or written.
    #[error("cannot {what} {}: {source}", .path.display())]
    File {
        /// What was to be done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// The index could not be used.
    #[error("the index of the box: {0}")]
    Index(#[from] rusqlite::Error),
    /// What was to be added is no model.
    #[error(transparent)]
    Model(#[from] brickwork::Error),
    /// A name names nothing, several things, or is none.
    #[error("{0}")]
    Name(String),
    /// A file of the box is not as it was written.
    #[error("{0}; `brickwork box check` tells what else is damaged")]
    Damaged(String),
}

impl BoxError {
    /// The error of a file that cannot be `what`.
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }
}
