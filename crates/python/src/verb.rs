//! Verbs by name.

use std::ffi::OsString;
use std::sync::Arc;

use brickwork::Error;
use brickwork::verbs::{Context, InMemory, Memory, Shelf};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::failure::failed;
use crate::images::Images;
use crate::model::Model;
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
    let unclear = |error: serde_json::Error| failed(&Error::Options(error.to_string().into()));
    let request = serde_json::from_str(request).map_err(unclear)?;
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
    let answered = watched(py, listener.as_ref(), threads, |progress| {
        let (shelf, memory) = (brickwork_cli::UserBox::default(), Some(&memory));
        let shelf = Some(&shelf as &dyn Shelf);
        let cache = brickwork_cli::asked_cache();
        let cache = cache.as_ref();
        let context = Context { progress, seed, memory, shelf, cache, ..Context::default() };
        brickwork_cli::ask(name, request, &context)
    })?;
    let made = match made.and_then(|name| Some((stem(name), memory.take(name)?))) {
        Some((_, InMemory::Profile(profile))) => Some(Profile { profile }.into_py_any(py)?),
        Some((Some(stem), InMemory::File(bytes))) => {
            let model =
                py.detach(|| Model::written(stem, bytes)).map_err(|error| failed(&error))?;
            Some(model.into_py_any(py)?)
        }
        Some((None, InMemory::File(bytes))) => Some(PyBytes::new(py, &bytes).into_py_any(py)?),
        _ => None,
    };
    Ok((answered.json.to_string(), answered.text, made))
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
