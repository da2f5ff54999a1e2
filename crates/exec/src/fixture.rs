//! What PyTorch computes, from `fixtures/training.json`, for tests.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

/// One part of the file.
pub(crate) fn read<T: DeserializeOwned>(part: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/training.json");
    let text = fs::read_to_string(path).expect("fixture");
    let mut content: serde_json::Value = serde_json::from_str(&text).expect("json");
    serde_json::from_value(content[part].take()).expect("part")
}

/// Equal up to 1e-6 of each number, or of `unit` where that is larger.
pub(crate) fn assert_close(found: &[f32], expected: &[f32], unit: f32) {
    assert_eq!(found.len(), expected.len());
    for (at, (x, y)) in found.iter().zip(expected).enumerate() {
        assert!((x - y).abs() <= 1e-6 * y.abs().max(unit), "{at}: {x}, expected {y}");
    }
}
