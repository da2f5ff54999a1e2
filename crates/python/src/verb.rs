//! Verbs by name.

use std::ffi::OsString;
use std::sync::Arc;

use brickwork::verbs::{Context, InMemory, Memory, Portion, Shelf};
use brickwork::{Error, Progress};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::failure::failed;
use crate::images::Images;
use crate::model::Model;
use crate::partial::Partial;
use crate::profile::Profile;
use crate::watch::watched;

/// What a request may name.
#[derive(FromPyObject)]
pub(crate) enum Thing<'py> {
    Model(PyRef<'py, Model>),
    Images(PyRef<'py, Images>),
    Profile(PyRef<'py, Profile>),
}

/// Answers a request, which is JSON, to the verb `name`: the answer as JSON, in words, and the model, the profile
/// or the bytes of another file that were written in memory under the name `made`.
#[pyfunction]
#[pyo3(signature = (name, request, things, made, listener, threads, seed))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)]
pub(crate) fn ask(
    py: Python<'_>,
    name: &str,
    request: &str,
    things: Vec<(String, Thing<'_>)>,
    made: Option<&str>,
    listener: Option<Py<PyAny>>,
    threads: Option<usize>,
    seed: u64,
) -> PyResult<(String, String, Option<Py<PyAny>>)> {
    let (request, memory) = (understood(request)?, held(things));
    let answered = watched(py, listener.as_ref(), threads, |progress| {
        within(progress, seed, &memory, |context| brickwork_cli::ask(name, request, context))
    })?;
    Ok((answered.json.to_string(), answered.text, taken(py, &memory, made)?))
}

/// What is found for a request, which is JSON, to the verb `name` on portion `part`, from 1, of `of` of its images.
#[pyfunction]
#[pyo3(signature = (name, request, things, part, of, listener, threads, seed))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)]
pub(crate) fn partial(
    py: Python<'_>,
    name: &str,
    request: &str,
    things: Vec<(String, Thing<'_>)>,
    part: usize,
    of: usize,
    listener: Option<Py<PyAny>>,
    threads: Option<usize>,
    seed: u64,
) -> PyResult<Partial> {
    let (request, memory) = (understood(request)?, held(things));
    let portion: Portion = format!("{part}/{of}")
        .parse()
        .map_err(|why| failed(&Error::Options(format!("`{part}` of `{of}`: {why}").into())))?;
    let portion = Some(portion).filter(|portion| portion.of > 1);
    let found = watched(py, listener.as_ref(), threads, |progress| {
        within(progress, seed, &memory, |context| {
            brickwork_cli::partial(name, request, portion, context)
        })
    })?;
    Ok(Partial { partial: found })
}

/// Answers a request from what was found on all of its images, as [`ask`] does.
#[pyfunction]
#[pyo3(signature = (name, request, things, whole, made, listener, threads, seed))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)]
pub(crate) fn finish(
    py: Python<'_>,
    name: &str,
    request: &str,
    things: Vec<(String, Thing<'_>)>,
    whole: PyRef<'_, Partial>,
    made: Option<&str>,
    listener: Option<Py<PyAny>>,
    threads: Option<usize>,
    seed: u64,
) -> PyResult<(String, String, Option<Py<PyAny>>)> {
    let (request, memory) = (understood(request)?, held(things));
    let whole = whole.partial.clone();
    let answered = watched(py, listener.as_ref(), threads, |progress| {
        within(progress, seed, &memory, |context| {
            brickwork_cli::finish(name, request, whole, context)
        })
    })?;
    Ok((answered.json.to_string(), answered.text, taken(py, &memory, made)?))
}

fn understood(request: &str) -> PyResult<Value> {
    serde_json::from_str(request).map_err(|error| failed(&Error::Options(error.to_string().into())))
}

/// What a request names, in memory.
fn held(things: Vec<(String, Thing<'_>)>) -> Memory {
    let memory = Memory::default();
    for (name, thing) in things {
        memory.put(
            name,
            match thing {
                Thing::Model(model) => InMemory::Model(model.classifier.clone().into()),
                Thing::Images(images) => InMemory::Images(images.dataset.clone()),
                Thing::Profile(profile) => InMemory::Profile(Arc::clone(&profile.profile)),
            },
        );
    }
    memory
}

/// Does `work` in what surrounds all verbs here.
fn within<T>(
    progress: &dyn Progress,
    seed: u64,
    memory: &Memory,
    work: impl FnOnce(&Context<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (shelf, memory) = (brickwork_cli::UserBox::default(), Some(memory));
    let shelf = Some(&shelf as &dyn Shelf);
    let cache = brickwork_cli::asked_cache();
    let cache = cache.as_ref();
    work(&Context { progress, seed, memory, shelf, cache, ..Context::default() })
}

/// What was written in memory under this name, as an object.
fn taken(py: Python<'_>, memory: &Memory, made: Option<&str>) -> PyResult<Option<Py<PyAny>>> {
    Ok(match made.and_then(|name| Some((stem(name), memory.take(name)?))) {
        Some((_, InMemory::Profile(profile))) => Some(Profile { profile }.into_py_any(py)?),
        Some((Some(stem), InMemory::File(bytes))) => {
            let model =
                py.detach(|| Model::written(stem, bytes)).map_err(|error| failed(&error))?;
            Some(model.into_py_any(py)?)
        }
        Some((None, InMemory::File(bytes))) => Some(PyBytes::new(py, &bytes).into_py_any(py)?),
        _ => None,
    })
}

/// What the model in a file of this name is called, if it is one.
fn stem(name: &str) -> Option<&str> {
    name.rsplit('/').next().unwrap_or(name).strip_suffix(".onnx")
}

/// Does what a command line says, and gives the code to end with.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, args: Vec<OsString>) -> u8 {
    py.detach(|| brickwork_cli::main(args))
}
