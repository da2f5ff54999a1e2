//! Which steps of a recipe have to be done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use super::parse::Step;
use super::place::{Input, Output, Placed};
use super::state::{Ingredients, Made, Read, Said, State};
use crate::model::digest::digest_of;
use crate::model::error::{Error, Fault};
use crate::verbs::{Context, Role};

/// A step of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlannedStep {
    /// What its result is called.
    pub name: String,
    /// Its verb.
    pub verb: String,
    /// Why it has to be done; none if it need not be: what it makes is there, made of the same.
    pub why: Option<String>,
    /// The file or folder that is its result.
    pub result: PathBuf,
    /// Bytes of the result, if it is there.
    pub bytes: Option<u64>,
}

/// What is known of files while a recipe is planned or built.
pub(super) struct Surveyor {
    /// Digests of what is there before, by path.
    digests: Mutex<BTreeMap<PathBuf, String>>,
}

impl Surveyor {
    pub(super) fn new() -> Self {
        Self { digests: Mutex::default() }
    }

    /// The digest of something that is there before the build and is not changed by it.
    fn outside(&self, path: &Path, context: &Context<'_>) -> Result<String, Error> {
        if let Some(known) = self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(known.clone());
        }
        let found = context.digest(path)?;
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(digests.entry(path.into()).or_insert(found).clone())
    }

    /// That what is there before has the digests that the recipe says.
    ///
    /// # Errors
    /// Everything that has not, or that cannot be read.
    pub(super) fn check(
        &self,
        placed: &[Placed],
        steps: &[Step],
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let mut faults = Vec::new();
        for step in placed {
            let known = |input: &&Input| input.from.is_none() && input.sha256.is_some();
            for input in step.inputs.iter().filter(known) {
                match self.read(input, &steps[step.step], context) {
                    Err(Error::Recipe(found)) => faults.extend(found),
                    other => drop(other?),
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::Recipe(faults)) }
    }

    /// All that decides what a step makes, if the results that it reads are there.
    ///
    /// # Errors
    /// If something that it reads cannot be read, or is not what the recipe says.
    pub(super) fn ingredients(
        &self,
        placed: &Placed,
        step: &Step,
        context: &Context<'_>,
    ) -> Result<Ingredients, Error> {
        let options = step
            .options
            .iter()
            .map(|setting| Said { option: setting.option.clone(), value: setting.value.clone() });
        let inputs = placed.inputs.iter().map(|input| self.read(input, step, context));
        Ok(Ingredients {
            tool: format!("brickwork {}", env!("CARGO_PKG_VERSION")),
            verb: placed.verb.name.to_owned(),
            seed: placed.seed,
            options: options.collect(),
            inputs: inputs.collect::<Result<_, _>>()?,
        })
    }

    fn read(&self, input: &Input, step: &Step, context: &Context<'_>) -> Result<Read, Error> {
        let Input { option, path, from, sha256 } = input;
        let found = match from {
            Some(_) => digest(path)?,
            None => self.outside(path, context)?,
        };
        if let Some(expected) = sha256.as_ref().filter(|expected| **expected != found) {
            return Err(Error::Recipe(vec![Fault {
                file: String::new(),
                line: Some(step.line_of(option)),
                message: format!(
                    "step `{}`: `{option}`: {} is another one than the recipe was made with: its digest is {found}, \
                     expected {expected}",
                    step.name,
                    path.display()
                ),
            }]));
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Read { option: option.clone(), name, digest: found })
    }
}

/// The digest of a file or folder.
pub(super) fn digest(path: &Path) -> Result<String, Error> {
    digest_of(path).map_err(|error| Error::file(format!("cannot read {}: {error}", path.display())))
}

/// Outputs of a step whose bytes are told from others.
pub(super) fn kept_outputs(placed: &Placed) -> impl Iterator<Item = &Output> {
    placed.outputs.iter().filter(|output| output.role != Role::Checkpoint)
}

/// Why a step has to be done, though all that it reads is there; none if it need not be.
///
/// # Errors
/// As [`Surveyor::ingredients`].
pub(super) fn why(
    placed: &Placed,
    step: &Step,
    state: &State,
    surveyor: &Surveyor,
    context: &Context<'_>,
) -> Result<Option<String>, Error> {
    let Some(made) = state.steps.get(&placed.name) else { return Ok(Some("it is new".to_owned())) };
    if !made.done {
        return Ok(Some("it was not finished".to_owned()));
    }
    if let Some(gone) = kept_outputs(placed).find(|output| !output.path.exists()) {
        return Ok(Some(format!("{} is gone", gone.path.display())));
    }
    if let Some(changed) = changed(placed, made)? {
        return Ok(Some(format!("{} was changed by hand", changed.display())));
    }
    Ok(surveyor.ingredients(placed, step, context)?.differs(&made.of))
}

/// A file of a step that is no longer as it was written.
fn changed(placed: &Placed, made: &Made) -> Result<Option<PathBuf>, Error> {
    for output in kept_outputs(placed).filter(|output| output.path.exists()) {
        if made.files.get(&output.option) != Some(&digest(&output.path)?) {
            return Ok(Some(output.path.clone()));
        }
    }
    Ok(None)
}

/// Files that a build would overwrite though it did not make them as they are.
///
/// # Errors
/// If one cannot be read.
pub(super) fn foreign(placed: &[Placed], state: &State) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for step in placed {
        match state.steps.get(&step.name) {
            // What it had begun to write may be there in part.
            Some(made) if !made.done => {}
            Some(made) => found.extend(changed(step, made)?),
            None => {
                let there = kept_outputs(step).filter(|output| output.path.exists());
                found.extend(there.map(|output| output.path.clone()));
            }
        }
    }
    Ok(found)
}

/// What is to be done, in order.
///
/// # Errors
/// If something that is there cannot be read, or is not what the recipe says.
pub(super) fn plan(
    placed: &[Placed],
    steps: &[Step],
    state: &State,
    context: &Context<'_>,
) -> Result<Vec<PlannedStep>, Error> {
    let surveyor = Surveyor::new();
    let mut planned: Vec<PlannedStep> = Vec::new();
    for one in placed {
        if context.progress.stopped() {
            return Err(Error::stopped("stopped"));
        }
        let before = one.inputs.iter().filter_map(|input| input.from);
        let mut before = before.map(|from| &steps[from].name[..]);
        let stale =
            |name: &&str| planned.iter().any(|step| step.name == *name && step.why.is_some());
        let why = match before.find(stale) {
            Some(name) => Some(format!("`{name}` comes first")),
            None => why(one, &steps[one.step], state, &surveyor, context)?,
        };
        let bytes = std::fs::metadata(&one.result).ok().map(|found| found.len());
        let (name, verb) = (one.name.clone(), one.verb.name.to_owned());
        planned.push(PlannedStep { name, verb, why, result: one.result.clone(), bytes });
    }
    Ok(planned)
}
