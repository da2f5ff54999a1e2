//! Safetensors files as data.

use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::arrays::{Array, ArrayFile, Element};
use crate::error::DataError;

/// A file in memory, checked once.
pub(super) struct Tensors {
    path: PathBuf,
    bytes: Vec<u8>,
    names: Vec<String>,
    class_names: Option<String>,
}

impl Tensors {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let bytes = std::fs::read(path).map_err(|error| DataError::io(path, error))?;
        let failed = |error| malformed(path, &error);
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(failed)?;
        let class_names =
            header.metadata().as_ref().and_then(|all| all.get("class_names")).cloned();
        let mut names: Vec<String> = header.tensors().into_keys().collect();
        names.sort();
        Ok(Self { path: path.into(), bytes, names, class_names })
    }
}

impl ArrayFile for Tensors {
    fn kind(&self) -> &'static str {
        "safetensors arrays"
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn array(&mut self, name: &str) -> Result<Array, DataError> {
        let failed = |error| malformed(&self.path, &error);
        let file = SafeTensors::deserialize(&self.bytes).map_err(failed)?;
        let view = file.tensor(name).map_err(failed)?;
        let place = format!("{}, {name}", self.path.display());
        let Some(element) = element(view.dtype()) else {
            let problem =
                format!("holds {:?} elements; expected u8, f32 or integers", view.dtype());
            return Err(DataError::malformed(place, problem));
        };
        Ok(Array { place, shape: view.shape().to_vec(), element, bytes: view.data().to_vec() })
    }

    fn class_names(&self) -> Result<Option<Vec<String>>, DataError> {
        let Some(text) = &self.class_names else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| {
            let problem = format!(
                "metadata `class_names` is {text:?}, expected a JSON list of names: {error}"
            );
            DataError::malformed(self.path.display().to_string(), problem)
        })
    }
}

fn element(dtype: Dtype) -> Option<Element> {
    Some(match dtype {
        Dtype::U8 => Element::Unsigned(1),
        Dtype::U16 => Element::Unsigned(2),
        Dtype::U32 => Element::Unsigned(4),
        Dtype::U64 => Element::Unsigned(8),
        Dtype::I8 => Element::Signed(1),
        Dtype::I16 => Element::Signed(2),
        Dtype::I32 => Element::Signed(4),
        Dtype::I64 => Element::Signed(8),
        Dtype::F32 => Element::Float(4),
        Dtype::F64 => Element::Float(8),
        _ => return None,
    })
}

fn malformed(path: &Path, error: &SafeTensorError) -> DataError {
    DataError::malformed(path.display().to_string(), format!("not a readable file: {error}"))
}
