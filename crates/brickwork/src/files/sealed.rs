//! Safetensors files with a JSON header and a digest over both, so that a damaged file is noticed.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use brickwork_formats::{ReadError, read_whole, weights, write_atomically};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::model::error::Error;

/// The array that holds the digest.
const DIGEST: &str = "digest";

/// One array of a file.
pub(crate) struct Array {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// Little-endian.
    pub(crate) bytes: Vec<u8>,
}

impl Array {
    /// An array of `f32`.
    pub(crate) fn floats(name: impl Into<String>, shape: &[usize], data: &[f32]) -> Self {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::F32, shape: shape.to_vec(), bytes }
    }
}

/// Writes arrays and metadata, without a digest.
///
/// # Errors
/// If the file cannot be written; it is then as it was.
pub(crate) fn write(
    path: &Path,
    arrays: &[Array],
    metadata: HashMap<String, String>,
) -> Result<(), Error> {
    Ok(write_atomically(path, &encode(arrays, metadata)?)?)
}

/// The bytes of a file of arrays and metadata, without a digest.
fn encode(arrays: &[Array], metadata: HashMap<String, String>) -> Result<Vec<u8>, Error> {
    let broken = |error: safetensors::SafeTensorError| {
        Error::file(format!("the arrays cannot be laid out as a file: {error}"))
    };
    let mut names = BTreeSet::new();
    if let Some(twice) = arrays.iter().find(|array| !names.insert(&array.name)) {
        return Err(Error::file(format!("two arrays of one file are called `{}`", twice.name)));
    }
    let views = arrays
        .iter()
        .map(|a| Ok((a.name.as_str(), TensorView::new(a.dtype, a.shape.clone(), &a.bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(broken)?;
    safetensors::serialize(views, Some(metadata)).map_err(broken)
}

/// SHA-256 over a header and arrays, in order.
fn digest<'a>(header: &str, arrays: impl Iterator<Item = (&'a str, TensorView<'a>)>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(header);
    for (name, view) in arrays {
        hash.update(format!("{name} {:?} {:?}", view.dtype(), view.shape()));
        hash.update(view.data());
    }
    hash.finalize().to_vec()
}

/// Writes a header under the metadata key `key`, arrays, and a digest of both.
///
/// # Errors
/// If the file cannot be written; it is then as it was.
pub(crate) fn seal(
    path: &Path,
    key: &str,
    header: String,
    arrays: Vec<Array>,
) -> Result<(), Error> {
    Ok(write_atomically(path, &sealed(key, header, arrays)?)?)
}

/// The bytes of the file that [`seal`] writes.
///
/// # Errors
/// If there can be no such file.
pub(crate) fn sealed(key: &str, header: String, mut arrays: Vec<Array>) -> Result<Vec<u8>, Error> {
    let views = arrays.iter().filter_map(|array| {
        let view = TensorView::new(array.dtype, array.shape.clone(), &array.bytes).ok()?;
        Some((array.name.as_str(), view))
    });
    let bytes = digest(&header, views);
    let shape = vec![bytes.len()];
    arrays.push(Array { name: DIGEST.to_owned(), dtype: Dtype::U8, shape, bytes });
    encode(&arrays, HashMap::from([(key.to_owned(), header)]))
}

/// A file that [`seal`] wrote, not yet known to be whole.
pub(crate) struct Sealed<'a> {
    file: SafeTensors<'a>,
    header: String,
}

impl<'a> Sealed<'a> {
    /// Finds the header under `key`.
    ///
    /// # Errors
    /// In words, if the file is no safetensors file or has no such header.
    pub(crate) fn open(bytes: &'a [u8], key: &str) -> Result<Self, String> {
        let (file, mut texts) = weights::open(bytes)?;
        let header = texts.remove(key).ok_or_else(|| format!("its metadata has no `{key}`"))?;
        Ok(Self { file, header })
    }

    /// The header.
    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    /// An array.
    ///
    /// # Errors
    /// In words, if it is missing.
    pub(crate) fn array(&self, name: &str) -> Result<TensorView<'a>, String> {
        self.file.tensor(name).map_err(|_| format!("array `{name}` is missing"))
    }

    /// Compares the digest with that of the header and the arrays `names`, in the order in which they
    /// were written.
    ///
    /// # Errors
    /// In words, if they differ.
    pub(crate) fn check<'b>(&self, names: impl Iterator<Item = &'b str>) -> Result<(), String> {
        let views = names.map(|name| Ok((name, self.array(name)?)));
        let views = views.collect::<Result<Vec<_>, String>>()?;
        let found = digest(&self.header, views.into_iter());
        match self.array(DIGEST) {
            Ok(view) if view.data() == found => Ok(()),
            _ => Err("its digest does not match; the file is damaged".to_owned()),
        }
    }
}

/// All of a file.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    Ok(read_whole(path).map_err(|source| ReadError::Io { path: path.into(), source })?)
}

/// The elements of an array of `f32`.
///
/// # Errors
/// In words, if it is of another type.
pub(crate) fn floats(view: &TensorView<'_>) -> Result<Vec<f32>, String> {
    if view.dtype() != Dtype::F32 {
        return Err(format!("{:?}, expected F32", view.dtype()));
    }
    let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Ok(view.data().chunks_exact(4).map(number).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_beyond_all_memory_are_refused() {
        let part = (1_u64 << 61) - 1;
        let entry = |k: u64| {
            let (from, to) = (k * part, (k + 1) * part);
            format!(r#""w{k}":{{"dtype":"U8","shape":[{part}],"data_offsets":[{from},{to}]}}"#)
        };
        let header = format!("{{{}}}", (0..8).map(entry).collect::<Vec<_>>().join(","));
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        let said = Sealed::open(&bytes, "key").err().expect("refused");
        assert!(said.starts_with("its header speaks of 2305843009213693"), "{said}");
    }

    proptest! {
        #[test]
        fn arrays_of_any_bits_and_names_come_back(
            names in prop::collection::btree_set("\\PC{0,8}", 0..4),
            bits in prop::collection::vec(any::<u32>(), 0..6),
            header in "\\PC{0,20}",
        ) {
            let numbers: Vec<f32> = bits.iter().copied().map(f32::from_bits).collect();
            let array = |name: &String| Array::floats(format!("0/{name}"), &[numbers.len()], &numbers);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("sealed");
            seal(&path, "key", header.clone(), names.iter().map(array).collect()).unwrap();
            let bytes = read(&path).unwrap();
            let file = Sealed::open(&bytes, "key").unwrap();
            prop_assert_eq!(file.header(), header);
            let names: Vec<String> = names.iter().map(|name| format!("0/{name}")).collect();
            file.check(names.iter().map(String::as_str)).unwrap();
            for name in &names {
                let found = floats(&file.array(name).unwrap()).unwrap();
                prop_assert_eq!(found.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), bits.clone());
            }
        }
    }
}
