//! Relevant inputs of every layer and class as a safetensors file.

use std::collections::HashMap;
use std::path::Path;

use brickwork_tensor::volume;
use safetensors::Dtype;

use crate::files::sealed::{self, Array};
use crate::model::error::Error;

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
    let names = serde_json::json!(classes).to_string();
    sealed::write(path, &arrays, HashMap::from([("classes".to_owned(), names)]))
}
