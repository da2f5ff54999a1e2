//! What can go wrong.

/// Why the studio cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// The library refused or failed.
    #[error(transparent)]
    Library(#[from] brickwork::Error),
    /// Images cannot be read.
    #[error(transparent)]
    Data(#[from] brickwork_data::DataError),
    /// There is no such page or thing.
    #[error("{0}")]
    Missing(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Request(String),
    /// Whoever asks may not.
    #[error("{0}")]
    Forbidden(String),
    /// The folder or the port cannot be used.
    #[error("{place}: {error}")]
    Place {
        /// Which.
        place: String,
        /// Why.
        error: std::io::Error,
    },
}

impl StudioError {
    /// What was asked for is not there.
    pub(crate) fn missing(what: impl Into<String>) -> Self {
        Self::Missing(what.into())
    }

    /// What was asked for makes no sense.
    pub(crate) fn request(why: impl Into<String>) -> Self {
        Self::Request(why.into())
    }
}
