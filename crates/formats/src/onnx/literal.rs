//! Arrays of an ONNX file, inside it or in files beside it.

use brickwork_graph::{Literal, Stored};
use brickwork_tensor::Nd;
use half::{bf16, f16};

use super::external::External;
use super::proto;
use crate::memory::{NoMemory, collected};

/// ONNX's numbers for floats, and how they are held.
const FLOATS: [(i32, Stored); 3] =
    [(1, Stored::Float32), (10, Stored::Float16), (16, Stored::Bfloat16)];

/// How a file holds floats of the data type `number`, if it stands for such.
pub(super) fn stored(number: i32) -> Option<Stored> {
    FLOATS.iter().find(|(known, _)| *known == number).map(|(_, stored)| *stored)
}

/// ONNX's number for floats that are held as `stored`.
pub(super) fn data_type(stored: Stored) -> i32 {
    FLOATS.iter().find(|(_, known)| *known == stored).map_or(0, |(number, _)| *number)
}

/// The array in `tensor`, which may lie in `external`.
///
/// # Errors
/// In words, without the tensor's name.
pub(super) fn literal(
    tensor: &proto::Tensor,
    external: &mut External<'_>,
) -> Result<Literal, String> {
    let (shape, volume) = extents(&tensor.dims)?;
    let found = StoredTensor { tensor, external, volume };
    match tensor.data_type {
        1 => found.floats(4, |b| f32::from_le_bytes(array(b)), |t| listed(&t.float_data, |x| x)),
        10 => found.floats(
            2,
            |b| f16::from_le_bytes(array(b)).to_f32(),
            |t| listed(&t.int32_data, |x| f16::from_bits(x as u16).to_f32()),
        ),
        16 => found.floats(
            2,
            |b| bf16::from_le_bytes(array(b)).to_f32(),
            |t| listed(&t.int32_data, |x| bf16::from_bits(x as u16).to_f32()),
        ),
        11 => found.floats(
            8,
            |b| f64::from_le_bytes(array(b)) as f32,
            |t| listed(&t.double_data, |x| x as f32),
        ),
        7 => found.ints(8, |b| i64::from_le_bytes(array(b)), |t| listed(&t.int64_data, |x| x)),
        6 => found.ints(4, |b| i64::from(i32::from_le_bytes(array(b))), from_int32),
        5 => found.ints(2, |b| i64::from(i16::from_le_bytes(array(b))), from_int32),
        4 => found.ints(2, |b| i64::from(u16::from_le_bytes(array(b))), from_int32),
        3 => found.ints(1, |b| i64::from(b[0] as i8), from_int32),
        2 | 9 => found.ints(1, |b| i64::from(b[0]), from_int32),
        12 => found.ints(4, |b| i64::from(u32::from_le_bytes(array(b))), from_uint64),
        13 => found.ints(8, |b| u64::from_le_bytes(array(b)) as i64, from_uint64),
        other => return Err(format!("data type {} is not supported", element_type(other))),
    }
    .map(|data| data.shaped(shape))
}

