//! Verbs by name.

use std::ffi::OsString;
use std::sync::Arc;

use brickwork::Error;
use brickwork::verbs::{Context, InMemory, Memory, Portion, Shelf};
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

/// A request to a verb, with what it names in memory.
#[pyclass(frozen, module = "brickwork._native")]
pub(crate) struct Request {
    verb: String,
    options: Value,
    memory: Memory,
    seed: u64,
}

/// What was answered.
#[pyclass(frozen, get_all, module = "brickwork._native")]
pub(crate) struct Answered {
    /// The answer as JSON.
    json: String,
    /// The answer in words.
    text: String,
    /// The answer as it stands on a page.
    html: String,
    /// The model, the profile or the bytes of another file that were written in memory.
    made: Option<Py<PyAny>>,
}

#[pymethods]
impl Request {
    /// The request `options`, which is JSON, to the verb `verb`.
    #[new]
    fn new(
        verb: String,
        options: &str,
        things: Vec<(String, Thing<'_>)>,
        seed: u64,
    ) -> PyResult<Self> {
        let options = read(options)?;
        let memory = Memory::default();
        for (name, thing) in things {
            memory.put(name, thing.held());
        }
        Ok(Self { verb, options, memory, seed })
    }

    /// Answers it.
    #[pyo3(signature = (listener, threads))]
    fn ask(
        &self,
        py: Python<'_>,
        listener: Option<Py<PyAny>>,
        threads: Option<usize>,
    ) -> PyResult<Answered> {
        let answered = self.work(py, listener, threads, |options, context| {
            brickwork_cli::ask(&self.verb, options, context)
        })?;
        self.answered(py, answered)
    }

    /// What is found for it on portion `part`, from 1, of `of` of its images.
    #[pyo3(signature = (part, of, listener, threads))]
    fn partial(
        &self,
        py: Python<'_>,
        part: usize,
        of: usize,
        listener: Option<Py<PyAny>>,
        threads: Option<usize>,
    ) -> PyResult<Partial> {
        let portion: Portion = format!("{part}/{of}")
            .parse()
            .map_err(|why| failed(&Error::Options(format!("`{part}` of `{of}`: {why}").into())))?;
        let portion = Some(portion).filter(|portion| portion.of > 1);
        let partial = self.work(py, listener, threads, |options, context| {
            brickwork_cli::partial(&self.verb, options, portion, context)
        })?;
        Ok(Partial { partial })
    }

    /// Answers it from what was found on all of its images.
    #[pyo3(signature = (whole, threads))]
    fn finish(
        &self,
        py: Python<'_>,
        whole: PyRef<'_, Partial>,
        threads: Option<usize>,
    ) -> PyResult<Answered> {
        let whole = whole.partial.clone();
        let answered = self.work(py, None, threads, |options, context| {
            brickwork_cli::finish(&self.verb, options, whole, context)
        })?;
        self.answered(py, answered)
    }
}

impl Request {
    /// Does `work` in what surrounds all verbs here.
    fn work<T: Send>(
        &self,
        py: Python<'_>,
        listener: Option<Py<PyAny>>,
        threads: Option<usize>,
        work: impl FnOnce(Value, &Context<'_>) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        watched(py, listener.as_ref(), threads, |progress| {
            let (shelf, cache) = (brickwork_cli::UserBox::default(), brickwork_cli::asked_cache());
            let (shelf, memory) = (Some(&shelf as &dyn Shelf), Some(&self.memory));
            let (seed, cache) = (self.seed, cache.as_ref());
            let context = Context { progress, seed, memory, shelf, cache, ..Context::default() };
            work(self.options.clone(), &context)
        })
    }

    fn answered(&self, py: Python<'_>, answered: brickwork_cli::Answered) -> PyResult<Answered> {
        let brickwork_cli::Answered { json, text, html, .. } = answered;
        Ok(Answered { json: json.to_string(), text, html, made: self.made(py)? })
    }

    /// What was written in memory, as an object.
    fn made(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let name = self.options["output"].as_str();
        Ok(match name.and_then(|name| Some((stem(name), self.memory.take(name)?))) {
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
}

impl Thing<'_> {
    fn held(self) -> InMemory {
        match self {
            Self::Model(model) => InMemory::Model(model.classifier.clone().into()),
            Self::Images(images) => InMemory::Images(images.dataset.clone()),
            Self::Profile(profile) => InMemory::Profile(Arc::clone(&profile.profile)),
        }
    }
}

/// Plain data of its JSON.
fn read(json: &str) -> PyResult<Value> {
    serde_json::from_str(json).map_err(|error| failed(&Error::Options(error.to_string().into())))
}

/// What stands on a page called `title` about plain data, which is JSON.
#[pyfunction]
pub(crate) fn fields(title: &str, data: &str) -> PyResult<String> {
    Ok(brickwork::reports::fields_of(title, &read(data)?).body().into_string())
}

/// What stands on a page, as it can stand on somebody else's.
#[pyfunction]
pub(crate) fn within(html: &str) -> String {
    brickwork::show::within(html)
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
