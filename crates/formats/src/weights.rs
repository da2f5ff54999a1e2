//! Weights in a safetensors file, by the names PyTorch gives them, put into a graph.

use std::path::Path;
use std::sync::Arc;

use brickwork_graph::{Graph, Patch, Problem, Problems};
use brickwork_tensor::Tensor;
use safetensors::{Dtype, SafeTensors};

use crate::error::ReadError;

/// The patch that replaces every constant of `graph` found by name in the safetensors file at
/// `path`. A matrix may be stored transposed.
///
/// # Errors
/// If the file is unreadable, no name matches, or a match has another shape; all are listed.
pub fn swap(graph: &Graph, path: &Path) -> Result<Patch, ReadError> {
    let bytes =
        std::fs::read(path).map_err(|source| ReadError::Io { path: path.into(), source })?;
    swap_bytes(graph, &bytes).map_err(|error| error.of_file(path))
}

/// As [`swap`], from memory.
///
/// # Errors
/// As [`swap`].
pub fn swap_bytes(graph: &Graph, bytes: &[u8]) -> Result<Patch, ReadError> {
    if let Some(number) = absurd_number(bytes) {
        return Err(ReadError::malformed(format!(
            "its header speaks of {number} elements or bytes"
        )));
    }
    let file =
        SafeTensors::deserialize(bytes).map_err(|error| ReadError::malformed(error.to_string()))?;
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
/// In words, if the data type is not real.
pub fn tensor(dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Result<Tensor, String> {
    let data: Vec<f32> = match dtype {
        Dtype::F32 => {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        Dtype::F16 => {
            bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
        }
        Dtype::BF16 => bytes
            .chunks_exact(2)
            .map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect(),
        other => return Err(format!("data type {other:?}, expected F32, F16 or BF16")),
    };
    if data.iter().any(|x| !x.is_finite()) {
        return Err("it holds NaN or infinite numbers".to_owned());
    }
    Ok(Tensor::new(shape, data))
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
