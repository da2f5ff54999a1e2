//! Profiles in memory.

use std::path::PathBuf;
use std::sync::Arc;

use brickwork::{Error, decode_profile, encode_profile, load_profile, save_profile};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::failure::failed;

/// What channels contribute to classes.
#[pyclass(frozen, module = "brickwork._native")]
pub(crate) struct Profile {
    pub(crate) profile: Arc<brickwork::Profile>,
}

#[pymethods]
impl Profile {
    /// Reads a file.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Self::of(py.detach(|| load_profile(&path)))
    }

    /// Reads the bytes of a file.
    #[staticmethod]
    fn decode(py: Python<'_>, bytes: &[u8]) -> PyResult<Self> {
        Self::of(py.detach(|| decode_profile(bytes).map_err(|why| Error::Profile(why.into()))))
    }

    /// The bytes of its file.
    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| encode_profile(&self.profile)).map_err(|error| failed(&error))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Writes its file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| save_profile(&self.profile, &path)).map_err(|error| failed(&error))
    }

    /// What it is of, as JSON.
    fn header(&self) -> PyResult<String> {
        serde_json::to_string(&self.profile.header)
            .map_err(|error| failed(&Error::File(error.to_string().into())))
    }
}

impl Profile {
    fn of(profile: Result<brickwork::Profile, Error>) -> PyResult<Self> {
        Ok(Self { profile: Arc::new(profile.map_err(|error| failed(&error))?) })
    }
}
