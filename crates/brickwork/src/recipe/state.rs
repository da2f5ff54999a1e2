//! What a build left behind: which files it made, and of what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use brickwork_formats::write_atomically;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::error::Error;

/// The form of the file.
const VERSION: u32 = 1;

/// The state of a folder that a recipe was built in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// The steps that were begun or done, by name.
    pub(super) steps: BTreeMap<String, Made>,
}

/// A step that was begun or done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Made {
    /// What it was made of.
    pub(super) of: Ingredients,
    /// Whether it was done.
    pub(super) done: bool,
    /// Digests of what it wrote, by option.
    pub(super) files: BTreeMap<String, String>,
}

/// All that decides what a step makes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ingredients {
    /// The version of this program.
    pub(super) tool: String,
    pub(super) verb: String,
    pub(super) seed: u64,
    /// The options as the recipe says them, in order.
    pub(super) options: Vec<Said>,
    /// What it reads, in order.
    pub(super) inputs: Vec<Read>,
}

/// An option that was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) option: String,
    pub(super) value: Value,
}

/// A file or folder that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Read {
    pub(super) option: String,
    /// What it is called, without the folders above it.
    pub(super) name: String,
    pub(super) digest: String,
}

impl Ingredients {
    /// Why `self`, of today, is not `before`, in words.
    pub(super) fn differs(&self, before: &Self) -> Option<String> {
        if self == before {
            return None;
        }
        let changed = self.inputs.iter().find(|input| !before.inputs.contains(input));
        Some(match changed {
            _ if self.verb != before.verb => format!("it was `{}` before", before.verb),
            _ if self.options != before.options => "its options changed".to_owned(),
            _ if self.seed != before.seed => "its seed changed".to_owned(),
            _ if self.tool != before.tool => format!("it was made by {}", before.tool),
            Some(input) => format!("{} changed", input.name),
            None => "what it reads changed".to_owned(),
        })
    }
}

/// Where the state of a recipe called `name` is kept in the folder `out`.
pub(super) fn place(name: &str, out: &Path) -> PathBuf {
    let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    out.join(format!("{}.built.json", stem.unwrap_or_else(|| "recipe".to_owned())))
}

impl State {
    /// The state that is kept in `path`; of nothing built, if there is none.
    ///
    /// # Errors
    /// If there is one that cannot be understood.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let odd = |why: String| {
            let place = path.display();
            Error::file(format!(
                "{place} does not tell what was built: {why}; remove it to build everything again"
            ))
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(odd(error.to_string())),
        };
        let found: Self = serde_json::from_str(&text).map_err(|error| odd(error.to_string()))?;
        match found.version {
            VERSION => Ok(found),
            other => Err(odd(format!("it is of version {other}, this program knows {VERSION}"))),
        }
    }

    /// Writes it, in one step.
    ///
    /// # Errors
    /// If it cannot be written; it is then as it was.
    pub(super) fn save(&mut self, path: &Path) -> Result<(), Error> {
        self.version = VERSION;
        let text =
            serde_json::to_string_pretty(self).map_err(|error| Error::file(error.to_string()))?;
        Ok(write_atomically(path, (text + "\n").as_bytes())?)
    }
}
