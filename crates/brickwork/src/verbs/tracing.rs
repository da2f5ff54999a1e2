//! From a request to the story of the file that comes of it: what it was made of, and how that was made.

use std::io;
use std::path::Path;

use brickwork_formats::{onnx, read_whole};
use serde_json::{Map, Value, json};

use super::Context;
use super::memory::{InMemory, Memory, stem_of};
use super::roles::{NamedFile, Role, role};
use crate::model::classes::{items, list};
use crate::model::digest::{digest_of, digest_of_bytes, is_there};
use crate::model::error::Error;
use crate::model::provenance::{MadeStep, Provenance, RECIPE_KEY, SourceFile};
use crate::relevance::profile::Header;
use crate::relevance::profile_file::{encode_profile, profile_header};

/// Requests that a file tells of at most; what was made by more of them is told of as if it had been there before.
const MOST_STEPS: usize = 100;

/// Options that name data, which tell nothing of how they were made and may be large.
const DATA: &[&str] = &["data", "foreign", "images"];

/// Something that a request reads.
#[derive(Default)]
struct Found {
    digest: Option<String>,
    provenance: Option<Provenance>,
    /// What it is called, if not as its file.
    called: Option<String>,
}

impl Found {
    fn of_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let digest = Some(digest_of_bytes(bytes));
        let text = onnx::metadata(bytes).and_then(|mut entries| entries.remove(RECIPE_KEY));
        if let Some(text) = text {
            return Ok(Self { digest, provenance: Some(Provenance::read(&text)?), called: None });
        }
        Ok(match profile_header(bytes) {
            Some(header) => Self::of_profile(digest, &header),
            None => Self { digest, ..Self::default() },
        })
    }

    /// What a profile's file is called changes nothing that is made of it.
    fn of_profile(digest: Option<String>, header: &Header) -> Self {
        let called = Some(format!("{}-profile", header.model));
        Self { digest, provenance: header.provenance.clone(), called }
    }
}

impl Context<'_> {
    /// How a file is made that comes of what is asked; nothing if nothing is.
    ///
    /// # Errors
    /// If a list of names that the request names cannot be read.
    pub(super) fn provenance(&self) -> Result<Option<Provenance>, Error> {
        let Some(asked) = self.asked else { return Ok(None) };
        let mut story = Story { context: self, told: Provenance::default() };
        let mut request = Map::new();
        for (option, value) in &asked.request {
            request.insert(option.clone(), story.value(option, value)?);
        }
        let (verb, seed) = (asked.verb.to_owned(), self.seed);
        story.told.steps.push(MadeStep { verb, seed, request, ..MadeStep::default() });
        Ok(Some(story.told))
    }

    /// What tells the file, folder or thing in memory of this name from others.
    ///
    /// # Errors
    /// If it cannot be read; images in memory have no digest.
    pub(crate) fn digest(&self, name: &Path) -> Result<String, Error> {
        let unread = || Error::file(format!("`{}` has no digest", name.display()));
        self.look_at(name, false)?.digest.ok_or_else(unread)
    }

    /// What is known of the file, folder or thing in memory of this name. Only a file that `may_tell` how it was made
    /// is asked.
    fn look_at(&self, name: &Path, may_tell: bool) -> Result<Found, Error> {
        match self.held(name)? {
            Some(InMemory::Model(model)) => {
                let digest = match model.digest() {
                    Some(known) => known.to_owned(),
                    None => digest_of_bytes(&model.encode()?),
                };
                let provenance = model.provenance().cloned();
                Ok(Found { digest: Some(digest), provenance, called: None })
            }
            Some(InMemory::Profile(profile)) => {
                let digest = Some(digest_of_bytes(&encode_profile(&profile)?));
                Ok(Found::of_profile(digest, &profile.header))
            }
            Some(InMemory::File(bytes)) => Found::of_bytes(&bytes),
            Some(InMemory::Images(_)) => Ok(Found::default()),
            None => look_at_file(name, may_tell),
        }
    }
}

fn look_at_file(path: &Path, may_tell: bool) -> Result<Found, Error> {
    let unread = |error: io::Error| Error::file(format!("cannot read {}: {error}", path.display()));
    if path.is_dir() || path.is_file() && !may_tell || !path.exists() && is_there(path) {
        let digest = Some(digest_of(path).map_err(unread)?);
        return Ok(Found { digest, ..Found::default() });
    }
    // A pipe can be read but once, which was done.
    if !path.is_file() {
        return Ok(Found::default());
    }
    Found::of_bytes(&read_whole(path).map_err(unread)?)
}

struct Story<'a> {
    context: &'a Context<'a>,
    told: Provenance,
}

