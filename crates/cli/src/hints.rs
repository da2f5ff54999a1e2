//! What to do about an error, in words of the command line, which the libraries do not know.

use brickwork::Error;
use brickwork_data::DataError;
use brickwork_formats::ReadError;

/// What the user can do about `error`, if that goes beyond its own words.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    match error.downcast_ref::<Error>() {
        Some(Error::Read(error)) => of_read(error),
        Some(Error::Data(error)) => of_data(error),
        _ => error.downcast_ref::<DataError>().and_then(of_data),
    }
}

fn of_read(error: &ReadError) -> Option<&'static str> {
    match error {
        ReadError::Io { path, .. } if path.is_dir() => {
            Some("this is a folder; name the file in it")
        }
        ReadError::Io { .. } => None,
        ReadError::Malformed { .. } => {
            Some("the file is cut short, damaged or of another kind; download or export it again")
        }
        ReadError::Model { .. } => Some(
            "what brickwork does not understand it refuses; correct the model where it was made and \
             export it again",
        ),
    }
}

fn of_data(error: &DataError) -> Option<&'static str> {
    match error {
        DataError::Sample { source, .. } => of_data(source),
        DataError::Size { .. } => Some("--fit cover resizes and crops"),
        DataError::NoSplit { found, .. } if found.is_empty() => {
            Some("leave --split out to use all of it")
        }
        DataError::NoSplit { .. } => Some("choose the other part with --split"),
        _ => None,
    }
}