/// What a data type of ONNX is called; its number, if that is not known.
pub(super) fn element_type(number: i32) -> String {
    const NAMES: [&str; 24] = [
        "none",
        "float32",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "int32",
        "int64",
        "string",
        "bool",
        "float16",
        "float64",
        "uint32",
        "uint64",
        "complex64",
        "complex128",
        "bfloat16",
        "float8e4m3fn",
        "float8e4m3fnuz",
        "float8e5m2",
        "float8e5m2fnuz",
        "uint4",
        "int4",
        "float4e2m1",
    ];
    let known = usize::try_from(number).ok().and_then(|place| NAMES.get(place));
    known.map_or_else(|| number.to_string(), |name| (*name).to_owned())
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

fn listed<S: Copy, T>(list: &[S], element: impl Fn(S) -> T) -> Result<Vec<T>, NoMemory> {
    collected(list.len(), list.iter().map(|&x| element(x)))
}

fn from_int32(tensor: &proto::Tensor) -> Result<Vec<i64>, NoMemory> {
    listed(&tensor.int32_data, i64::from)
}

fn from_uint64(tensor: &proto::Tensor) -> Result<Vec<i64>, NoMemory> {
    listed(&tensor.uint64_data, |x| x as i64)
}

struct StoredTensor<'a, 'f> {
    tensor: &'a proto::Tensor,
    external: &'a mut External<'f>,
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

impl StoredTensor<'_, '_> {
    /// The elements, which take `size` bytes each unless they are `listed` as numbers.
    fn elements<T>(
        self,
        size: usize,
        element: impl Fn(&[u8]) -> T,
        listed: impl Fn(&proto::Tensor) -> Result<Vec<T>, NoMemory>,
    ) -> Result<Vec<T>, String> {
        let elements = match (self.tensor.data_location, &self.tensor.raw_data) {
            (0, Some(raw)) if !raw.is_empty() || self.volume == 0 => {
                self.fits(size, raw.len() as u64)?;
                collected(self.volume, raw.chunks_exact(size).map(element))
            }
            (0, _) => listed(self.tensor),
            (1, _) => {
                let place = self.external.place(self.tensor)?;
                self.fits(size, place.length)?;
                return self.external.read(place, size, element);
            }
            (other, _) => return Err(format!("data location {other} is not supported")),
        };
        let elements = elements.map_err(|error| format!("it {error}"))?;
        if elements.len() == self.volume {
            return Ok(elements);
        }
        Err(format!(
            "shape {:?} needs {} numbers, found {}",
            self.tensor.dims,
            self.volume,
            elements.len()
        ))
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
        self,
        size: usize,
        element: impl Fn(&[u8]) -> f32,
        listed: impl Fn(&proto::Tensor) -> Result<Vec<f32>, NoMemory>,
    ) -> Result<Flat, String> {
        self.elements(size, element, listed).map(Flat::Floats)
    }

    fn ints(
        self,
        size: usize,
        element: impl Fn(&[u8]) -> i64,
        listed: impl Fn(&proto::Tensor) -> Result<Vec<i64>, NoMemory>,
    ) -> Result<Flat, String> {
        self.elements(size, element, listed).map(Flat::Ints)
    }
}

/// The array `literal` in the form of the file.
pub(super) fn tensor(name: &str, literal: &Literal) -> proto::Tensor {
    match literal {
        Literal::Floats(data) => floats(name, data, Stored::Float32),
        Literal::Ints(data) => proto::Tensor {
            dims: data.shape().iter().map(|&extent| extent as i64).collect(),
            data_type: 7,
            name: name.to_owned(),
            raw_data: Some(data.data().iter().flat_map(|x| x.to_le_bytes()).collect()),
            ..proto::Tensor::default()
        },
    }
}

/// Real numbers in the form of the file, rounded to what is `stored`.
pub(super) fn floats(name: &str, data: &Nd<f32>, stored: Stored) -> proto::Tensor {
    let numbers = data.data().iter();
    let raw: Vec<u8> = match stored {
        Stored::Float32 => numbers.flat_map(|x| x.to_le_bytes()).collect(),
        Stored::Float16 => numbers.flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        Stored::Bfloat16 => numbers.flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
    };
    proto::Tensor {
        dims: data.shape().iter().map(|&extent| extent as i64).collect(),
        data_type: data_type(stored),
        name: name.to_owned(),
        raw_data: Some(raw),
        ..proto::Tensor::default()
    }
}

/// How `data` of a value that is `stored` so can be written: with 32 bits, where a number is too large for less.
pub(super) fn holding(data: &Nd<f32>, stored: Stored) -> Stored {
    let largest = match stored {
        Stored::Float16 => f16::MAX.to_f32(),
        Stored::Bfloat16 => bf16::MAX.to_f32(),
        Stored::Float32 => return stored,
    };
    let fits = data.data().iter().all(|x| x.is_infinite() || x.abs() <= largest);
    if fits { stored } else { Stored::Float32 }
}