impl Story<'_> {
    /// A value of an option, with names instead of files.
    fn value(&mut self, option: &str, value: &Value) -> Result<Value, Error> {
        let Some(role) = role(option) else { return Ok(value.clone()) };
        match value {
            Value::Array(all) => all.iter().map(|one| self.value(option, one)).collect(),
            Value::String(text) => self.text(option, role, text),
            other => Ok(other.clone()),
        }
    }

    fn text(&mut self, option: &str, role: Role, text: &str) -> Result<Value, Error> {
        let Some(NamedFile { before, file }) = role.file(text) else { return Ok(json!(text)) };
        match role {
            // A list tells itself, wherever it stands.
            Role::Names => Ok(json!(list(&items(text)?))),
            _ => Ok(json!(format!("{before}@{}", self.reference(option, Path::new(file))?))),
        }
    }

    /// What the file of this name is called.
    fn reference(&mut self, option: &str, path: &Path) -> Result<String, Error> {
        let is_data = DATA.contains(&option);
        // Images in memory have no digest, and need not be there any more.
        let found = match is_data && Memory::is_name(path) {
            true => Ok(Found::default()),
            false => self.context.look_at(path, !is_data),
        };
        // The work is done, and is not lost for want of a story.
        let untold = |error: &Error| {
            let note = format!("how it was made is not told in full: {error}");
            self.context.progress.note(&note);
        };
        let Found { digest, provenance, called } = found.inspect_err(untold).unwrap_or_default();
        let fits = |own: &Provenance| own.steps.len() + self.told.steps.len() < MOST_STEPS;
        match provenance.filter(fits) {
            Some(provenance) => {
                let stem = called.unwrap_or_else(|| stem_of(path));
                Ok(self.continue_from(provenance, stem, digest))
            }
            None => {
                let file = file_name(path);
                let stem = file.split('.').next().unwrap_or(&file).to_owned();
                let wanted = [stem.clone(), format!("{stem}-{option}")];
                Ok(self.source(&wanted, &file, digest))
            }
        }
    }

    /// Something that was there before, which is called by the first of the names that nothing has.
    fn source(&mut self, wanted: &[String], file: &str, sha256: Option<String>) -> String {
        let same = |known: &&SourceFile| known.file == file && known.sha256 == sha256;
        if let Some(known) = self.told.sources.iter().find(same) {
            return known.name.clone();
        }
        let (name, file) = (self.free(wanted), file.to_owned());
        self.told.sources.push(SourceFile { name: name.clone(), file, sha256 });
        name
    }

    /// Takes over the story of a file that this one is made of, and gives what it is called.
    fn continue_from(&mut self, own: Provenance, stem: String, sha256: Option<String>) -> String {
        let mut names = Names::default();
        for SourceFile { name, file, sha256 } in own.sources {
            let new = self.source(std::slice::from_ref(&name), &file, sha256);
            names.pairs.push(Renamed { old: name, new });
        }
        let last = own.steps.len() - 1;
        let mut called = String::new();
        for (k, step) in own.steps.into_iter().enumerate() {
            let old = step.name.clone();
            let request = step
                .request
                .iter()
                .map(|(option, value)| (option.clone(), names.value(option, value)));
            let mut step = MadeStep { request: request.collect(), ..step };
            if k == last {
                (step.stem, step.sha256) = (stem.clone(), sha256.clone());
            }
            called = self.step(step);
            names.pairs.push(Renamed { old, new: called.clone() });
        }
        called
    }

    /// A step, unless it is told already.
    fn step(&mut self, step: MadeStep) -> String {
        let unnamed = |step: &MadeStep| MadeStep { name: String::new(), ..step.clone() };
        let same = |known: &&MadeStep| unnamed(known) == unnamed(&step);
        if let Some(known) = self.told.steps.iter().find(same) {
            return known.name.clone();
        }
        let name = self.free(std::slice::from_ref(&step.stem));
        self.told.steps.push(MadeStep { name: name.clone(), ..step });
        name
    }

    /// The first of the names that nothing has yet, or else one with a number.
    fn free(&self, wanted: &[String]) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let word = |name: &String| match name.chars().map(letter).collect::<String>() {
            word if word.is_empty() => "it".to_owned(),
            word => word,
        };
        let taken = |name: &String| {
            ["data", "seed"].contains(&&name[..])
                || self.told.sources.iter().any(|source| source.name == *name)
                || self.told.steps.iter().any(|step| step.name == *name)
        };
        let first = wanted.first().map(word).unwrap_or_default();
        let numbered = (2..usize::MAX).map(|number| format!("{first}-{number}"));
        let mut names = wanted.iter().map(word).chain(numbered);
        names.find(|name| !taken(name)).unwrap_or_default()
    }
}

/// What is called otherwise in another story.
#[derive(Default)]
struct Names {
    pairs: Vec<Renamed>,
}

struct Renamed {
    old: String,
    new: String,
}

impl Names {
    /// A value of an option with the names of the other story.
    fn value(&self, option: &str, value: &Value) -> Value {
        match (role(option), value) {
            (Some(_), Value::Array(all)) => all.iter().map(|one| self.value(option, one)).collect(),
            (Some(role), Value::String(text)) if role != Role::Names => {
                let named = role.file(text).and_then(|NamedFile { before, file }| {
                    let old = file.strip_prefix('@')?;
                    let renamed = self.pairs.iter().find(|pair| pair.old == old)?;
                    Some(format!("{before}@{}", renamed.new))
                });
                json!(named.as_deref().unwrap_or(text))
            }
            (_, other) => other.clone(),
        }
    }
}

/// What a file is called without the folders above it, or a thing in memory.
fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.strip_prefix("memory:").unwrap_or(&name).to_owned()
}
