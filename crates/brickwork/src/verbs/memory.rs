//! What verbs read and write without files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brickwork_data::Dataset;

use super::shelf;
use crate::model::classifier::Classifier;
use crate::relevance::profile::Profile;

/// What names of things in memory begin with.
const PREFIX: &str = "memory:";

/// Models, images and profiles in memory, under names that stand where requests name files.
///
/// A name is `memory:` and something like a path, as in `memory:1/low.onnx`: what files are called by their
/// stem, and known by their ending, is so here too. Whatever a verb writes to such a name can be
/// [taken](Self::take) from there: profiles as they are, all else as the bytes of its file.
#[derive(Debug, Default)]
pub struct Memory {
    held: Mutex<BTreeMap<PathBuf, InMemory>>,
}

/// One thing in memory. A clone shares it.
#[derive(Clone, Debug)]
pub enum InMemory {
    /// A model; it is called by the stem of the name it is held under.
    Model(Box<Classifier>),
    /// Images with their labels. They have no splits.
    Images(Dataset),
    /// What channels contribute to classes.
    Profile(Arc<Profile>),
    /// The bytes of any file, which are read when they are asked for.
    File(Arc<[u8]>),
}

impl Memory {
    /// Holds `thing` under `name`, in place of what was there.
    pub fn put(&self, name: impl Into<PathBuf>, thing: InMemory) {
        let (name, mut thing) = (name.into(), thing);
        if let InMemory::Model(model) = &mut thing {
            model.name = stem_of(&name);
        }
        self.held().insert(name, thing);
    }

    /// What is held under `name`.
    pub fn get(&self, name: impl AsRef<Path>) -> Option<InMemory> {
        self.held().get(name.as_ref()).cloned()
    }

    /// Gives what is held under `name`, and holds it no longer.
    pub fn take(&self, name: impl AsRef<Path>) -> Option<InMemory> {
        self.held().remove(name.as_ref())
    }

    /// Whether `path` is the name of something in memory.
    pub fn is_name(path: impl AsRef<Path>) -> bool {
        path.as_ref().to_str().is_some_and(|text| text.starts_with(PREFIX))
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<PathBuf, InMemory>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thing of this name is called.
pub(super) fn stem_of(name: &Path) -> String {
    if let Some(stem) = shelf::stem(name) {
        return stem.to_owned();
    }
    let stem = name.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    stem.strip_prefix(PREFIX).map(str::to_owned).unwrap_or(stem)
}
