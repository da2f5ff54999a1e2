//! Errors of the library as an exception, which the package turns into its own.

use brickwork::Error;
use pyo3::PyErr;

pyo3::create_exception!(
    _native,
    Failure,
    pyo3::exceptions::PyException,
    "What went wrong, as the JSON of `brickwork schema error`."
);

/// The exception of an error.
pub(crate) fn failed(error: &Error) -> PyErr {
    match serde_json::to_string(&brickwork::verbs::Failure::of(error)) {
        Ok(json) => Failure::new_err(json),
        Err(other) => Failure::new_err(other.to_string()),
    }
}
