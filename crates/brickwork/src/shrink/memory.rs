//! What a walk computed before, if it is kept: a walk that was interrupted goes on where it was, and one to another size
//! begins where they part.

use brickwork_formats::fingerprint;
use brickwork_formats::onnx::{self, ReadOptions};
use brickwork_graph::Graph;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::cache::Cache;
use crate::model::digest::digest_of_bytes;
use crate::model::error::Error;
use crate::model::progress::Progress;

/// The results of walks on the same ground.
pub(crate) struct WalkMemory<'a> {
    cache: &'a Cache,
    /// What tells the ground from others.
    ground: String,
}

impl<'a> WalkMemory<'a> {
    /// Of walks on this `ground`: source, classes, images and rules, in words.
    pub(crate) fn new(cache: &'a Cache, ground: &str) -> Self {
        Self { cache, ground: digest_of_bytes(ground.as_bytes()) }
    }

    /// What comes of this `work` on `graph`, a graph and what is told of it: what is kept, or what the work gives,
    /// which is kept from then on if it is `whole` then. `work_name` tells it from other work on the same graph.
    ///
    /// # Errors
    /// If the work fails, or what it gives cannot be written.
    pub(crate) fn or<T: Serialize + DeserializeOwned>(
        &self,
        work_name: &str,
        graph: &Graph,
        progress: &dyn Progress,
        work: impl FnOnce() -> Result<(Graph, T), Error>,
        whole: impl FnOnce() -> bool,
    ) -> Result<(Graph, T), Error> {
        let key = format!("{}\n{work_name}\n{}", self.ground, fingerprint(graph));
        if let Some(found) = self.cache.get(&key).and_then(|bytes| read(&bytes)) {
            progress.detail(&format!("{work_name}: from {}", self.cache.folder().display()));
            return Ok(found);
        }
        let (graph, told) = work()?;
        if !whole() {
            return Ok((graph, told));
        }
        let odd = |error: serde_json::Error| Error::file(error.to_string());
        let mut written = serde_json::to_vec(&told).map_err(odd)?;
        written.push(b'\n');
        written.extend(onnx::encode(&graph)?);
        // A file may hold weights with fewer digits than they have on the way.
        let again: Option<(Graph, T)> = read(&written);
        if again.is_some_and(|(again, _)| fingerprint(&again) == fingerprint(&graph)) {
            self.cache.put(&key, &written, progress);
        }
        Ok((graph, told))
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<(Graph, T)> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let told = serde_json::from_slice(&bytes[..end]).ok()?;
    let graph = onnx::decode(&bytes[end + 1..], None, &ReadOptions::default()).ok()?;
    Some((graph, told))
}
