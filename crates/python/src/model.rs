//! Models in memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use brickwork::verbs::{Context, InMemory, Memory, ModelInput, PixelInput, Shelf, layers_to_refit};
use brickwork::{Classifier, Error, HeadOptions, Scorer};
use brickwork_formats::onnx::ReadOptions;
use brickwork_formats::write_atomically;
use brickwork_tensor::Tensor;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};
use serde::Deserialize;

use crate::failure::failed;
use crate::pool::pool;

/// A model that was read.
#[pyclass(frozen, module = "brickwork._native")]
pub(crate) struct Model {
    pub(crate) classifier: Classifier,
    /// The bytes of its file, if a verb wrote it.
    file: Option<Arc<[u8]>>,
    /// What computes its scores, as far as nobody is using it.
    scorers: Mutex<Vec<Scorer>>,
}

/// What may be said of a model beside its file.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    #[serde(flatten)]
    model: ModelInput,
    #[serde(flatten)]
    pixels: PixelInput,
}

#[pymethods]
impl Model {
    /// Reads the file that `said` names, or `bytes` in its place.
    #[staticmethod]
    fn load(py: Python<'_>, said: &str, bytes: Option<&[u8]>) -> PyResult<Self> {
        let read = || {
            let Said { mut model, pixels } = serde_json::from_str(said)
                .map_err(|error| Error::Options(error.to_string().into()))?;
            let memory = Memory::default();
            if let Some(bytes) = bytes {
                let name = PathBuf::from(format!("memory:{}", model.model.display()));
                memory.put(name.clone(), InMemory::File(bytes.into()));
                model.model = name;
            }
            let (shelf, memory) = (brickwork_cli::UserBox::default(), Some(&memory));
            let shelf = Some(&shelf as &dyn Shelf);
            model.load(&pixels, &Context { memory, shelf, ..Context::default() })
        };
        let classifier: Result<Classifier, Error> = py.detach(read);
        Ok(Self::new(classifier.map_err(|error| failed(&error))?))
    }

    /// The bytes of its file.
    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        if let Some(file) = &self.file {
            return Ok(PyBytes::new(py, file));
        }
        let bytes = py.detach(|| self.classifier.encode()).map_err(|error| failed(&error))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Writes its file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let save = || match &self.file {
            Some(file) => Ok(write_atomically(&path, file)?),
            None => self.classifier.save(&path),
        };
        py.detach(save).map_err(|error| failed(&error))
    }

    /// The same model, called otherwise.
    fn called(&self, name: String) -> Self {
        let mut classifier = self.classifier.clone();
        classifier.name = name;
        Self { file: self.file.clone(), ..Self::new(classifier) }
    }

    /// What it is called: a file's name without its ending.
    #[getter]
    fn name(&self) -> &str {
        &self.classifier.name
    }

    /// Channels, height and width of its input.
    #[getter]
    fn input(&self) -> [usize; 3] {
        self.classifier.input()
    }

    /// The names of its classes.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.classifier.class_names()
    }

    /// What it says of itself, as JSON.
    fn card(&self) -> PyResult<String> {
        serde_json::to_string(self.classifier.card())
            .map_err(|error| failed(&Error::File(error.to_string().into())))
    }

    /// What tells its network from others.
    fn fingerprint(&self, py: Python<'_>) -> String {
        py.detach(|| self.classifier.fingerprint())
    }

    /// The layers of this component that lost anything of `source`, in order.
    fn layers_to_refit(&self, py: Python<'_>, source: &Self) -> PyResult<Vec<String>> {
        let found = py.detach(|| layers_to_refit(&source.classifier, &self.classifier));
        found.map_err(|error| failed(&error))
    }

    /// Scores `[n, k]` of prepared images `[n, c, h, w]`, both as bytes of contiguous float32.
    fn run<'py>(
        &self,
        py: Python<'py>,
        images: &[u8],
        count: usize,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let pool = pool(threads).map_err(|error| failed(&error))?;
        let [channels, height, width] = self.classifier.input();
        let (each, step) =
            (size_of::<f32>() * channels * height * width, self.classifier.batch_size());
        if images.len() != count * each {
            let why = format!("{} bytes are not {count} images of {each} bytes", images.len());
            return Err(failed(&Error::Options(why.into())));
        }
        let mut scorer = self.taken();
        let mut scores =
            Vec::with_capacity(count * self.classifier.class_count() * size_of::<f32>());
        for batch in images.chunks(step * each) {
            py.check_signals()?;
            let shape = [batch.len() / each, channels, height, width];
            let found =
                py.detach(|| pool.install(|| scorer.logits(&Tensor::new(shape, floats(batch)))));
            let found = found.map_err(|error| failed(&error))?;
            scores.extend(found.data().iter().flat_map(|score| score.to_le_bytes()));
        }
        self.scorers.lock().unwrap_or_else(PoisonError::into_inner).push(scorer);
        Ok(PyByteArray::new(py, &scores))
    }
}

impl Model {
    pub(crate) fn new(classifier: Classifier) -> Self {
        Self { classifier, file: None, scorers: Mutex::default() }
    }

    /// The model that was written as these bytes.
    ///
    /// # Errors
    /// If they are none.
    pub(crate) fn written(name: &str, bytes: Arc<[u8]>) -> Result<Self, Error> {
        let (reading, head) = (ReadOptions::default(), HeadOptions::default());
        let classifier = Classifier::decode_as(name, &bytes, &reading, None, &head)?;
        Ok(Self { file: Some(bytes), ..Self::new(classifier) })
    }

    /// Something that computes scores, which nobody else is using.
    fn taken(&self) -> Scorer {
        let free = self.scorers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| self.classifier.scorer())
    }
}

/// Numbers from their bytes.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    let read = |chunk: &[u8]| f32::from_le_bytes(std::array::from_fn(|k| chunk[k]));
    bytes.chunks_exact(size_of::<f32>()).map(read).collect()
}
