//! What can go wrong with files.

use std::path::{Path, PathBuf};

use brickwork_graph::Problems;
use thiserror::Error;

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// The bytes are not what they should be, or more than there is memory for.
    #[error("{}: {problem}", place(path))]
    Malformed {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// What is wrong.
        problem: String,
    },
    /// The model is of another kind than the one that is wanted.
    #[error("{}: {problem}", place(path))]
    Unsuited {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// What it is, and what was expected.
        problem: String,
    },
    /// The model holds things that are wrong or not supported; all of them are listed.
    #[error("{}: {} problem{} in the model\n{problems}", place(path), problems.0.len(), plural(problems))]
    Model {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// The list.
        problems: Problems,
    },
}

fn place(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(|| "model".to_owned(), |path| path.display().to_string())
}

fn plural(problems: &Problems) -> &'static str {
    if problems.0.len() == 1 { "" } else { "s" }
}

impl ReadError {
    pub(crate) fn malformed(problem: String) -> Self {
        Self::Malformed { path: None, problem: format!("not a readable file: {problem}") }
    }

    /// The same error, saying which file it is about.
    pub(crate) fn of_file(self, file: &Path) -> Self {
        match self {
            Self::Io { .. } => self,
            Self::Malformed { problem, .. } => Self::Malformed { path: Some(file.into()), problem },
            Self::Unsuited { problem, .. } => Self::Unsuited { path: Some(file.into()), problem },
            Self::Model { problems, .. } => Self::Model { path: Some(file.into()), problems },
        }
    }
}

impl From<Problems> for ReadError {
    fn from(problems: Problems) -> Self {
        Self::Model { path: None, problems }
    }
}

/// Why a file could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The operating system refused; the target is untouched.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// ONNX files end below 2 GiB.
    #[error("the model would take {bytes} bytes, but an ONNX file ends below 2 GiB")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}
