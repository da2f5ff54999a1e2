//! What a verb runs in: who is told how far it is and may stop it, how many threads it has, its seed, and
//! what it finds in memory.

use std::path::Path;
use std::sync::Arc;

use brickwork_formats::write_atomically;
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use serde_json::Value;

use super::memory::{InMemory, Memory};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::{Progress, Silent};
use crate::relevance::profile::Profile;
use crate::relevance::profile_file::{check_finite, decode_profile, load_profile, save_profile};

/// Surroundings of a verb. They never change what it gives, but for the seed.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Is told how far the work is, and may stop it.
    pub progress: &'a dyn Progress,
    /// Threads to use; those of the caller's pool if none are given.
    pub threads: Option<usize>,
    /// Seed of every random choice.
    pub seed: u64,
    /// What stands behind names that begin with `memory:`, and takes what is written to them.
    pub memory: Option<&'a Memory>,
}

impl Default for Context<'_> {
    /// Tells nobody, with the caller's threads, the seed 0 and nothing in memory.
    fn default() -> Self {
        Self { progress: &Silent, threads: None, seed: 0, memory: None }
    }
}

impl Context<'_> {
    /// Runs `work` on as many threads as are asked for.
    pub(super) fn install<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let Some(threads) = self.threads else { return work() };
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool =
            pool.map_err(|error| Error::options(format!("no {threads} threads: {error}")))?;
        pool.install(work)
    }

    /// That a request names nothing in memory where there is none.
    ///
    /// # Errors
    /// If it does.
    pub(super) fn check_names(&self, request: &impl Serialize) -> Result<(), Error> {
        let request = serde_json::to_value(request).ok().filter(|_| self.memory.is_none());
        let Some(name) = request.as_ref().and_then(name_in) else { return Ok(()) };
        Err(Error::options(format!(
            "`{name}` names something in memory, where there is nothing; if it is a file, call it `./{name}`"
        )))
    }

    /// What is in memory under this name; nothing if it names a file.
    ///
    /// # Errors
    /// If there is nothing of this name.
    pub(super) fn held(&self, name: &Path) -> Result<Option<InMemory>, Error> {
        let Some(memory) = self.memory.filter(|_| Memory::is_name(name)) else { return Ok(None) };
        let missing =
            || Error::options(format!("there is nothing in memory as `{}`", name.display()));
        memory.get(name).ok_or_else(missing).map(Some)
    }

    /// The profile of this name.
    pub(super) fn profile(&self, name: &Path) -> Result<Arc<Profile>, Error> {
        match self.held(name)? {
            None => load_profile(name).map(Arc::new),
            Some(InMemory::Profile(profile)) => Ok(profile),
            Some(InMemory::File(bytes)) => {
                let wrong = |why| Error::profile(format!("{}: {why}", name.display()));
                decode_profile(&bytes).map(Arc::new).map_err(wrong)
            }
            Some(_) => Err(Error::options(format!("`{}` is no profile", name.display()))),
        }
    }

    /// Bytes of the file of the model of this name.
    pub(super) fn file_bytes(&self, name: &Path) -> Result<u64, Error> {
        Ok(match self.held(name)? {
            None => std::fs::metadata(name).map_or(0, |data| data.len()),
            Some(InMemory::Model(model)) => model.encode()?.len() as u64,
            Some(InMemory::File(bytes)) => bytes.len() as u64,
            Some(_) => 0,
        })
    }

    /// Writes a model under this name.
    pub(super) fn save(&self, model: &Classifier, name: &Path) -> Result<(), Error> {
        self.write(&model.encode()?, name)
    }

    /// Writes a profile under this name.
    pub(super) fn save_profile(&self, profile: &Profile, name: &Path) -> Result<(), Error> {
        let Some(memory) = self.memory.filter(|_| Memory::is_name(name)) else {
            return save_profile(profile, name);
        };
        check_finite(profile)?;
        memory.put(name, InMemory::Profile(Arc::new(profile.clone())));
        Ok(())
    }

    /// Writes a file under this name.
    pub(super) fn write(&self, bytes: &[u8], name: &Path) -> Result<(), Error> {
        let Some(memory) = self.memory.filter(|_| Memory::is_name(name)) else {
            return Ok(write_atomically(name, bytes)?);
        };
        memory.put(name, InMemory::File(bytes.into()));
        Ok(())
    }
}

/// The first name of something in memory among the values of a request, alone or behind that of a part.
fn name_in(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => {
            let named = text.split_once('=').map_or(&text[..], |(_, name)| name);
            [&text[..], named].into_iter().find(|name| Memory::is_name(name))
        }
        Value::Array(all) => all.iter().find_map(name_in),
        Value::Object(all) => all.values().find_map(name_in),
        _ => None,
    }
}
