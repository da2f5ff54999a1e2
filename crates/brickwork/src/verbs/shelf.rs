//! Models that are kept somewhere under names of their own.

use std::path::Path;
use std::sync::Arc;

use crate::model::error::Error;

/// What names of models on a shelf begin with.
const PREFIX: &str = "box:";

/// Where models are that requests name by `box:` and what the shelf calls them: a store of models, whose files need
/// not be anywhere as they are.
pub trait Shelf: Sync {
    /// The bytes of the ONNX file of the model of this name, which begins with `box:`.
    ///
    /// # Errors
    /// If there is no such model, or it cannot be read.
    fn model_file(&self, name: &str) -> Result<Arc<[u8]>, Error>;
}

/// Whether a path is the name of a model on a shelf.
pub fn is_shelved(path: impl AsRef<Path>) -> bool {
    path.as_ref().to_str().is_some_and(|text| text.starts_with(PREFIX))
}

/// What the model of this name is called: `box:resnet20@v2/cat,dog` is `resnet20`. Nothing if it names a file.
pub(super) fn stem(path: &Path) -> Option<&str> {
    let name = path.to_str()?.strip_prefix(PREFIX)?;
    name.split(['@', '/']).next()
}
