//! What the studio remembers: values as JSON files in its own folder, each written in one step.

use std::path::{Path, PathBuf};

use brickwork::Cache;
use brickwork_formats::write_atomically;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::StudioError;

/// The folder of what is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    /// The store in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn open(folder: &Path) -> Result<Self, StudioError> {
        let root = folder.join(".studio");
        for place in [root.clone(), root.join("jobs"), root.join("tried")] {
            std::fs::create_dir_all(&place).map_err(|error| StudioError::Place {
                place: place.display().to_string(),
                error,
            })?;
        }
        Ok(Self { root })
    }

    /// A place in it.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Steps of long work, which a job that goes on and a size that is picked need not do again.
    pub(crate) fn cache(&self) -> Cache {
        Cache::new(self.place("cache"), "studio")
    }

    /// The value under this name; its default if there is none, or none that can be understood.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        let text = std::fs::read_to_string(self.place(name)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Remembers a value.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, name: &str, value: &impl Serialize) -> Result<(), StudioError> {
        let text = serde_json::to_vec_pretty(value)
            .map_err(|error| StudioError::request(format!("{name} cannot be kept: {error}")))?;
        write_atomically(&self.place(name), &text).map_err(brickwork::Error::from)?;
        Ok(())
    }

    /// A name for a JSON file of this kind that there is not yet.
    pub(crate) fn new_place(&self, kind: &str) -> PathBuf {
        let named = |k: u32| self.place(&format!("{kind}-{k}.json"));
        (1..).map(named).find(|place| !place.exists()).unwrap_or_else(|| named(0))
    }
}
