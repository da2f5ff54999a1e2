//! What can go wrong in a verb, in words a user can act on.
//!
//! Where words name an option, they do it as `name=` or `name=value`, so that every surface can show it in
//! its own way.

use std::fmt;

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
    Model(Refusal),
    /// A class list cannot be understood.
    #[error("{0}")]
    Classes(Refusal),
    /// A profile does not fit.
    #[error("{0}")]
    Profile(Refusal),
    /// A file of the project's own cannot be laid out, read or used.
    #[error("{0}")]
    File(Refusal),
    /// Training went wrong.
    #[error("{0}")]
    Training(Refusal),
    /// Options contradict each other, the model or the data.
    #[error("{0}")]
    Options(Refusal),
    /// No choice of channels is as small as was asked for.
    #[error("{0}")]
    TooSmall(Refusal),
    /// A request that cannot be fulfilled: all that is wrong with it.
    #[error("{}", .0.iter().map(|problem| &problem.message[..]).collect::<Vec<_>>().join("\n  and: "))]
    Request(Vec<Problem>),
    /// A recipe that cannot be followed: all that is wrong with it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  and: "))]
    Recipe(Vec<Fault>),
    /// The work was stopped by whoever asked for it; what it had, it kept as the words say.
    #[error("{0}")]
    Stopped(Refusal),
}

/// What is wrong, and with what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// In words.
    pub message: String,
    /// The node of the network, by name.
    pub node: Option<String>,
    /// The weighted layer, by its node's name.
    pub layer: Option<String>,
    /// The class, by name.
    pub class: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

/// What is wrong with one option of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The option.
    pub field: &'static str,
    /// In words.
    pub message: String,
}

impl Problem {
    /// `message` about the option `field`.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }

    /// The problem that holds unless `holds` does.
    pub fn unless(holds: bool, field: &'static str, message: &str) -> Option<Self> {
        (!holds).then(|| Self::new(field, message))
    }

    /// An error of all problems, if there are any.
    ///
    /// # Errors
    /// If there are.
    pub fn refuse(problems: Vec<Self>) -> Result<(), Error> {
        if problems.is_empty() { Ok(()) } else { Err(Error::Request(problems)) }
    }
}

/// What is wrong with a recipe, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file of the recipe, or what it is called; empty if it has no name.
    pub file: String,
    /// The line, from 1; none if it is about no line.
    pub line: Option<usize>,
    /// In words.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.is_empty(), self.line) {
            (false, Some(line)) => write!(f, "{}:{line}: {}", self.file, self.message),
            (false, None) => write!(f, "{}: {}", self.file, self.message),
            (true, Some(line)) => write!(f, "line {line}: {}", self.message),
            (true, None) => f.write_str(&self.message),
        }
    }
}

macro_rules! refusals {
    ($($name:ident => $kind:ident),* $(,)?) => {
        $(
            /// The error of this kind.
            pub(crate) fn $name(refusal: impl Into<Refusal>) -> Self {
                Self::$kind(refusal.into())
            }
        )*
    };
}

impl Error {
    refusals! {
        model => Model,
        classes => Classes,
        profile => Profile,
        file => File,
        training => Training,
        options => Options,
        too_small => TooSmall,
        stopped => Stopped,
    }

    /// What kind of error it is, in a word that programs may rely on.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Write(_) => "write",
            Self::Data(_) => "data",
            Self::Exec(_) => "run",
            Self::Graph(_) => "graph",
            Self::Model(_) => "model",
            Self::Classes(_) => "classes",
            Self::Profile(_) => "profile",
            Self::File(_) => "file",
            Self::Training(_) => "training",
            Self::Options(_) => "options",
            Self::TooSmall(_) => "too-small",
            Self::Request(_) => "request",
            Self::Recipe(_) => "recipe",
            Self::Stopped(_) => "stopped",
        }
    }

    /// What it is about, where it names a single node, layer or class.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Model(found)
            | Self::Classes(found)
            | Self::Profile(found)
            | Self::File(found)
            | Self::Training(found)
            | Self::Options(found)
            | Self::TooSmall(found)
            | Self::Stopped(found) => Some(found),
            _ => None,
        }
    }
}
