//! What a process finds of work that several share.

use brickwork::Error;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::failure::failed;

/// What was found on some of the images.
#[pyclass(frozen, module = "brickwork._native")]
pub(crate) struct Partial {
    pub(crate) partial: brickwork::verbs::Partial,
}

#[pymethods]
impl Partial {
    /// Reads its bytes.
    #[staticmethod]
    fn decode(py: Python<'_>, bytes: &[u8]) -> PyResult<Self> {
        Self::of(py.detach(|| brickwork::verbs::Partial::decode(bytes)))
    }

    /// Its bytes.
    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.partial.encode()).map_err(|error| failed(&error))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// What was found there and on other images.
    fn add(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        Self::of(py.detach(|| self.partial.clone().with(other.partial.clone())))
    }
}

impl Partial {
    pub(crate) fn of(partial: Result<brickwork::verbs::Partial, Error>) -> PyResult<Self> {
        Ok(Self { partial: partial.map_err(|error| failed(&error))? })
    }
}
