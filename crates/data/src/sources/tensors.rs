//! Safetensors files as data.

use std::path::{Path, PathBuf};

use brickwork_formats::{read_whole, weights};
use safetensors::Dtype;

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
        let bytes = read_whole(path).map_err(|error| DataError::io(path, error))?;
        let (file, mut texts) = weights::open(&bytes).map_err(|why| malformed(path, &why))?;
        let class_names = texts.remove("class_names");
        let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
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
        let failed = |why: &str| malformed(&self.path, why);
        let (file, _) = weights::open(&self.bytes).map_err(|why| failed(&why))?;
        let view = file.tensor(name).map_err(|error| failed(&error.to_string()))?;
        let place = format!("{}, {name}", self.path.display());
        let Some(element) = element(view.dtype()) else {
            let problem = format!(
                "holds {:?} elements; expected floats of 16, 32 or 64 bits, or integers",
                view.dtype()
            );
            return Err(DataError::malformed(place, problem));
        };
        let mut bytes = DataError::room(&place, view.data().len())?;
        bytes.extend_from_slice(view.data());
        Ok(Array { place, shape: view.shape().to_vec(), element, bytes })
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
        Dtype::F16 => Element::Float(2),
        Dtype::F32 => Element::Float(4),
        Dtype::F64 => Element::Float(8),
        _ => return None,
    })
}

fn malformed(path: &Path, error: &str) -> DataError {
    DataError::malformed(path.display().to_string(), format!("not a readable file: {error}"))
}

#[cfg(test)]
mod tests {
    use crate::Dataset;
    use crate::sources::fixtures::{file, folder};

    #[test]
    fn offsets_beyond_all_memory_are_refused() {
        let part = (1_u64 << 61) - 1;
        let entry = |k: u64| {
            let (from, to) = (k * part, (k + 1) * part);
            format!(r#""w{k}":{{"dtype":"U8","shape":[{part}],"data_offsets":[{from},{to}]}}"#)
        };
        let header = format!("{{{}}}", (0..8).map(entry).collect::<Vec<_>>().join(","));
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        let said = Dataset::open(file(&folder(), "set.safetensors", &bytes), None);
        let said = said.expect_err("refused").to_string();
        assert!(said.contains("not a readable file: its header speaks of 2305843009"), "{said}");
    }
}
