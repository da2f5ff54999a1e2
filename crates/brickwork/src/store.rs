//! Profiles and masks as safetensors files.

use std::collections::HashMap;
use std::path::Path;

use brickwork_formats::{ReadError, write_atomically};
use brickwork_tensor::kernels::exact::ExactSums;
use brickwork_tensor::{Tensor, volume};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::profile::{FORMAT, Header, LayerSums, Profile};

/// The metadata key of a profile's header.
const KEY: &str = "brickwork.profile";

/// The array that holds a profile's digest.
const DIGEST: &str = "digest";

struct Array {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn write(path: &Path, arrays: &[Array], metadata: HashMap<String, String>) -> Result<(), Error> {
    let broken = |error: safetensors::SafeTensorError| {
        Error::Profile(format!("{} cannot be laid out: {error}", path.display()))
    };
    let views = arrays
        .iter()
        .map(|a| Ok((a.name.as_str(), TensorView::new(a.dtype, a.shape.clone(), &a.bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(broken)?;
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(broken)?;
    Ok(write_atomically(path, &bytes)?)
}

/// SHA-256 over a profile's header and its arrays, so that a damaged file is noticed.
fn digest<'a>(header: &str, arrays: impl Iterator<Item = (String, TensorView<'a>)>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(header);
    for (name, view) in arrays {
        hash.update(format!("{name} {:?} {:?}", view.dtype(), view.shape()));
        hash.update(view.data());
    }
    hash.finalize().to_vec()
}

/// Writes a profile: one array per class and layer, `class/layer`, a JSON header, and a digest of
/// both.
///
/// # Errors
/// If the file cannot be written; it is then as it was.
pub fn save_profile(profile: &Profile, path: &Path) -> Result<(), Error> {
    let mut arrays = Vec::new();
    for (entry, sums) in profile.header.samples.iter().zip(&profile.sums) {
        for (layer, sums) in profile.header.layers.iter().zip(sums) {
            let name = format!("{}/{layer}", entry.class);
            arrays.push(match sums {
                LayerSums::Samples(sums) => Array {
                    name,
                    dtype: Dtype::F32,
                    shape: sums.shape().to_vec(),
                    bytes: sums.data().iter().flat_map(|x| x.to_le_bytes()).collect(),
                },
                LayerSums::Totals(totals) => {
                    let (high, low) = totals.parts();
                    let bytes = high.iter().chain(low).flat_map(|x| x.to_le_bytes()).collect();
                    Array { name, dtype: Dtype::F64, shape: vec![2, totals.len()], bytes }
                }
            });
        }
    }
    let header = serde_json::to_string(&profile.header).map_err(|error| {
        Error::Profile(format!("the profile's header cannot be written: {error}"))
    })?;
    let views = arrays.iter().filter_map(|array| {
        let view = TensorView::new(array.dtype, array.shape.clone(), &array.bytes).ok()?;
        Some((array.name.clone(), view))
    });
    let bytes = digest(&header, views);
    arrays.push(Array {
        name: DIGEST.to_owned(),
        dtype: Dtype::U8,
        shape: vec![bytes.len()],
        bytes,
    });
    write(path, &arrays, HashMap::from([(KEY.to_owned(), header)]))
}

/// Reads a profile.
///
/// # Errors
/// If the file cannot be read or is no profile, or one of another format.
pub fn load_profile(path: &Path) -> Result<Profile, Error> {
    let bytes =
        std::fs::read(path).map_err(|source| ReadError::Io { path: path.into(), source })?;
    decode_profile(&bytes).map_err(|why| Error::Profile(format!("{}: {why}", path.display())))
}

fn decode_profile(bytes: &[u8]) -> Result<Profile, String> {
    let not_one = |why: String| format!("not a profile: {why}");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| not_one(e.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| not_one(e.to_string()))?;
    let text =
        metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)).ok_or_else(|| {
            not_one(format!("its metadata has no `{KEY}`; make one with `brickwork profile`"))
        })?;
    let header: Header = serde_json::from_str(text).map_err(|e| not_one(e.to_string()))?;
    if header.format != FORMAT {
        return Err(format!("format {}, expected {FORMAT}; make it again", header.format));
    }
    if let Some(entry) = header.samples.iter().find(|entry| entry.class >= header.classes.len()) {
        return Err(not_one(format!("class {} of {}", entry.class, header.classes.len())));
    }
    let mut sums = Vec::new();
    let mut views = Vec::new();
    for entry in &header.samples {
        let mut row = Vec::new();
        for layer in &header.layers {
            let name = format!("{}/{layer}", entry.class);
            let view =
                file.tensor(&name).map_err(|_| not_one(format!("array `{name}` is missing")))?;
            row.push(
                layer_sums(&view, entry.taken.len())
                    .map_err(|why| not_one(format!("array `{name}`: {why}")))?,
            );
            views.push((name, view));
        }
        sums.push(row);
    }
    let found = digest(text, views.into_iter());
    match file.tensor(DIGEST) {
        Ok(view) if view.data() == found => Ok(Profile { header, sums }),
        _ => Err("its digest does not match; the file is damaged, make it again".to_owned()),
    }
}

fn layer_sums(view: &TensorView<'_>, samples: usize) -> Result<LayerSums, String> {
    let shape = view.shape().to_vec();
    let finite =
        |good: bool| if good { Ok(()) } else { Err("it holds NaN or infinite numbers".to_owned()) };
    match (view.dtype(), &shape[..]) {
        (Dtype::F32, [count, _, _]) if *count == samples => {
            let data: Vec<f32> = view
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            finite(data.iter().all(|x| x.is_finite()))?;
            Ok(LayerSums::Samples(Tensor::new(shape, data)))
        }
        (Dtype::F64, [2, len]) => {
            let data: Vec<f64> = view
                .data()
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes(std::array::from_fn(|k| b[k])))
                .collect();
            finite(data.iter().all(|x| x.is_finite()))?;
            let (high, low) = data.split_at(*len);
            Ok(LayerSums::Totals(ExactSums::from_parts(high.to_vec(), low.to_vec())))
        }
        (dtype, shape) => Err(format!("{dtype:?} of shape {shape:?} for {samples} samples")),
    }
}

/// Writes masks, one array `[classes, inputs]` of 0 and 1 per layer.
///
/// # Errors
/// If the file cannot be written; it is then as it was.
pub fn save_masks(
    masks: &[(String, Vec<Vec<bool>>)],
    classes: &[String],
    path: &Path,
) -> Result<(), Error> {
    let arrays: Vec<Array> = masks
        .iter()
        .map(|(name, rows)| {
            let shape = vec![rows.len(), rows.first().map_or(0, Vec::len)];
            let bytes: Vec<u8> = rows.iter().flatten().map(|&kept| u8::from(kept)).collect();
            debug_assert_eq!(bytes.len(), volume(&shape));
            Array { name: name.clone(), dtype: Dtype::U8, shape, bytes }
        })
        .collect();
    let names = serde_json::to_string(classes).unwrap_or_default();
    write(path, &arrays, HashMap::from([("classes".to_owned(), names)]))
}
