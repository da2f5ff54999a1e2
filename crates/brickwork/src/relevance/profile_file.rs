//! Profiles as safetensors files.

use std::collections::BTreeSet;
use std::path::Path;

use brickwork_formats::write_atomically;
use brickwork_tensor::Tensor;
use brickwork_tensor::kernels::exact::ExactSums;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::files::sealed::{self, Array, Sealed};
use crate::model::error::{Error, Refusal};
use crate::model::text::stored;
use crate::relevance::profile::{FORMAT, Header, LayerSums, Profile};

/// The metadata key of a profile's header.
const KEY: &str = "brickwork.profile";

/// Writes a profile: one array per class and layer, `class/layer`, a JSON header, and a digest of
/// both.
///
/// # Errors
/// If the file cannot be written; it is then as it was. Nor can a profile with numbers that are not
/// finite, other than infinite margins.
pub fn save_profile(profile: &Profile, path: &Path) -> Result<(), Error> {
    Ok(write_atomically(path, &encode_profile(profile)?)?)
}

/// The bytes of the file that [`save_profile`] writes.
///
/// # Errors
/// If the profile has numbers that are not finite, other than infinite margins.
pub fn encode_profile(profile: &Profile) -> Result<Vec<u8>, Error> {
    check_finite(profile)?;
    let mut arrays = Vec::new();
    for (entry, sums) in profile.header.samples.iter().zip(&profile.sums) {
        for (layer, sums) in profile.header.layers.iter().zip(sums) {
            let name = format!("{}/{layer}", entry.class);
            arrays.push(match sums {
                LayerSums::Samples(sums) => Array::floats(name, sums.shape(), sums.data()),
                LayerSums::Totals(totals) => {
                    let (high, low) = totals.parts();
                    let bytes = high.iter().chain(low).flat_map(|x| x.to_le_bytes()).collect();
                    Array { name, dtype: Dtype::F64, shape: vec![2, totals.len()], bytes }
                }
            });
        }
    }
    let header = stored(&profile.header)
        .map_err(|why| Error::profile(format!("the profile's header cannot be written: {why}")))?;
    sealed::sealed(KEY, header, arrays)
}

/// That a profile has no numbers that are not finite, other than infinite margins.
///
/// # Errors
/// If it has.
pub(crate) fn check_finite(profile: &Profile) -> Result<(), Error> {
    for sums in &profile.sums {
        if let Some((layer, _)) =
            profile.header.layers.iter().zip(sums).find(|(_, sums)| !sums.is_finite())
        {
            let message = format!(
                "the sums of layer `{layer}` are not finite; the network overflows on these images, check \
                 its weights and the preprocessing"
            );
            let layer = Some(layer.clone());
            return Err(Error::profile(Refusal { message, layer, ..Refusal::default() }));
        }
    }
    Ok(())
}

/// What the profile in a file of these bytes is of, if they are one.
pub(crate) fn profile_header(bytes: &[u8]) -> Option<Header> {
    let file = Sealed::open(bytes, KEY).ok()?;
    serde_json::from_str(file.header()).ok()
}

/// Reads a profile.
///
/// # Errors
/// If the file cannot be read or is no profile, or one of another format.
pub fn load_profile(path: &Path) -> Result<Profile, Error> {
    let bytes = sealed::read(path)?;
    decode_profile(&bytes).map_err(|why| Error::profile(format!("{}: {why}", path.display())))
}

/// The profile in a file of these bytes.
///
/// # Errors
/// In words, if they are no profile, or one of another format.
pub fn decode_profile(bytes: &[u8]) -> Result<Profile, String> {
    let not_one = |why: String| format!("not a profile: {why}; `brickwork profile` makes one");
    let file = Sealed::open(bytes, KEY).map_err(not_one)?;
    let header: Header = serde_json::from_str(file.header()).map_err(|e| not_one(e.to_string()))?;
    if header.format != FORMAT {
        return Err(format!("format {}, expected {FORMAT}; make it again", header.format));
    }
    if let Some(entry) = header.samples.iter().find(|entry| entry.class >= header.classes.len()) {
        return Err(not_one(format!("class {} of {}", entry.class, header.classes.len())));
    }
    let (mut layers, mut classes) = (BTreeSet::new(), BTreeSet::new());
    if let Some(layer) = header.layers.iter().find(|layer| !layers.insert(*layer)) {
        return Err(not_one(format!("layer `{layer}` is there twice")));
    }
    if let Some(entry) = header.samples.iter().find(|entry| !classes.insert(entry.class)) {
        return Err(not_one(format!("class {} is there twice", entry.class)));
    }
    let mut sums = Vec::new();
    let mut names = Vec::new();
    for entry in &header.samples {
        let mut row = Vec::new();
        for layer in &header.layers {
            let name = format!("{}/{layer}", entry.class);
            let view = file.array(&name).map_err(not_one)?;
            let found = layer_sums(&view, entry.taken.len()).and_then(|sums| {
                let not_finite = || "it holds NaN or infinite numbers".to_owned();
                sums.is_finite().then_some(sums).ok_or_else(not_finite)
            });
            row.push(found.map_err(|why| not_one(format!("array `{name}`: {why}")))?);
            names.push(name);
        }
        sums.push(row);
    }
    file.check(names.iter().map(String::as_str)).map_err(|why| format!("{why}, make it again"))?;
    Ok(Profile { header, sums })
}

impl LayerSums {
    fn is_finite(&self) -> bool {
        match self {
            Self::Samples(sums) => sums.data().iter().all(|x| x.is_finite()),
            Self::Totals(totals) => {
                let (high, low) = totals.parts();
                high.iter().chain(low).all(|x| x.is_finite())
            }
        }
    }
}

fn layer_sums(view: &TensorView<'_>, samples: usize) -> Result<LayerSums, String> {
    let shape = view.shape().to_vec();
    match (view.dtype(), &shape[..]) {
        (Dtype::F32, [count, _, _]) if *count == samples => {
            Ok(LayerSums::Samples(Tensor::new(shape, sealed::floats(view)?)))
        }
        (Dtype::F64, [2, len]) => {
            let data: Vec<f64> = view
                .data()
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes(std::array::from_fn(|k| b[k])))
                .collect();
            let (high, low) = data.split_at(*len);
            Ok(LayerSums::Totals(ExactSums::from_parts(high.to_vec(), low.to_vec())))
        }
        (dtype, shape) => Err(format!("{dtype:?} of shape {shape:?} for {samples} samples")),
    }
}
