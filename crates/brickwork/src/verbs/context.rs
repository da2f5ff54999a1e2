//! What a verb runs in: who is told how far it is and may stop it, how many threads it has, its seed, and
//! what it finds in memory.

use std::path::Path;
use std::sync::Arc;

use brickwork_formats::write_atomically;
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use serde_json::Value;

use super::asked::Asked;
use super::memory::{InMemory, Memory};
use super::shelf::{Shelf, is_shelved};
use crate::files::cache::Cache;
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
    /// Where models are whose names begin with `box:`.
    pub shelf: Option<&'a dyn Shelf>,
    /// Where long work keeps what it computed, for another time.
    pub cache: Option<&'a Cache>,
    /// What is asked, of which files that are written tell. [`Verb::run`](super::Verb::run) says so itself.
    pub asked: Option<&'a Asked>,
}

impl Default for Context<'_> {
    /// Tells nobody, with the caller's threads, the seed 0, nothing in memory and no shelf.
    fn default() -> Self {
        let (memory, shelf, cache, asked) = (None, None, None, None);
        Self { progress: &Silent, threads: None, seed: 0, memory, shelf, cache, asked }
    }
}

impl Context<'_> {
    /// Runs `work` on as many threads as are asked for.
    pub(crate) fn install<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let Some(threads) = self.threads else { return work() };
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool =
            pool.map_err(|error| Error::options(format!("no {threads} threads: {error}")))?;
        pool.install(work)
    }

    /// That a request names nothing in memory, and nothing on a shelf, where there is none, and writes to no shelf.
    ///
    /// # Errors
    /// If it does.
    pub(super) fn check_names(&self, request: &impl Serialize) -> Result<(), Error> {
        let Ok(request) = serde_json::to_value(request) else { return Ok(()) };
        let held = |name: &str| Memory::is_name(name) && self.memory.is_none();
        if let Some(name) = name_in(&request, &held) {
            return Err(Error::options(format!(
                "`{name}` names something in memory, where there is nothing; if it is a file, call it `./{name}`"
            )));
        }
        let shelved = |name: &str| is_shelved(name) && self.shelf.is_none();
        if let Some(name) = name_in(&request, &shelved) {
            return Err(Error::options(format!(
                "`{name}` names a model in a box, but there is none; if it is a file, call it `./{name}`"
            )));
        }
        let output = request["output"].as_str().filter(|name| is_shelved(name));
        output.map_or(Ok(()), |name| {
            Err(Error::options(format!(
                "`output={name}`: write a file and put it into the box; if it is a file, call it `./{name}`"
            )))
        })
    }

    /// What is in memory or on the shelf under this name; nothing if it names a file.
    ///
    /// # Errors
    /// If there is nothing of this name.
    pub(crate) fn held(&self, name: &Path) -> Result<Option<InMemory>, Error> {
        if let Some(shelf) = self.shelf.filter(|_| is_shelved(name)) {
            return shelf.model_file(&name.to_string_lossy()).map(InMemory::File).map(Some);
        }
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
        let model = model.clone().made(self.provenance()?);
        self.write(&model.encode()?, name)
    }

    /// Writes a profile under this name.
    pub(super) fn save_profile(&self, profile: &Profile, name: &Path) -> Result<(), Error> {
        let mut profile = profile.clone();
        profile.header.provenance = self.provenance()?;
        let Some(memory) = self.memory.filter(|_| Memory::is_name(name)) else {
            return save_profile(&profile, name);
        };
        check_finite(&profile)?;
        memory.put(name, InMemory::Profile(Arc::new(profile)));
        Ok(())
    }

    /// Writes a file under this name.
    pub(crate) fn write(&self, bytes: &[u8], name: &Path) -> Result<(), Error> {
        let Some(memory) = self.memory.filter(|_| Memory::is_name(name)) else {
            return Ok(write_atomically(name, bytes)?);
        };
        memory.put(name, InMemory::File(bytes.into()));
        Ok(())
    }
}

/// The first name that is `wanted` among the values of a request, alone or behind that of a part.
fn name_in<'a>(value: &'a Value, wanted: &dyn Fn(&str) -> bool) -> Option<&'a str> {
    match value {
        Value::String(text) => {
            let named = text.split_once('=').map_or(&text[..], |(_, name)| name);
            [&text[..], named].into_iter().find(|name| wanted(name))
        }
        Value::Array(all) => all.iter().find_map(|one| name_in(one, wanted)),
        Value::Object(all) => all.values().find_map(|one| name_in(one, wanted)),
        _ => None,
    }
}
