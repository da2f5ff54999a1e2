//! Weights in a safetensors file, by the names PyTorch gives them, put into a graph.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use brickwork_graph::{Graph, Patch, Problem, Problems};
use brickwork_tensor::Tensor;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::error::ReadError;
use crate::file::read_whole;
use crate::memory::{NoMemory, collected};

/// The patch that replaces every constant of `graph` found by name in the safetensors file at
/// `path`. A matrix may be stored transposed.
///
/// # Errors
/// If the file is unreadable, no name matches, or a match has another shape; all are listed.
pub fn swap(graph: &Graph, path: &Path) -> Result<Patch, ReadError> {
    let bytes = read_whole(path).map_err(|source| ReadError::Io { path: path.into(), source })?;
    swap_bytes(graph, &bytes).map_err(|error| error.of_file(path))
}

/// As [`swap`], from memory.
///
/// # Errors
/// As [`swap`].
pub fn swap_bytes(graph: &Graph, bytes: &[u8]) -> Result<Patch, ReadError> {
    let (file, _) = open(bytes).map_err(ReadError::malformed)?;
    let mut patch = Patch::new("swapping weights");
    let mut problems = Vec::new();
    let (mut found, mut missing) = (0, Vec::new());
    for id in graph.value_ids() {
        let value = graph.value(id);
        let Some(old) = &value.constant else { continue };
        let Ok(view) = file.tensor(&value.name) else {
            missing.push(value.name.clone());
            continue;
        };
        match tensor(view.dtype(), view.shape(), view.data()).and_then(|new| fit(new, old.shape()))
        {
            Ok(new) => {
                found += 1;
                patch.constant(id, Arc::new(new));
            }
            Err(text) => problems.push(Problem { place: value.name.clone(), kind: None, text }),
        }
    }
    if found == 0 && problems.is_empty() {
        let first = |names: Vec<String>| names.into_iter().take(3).collect::<Vec<_>>().join("`, `");
        let theirs = file.names().iter().map(ToString::to_string).collect();
        return Err(ReadError::malformed(format!(
            "no name matches: the model has `{}`, the file `{}`",
            first(missing),
            first(theirs)
        )));
    }
    if problems.is_empty() { Ok(patch) } else { Err(Problems(problems).into()) }
}

/// The arrays of a safetensors file, and the free text in its header.
///
/// # Errors
/// In words, if `bytes` are no such file.
pub fn open(bytes: &[u8]) -> Result<(SafeTensors<'_>, HashMap<String, String>), String> {
    if let Some(number) = absurd_number(bytes) {
        return Err(format!("its header speaks of {number} elements or bytes"));
    }
    let said = |error: SafeTensorError| error.to_string();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(said)?;
    let file = SafeTensors::deserialize(bytes).map_err(said)?;
    Ok((file, header.metadata().clone().unwrap_or_default()))
}

/// Digits of a number that may still be an offset into a file.
const MOST_DIGITS: usize = 15;

/// A number in the header that is larger than any file. Offsets are checked by the safetensors
/// crate, but (in version 0.8) their sum overflows if they are as large as that.
fn absurd_number(bytes: &[u8]) -> Option<String> {
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).unwrap_or(usize::MAX);
    let (mut in_name, mut escaped, mut digits) = (false, false, 0);
    for (at, &byte) in bytes.iter().enumerate().skip(8).take(length) {
        digits = if byte.is_ascii_digit() && !in_name { digits + 1 } else { 0 };
        if digits > MOST_DIGITS {
            return Some(
                String::from_utf8_lossy(&bytes[at + 1 - digits..=at]).into_owned() + "...",
            );
        }
        in_name ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && in_name && !escaped;
    }
    None
}

/// A float array of a safetensors file.
///
/// # Errors
/// In words, if the data type is not real, a number not finite, or there is not as much memory.
pub fn tensor(dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Result<Tensor, String> {
    let data = match dtype {
        Dtype::F32 => floats(bytes, f32::from_le_bytes),
        Dtype::F16 => floats(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => floats(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        other => return Err(format!("data type {other:?}, expected F32, F16 or BF16")),
    };
    let data = data.map_err(|error| format!("it {error}"))?;
    if data.iter().any(|x| !x.is_finite()) {
        return Err("it holds NaN or infinite numbers".to_owned());
    }
    Ok(Tensor::new(shape, data))
}

/// Numbers of `SIZE` bytes each.
fn floats<const SIZE: usize>(
    bytes: &[u8],
    number: impl Fn([u8; SIZE]) -> f32,
) -> Result<Vec<f32>, NoMemory> {
    let (numbers, _) = bytes.as_chunks();
    collected(numbers.len(), numbers.iter().map(|&bytes| number(bytes)))
}

fn fit(new: Tensor, shape: &[usize]) -> Result<Tensor, String> {
    let reversed: Vec<usize> = new.shape().iter().rev().copied().collect();
    match new.shape() == shape {
        true => Ok(new),
        false if shape.len() == 2 && reversed == shape => Ok(new.transpose(&[1, 0])),
        false => Err(format!("shape {:?}, expected {shape:?}", new.shape())),
    }
}

#[cfg(test)]
mod tests;
