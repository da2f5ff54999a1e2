//! ONNX and safetensors files to graphs and back. Names no operator.

mod error;
mod file;
pub mod onnx;
pub mod weights;

pub use error::{ReadError, WriteError};
pub use file::{abandon_writes, write_atomically};

use brickwork_graph::Graph;
use sha2::{Digest, Sha256};

/// SHA-256 over what a graph computes: its nodes in readable form and the bits of its constants.
/// Metadata does not count.
pub fn fingerprint(graph: &Graph) -> String {
    let mut hash = Sha256::new();
    hash.update(graph.to_string());
    for value in graph.values() {
        if let Some(data) = &value.constant {
            hash.update(value.name.as_bytes());
            for chunk in data.data().chunks(1 << 14) {
                let bytes: Vec<u8> = chunk.iter().flat_map(|x| x.to_le_bytes()).collect();
                hash.update(bytes);
            }
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
