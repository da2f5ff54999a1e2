//! Arrays of an ONNX file, inside it or in files beside it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use brickwork_graph::Literal;
use brickwork_tensor::Nd;
use half::{bf16, f16};

use super::proto::Tensor;

/// The array in `tensor`; external data is looked for under `folder`.
///
/// # Errors
/// In words, without the tensor's name.
pub(super) fn literal(tensor: &Tensor, folder: Option<&Path>) -> Result<Literal, String> {
    let (shape, volume) = extents(&tensor.dims)?;
    let found = Found { tensor, folder, volume };
    match tensor.data_type {
        1 => found.floats(4, |b| f32::from_le_bytes(array(b)), |t| t.float_data.clone()),
        10 => found.floats(
            2,
            |b| f16::from_le_bytes(array(b)).to_f32(),
            |t| t.int32_data.iter().map(|&x| f16::from_bits(x as u16).to_f32()).collect(),
        ),
        16 => found.floats(
            2,
            |b| bf16::from_le_bytes(array(b)).to_f32(),
            |t| t.int32_data.iter().map(|&x| bf16::from_bits(x as u16).to_f32()).collect(),
        ),
        11 => found.floats(
            8,
            |b| f64::from_le_bytes(array(b)) as f32,
            |t| t.double_data.iter().map(|&x| x as f32).collect(),
        ),
        7 => found.ints(8, |b| i64::from_le_bytes(array(b)), |t| t.int64_data.clone()),
        6 => found.ints(4, |b| i64::from(i32::from_le_bytes(array(b))), from_int32),
        5 => found.ints(2, |b| i64::from(i16::from_le_bytes(array(b))), from_int32),
        4 => found.ints(2, |b| i64::from(u16::from_le_bytes(array(b))), from_int32),
        3 => found.ints(1, |b| i64::from(b[0] as i8), from_int32),
        2 | 9 => found.ints(1, |b| i64::from(b[0]), from_int32),
        12 => found.ints(4, |b| i64::from(u32::from_le_bytes(array(b))), from_uint64),
        13 => found.ints(8, |b| u64::from_le_bytes(array(b)) as i64, from_uint64),
        other => return Err(format!("data type {other} is not supported")),
    }
    .map(|data| data.shaped(shape))
}

/// Extents, and the number of elements.
pub(super) fn extents(dims: &[i64]) -> Result<(Vec<usize>, usize), String> {
    let negative = |_| format!("shape {dims:?} holds a negative extent");
    let shape = dims.iter().map(|&dim| usize::try_from(dim).map_err(negative));
    let shape = shape.collect::<Result<Vec<usize>, String>>()?;
    let volume = shape.iter().try_fold(1usize, |volume, &extent| volume.checked_mul(extent));
    let volume = volume.ok_or_else(|| format!("shape {shape:?} is too large"))?;
    Ok((shape, volume))
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|k| bytes[k])
}

fn from_int32(tensor: &Tensor) -> Vec<i64> {
    tensor.int32_data.iter().map(|&x| i64::from(x)).collect()
}

fn from_uint64(tensor: &Tensor) -> Vec<i64> {
    tensor.uint64_data.iter().map(|&x| x as i64).collect()
}

struct Found<'a> {
    tensor: &'a Tensor,
    folder: Option<&'a Path>,
    volume: usize,
}

enum Flat {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

impl Flat {
    fn shaped(self, shape: Vec<usize>) -> Literal {
        match self {
            Self::Floats(data) => Literal::Floats(Nd::new(shape, data)),
            Self::Ints(data) => Literal::Ints(Nd::new(shape, data)),
        }
    }
}

impl Found<'_> {
    fn elements<T>(
        &self,
        size: usize,
        element: impl Fn(&[u8]) -> T,
        listed: impl Fn(&Tensor) -> Vec<T>,
    ) -> Result<Vec<T>, String> {
        let Some(raw) = self.raw(size)? else {
            let list = listed(self.tensor);
            if list.len() == self.volume {
                return Ok(list);
            }
            return Err(format!(
                "shape {:?} needs {} numbers, found {}",
                self.tensor.dims,
                self.volume,
                list.len()
            ));
        };
        self.fits(size, raw.len() as u64)?;
        Ok(raw.chunks_exact(size).map(element).collect())
    }

    /// The bytes of an array whose elements take `size` each, unless they are listed as numbers.
    fn raw(&self, size: usize) -> Result<Option<Cow<'_, [u8]>>, String> {
        match (self.tensor.data_location, &self.tensor.raw_data) {
            (0, Some(raw)) if !raw.is_empty() || self.volume == 0 => Ok(Some(raw.into())),
            (0, _) => Ok(None),
            (1, _) => self.external(size).map(|bytes| Some(bytes.into())),
            (other, _) => Err(format!("data location {other} is not supported")),
        }
    }

    fn fits(&self, size: usize, bytes: u64) -> Result<(), String> {
        let expected = (self.volume as u64).checked_mul(size as u64);
        if expected == Some(bytes) {
            return Ok(());
        }
        let (shape, volume) = (&self.tensor.dims, self.volume);
        Err(format!(
            "shape {shape:?} needs {volume} numbers of {size} bytes each, found {bytes} bytes"
        ))
    }

    fn floats(
        &self,
        size: usize,
        element: impl Fn(&[u8]) -> f32,
        listed: impl Fn(&Tensor) -> Vec<f32>,
    ) -> Result<Flat, String> {
        self.elements(size, element, listed).map(Flat::Floats)
    }

    fn ints(
        &self,
        size: usize,
        element: impl Fn(&[u8]) -> i64,
        listed: impl Fn(&Tensor) -> Vec<i64>,
    ) -> Result<Flat, String> {
        self.elements(size, element, listed).map(Flat::Ints)
    }
}

impl Found<'_> {
    /// Reads what lies in a file beside the model, after making sure that it is what is needed.
    fn external(&self, size: usize) -> Result<Vec<u8>, String> {
        let location = self.entry("location").ok_or("external data without a location")?;
        let folder = self.folder.ok_or("external data, but the model did not come from a file")?;
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || !Path::new(location).components().all(inside) {
            return Err(format!(
                "external data at `{location}`, expected a place in the model's folder"
            ));
        }
        let path = folder.join(location);
        let failed = |error: std::io::Error| format!("external data at `{location}`: {error}");
        let about = std::fs::metadata(&path).map_err(failed)?;
        if !about.is_file() {
            return Err(format!("external data at `{location}`, which is no file"));
        }
        let total = about.len();
        let offset = self.number("offset")?.unwrap_or(0);
        let rest = total.checked_sub(offset).ok_or_else(|| {
            format!("external data at offset {offset} of `{location}`, which has {total} bytes")
        })?;
        let length = self.number("length")?.unwrap_or(rest);
        if length > rest {
            return Err(format!(
                "{length} bytes of external data at offset {offset} of `{location}`, which has \
                 {total}"
            ));
        }
        self.fits(size, length)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|error| error.to_string())?];
        let mut file = File::open(&path).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn entry(&self, key: &str) -> Option<&str> {
        self.tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str())
    }

    fn number(&self, key: &str) -> Result<Option<u64>, String> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| format!("external data with {key} `{text}`, expected a number"))
        };
        self.entry(key).map(parse).transpose()
    }
}
