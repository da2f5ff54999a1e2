//! Images in memory.

use brickwork::Error;
use brickwork_data::{DataError, Dataset, ImageArray, Pixels};
use brickwork_tensor::Nd;
use pyo3::prelude::*;

use crate::failure::failed;
use crate::model::floats;

/// Images with their labels, copied from arrays once.
#[pyclass(frozen, module = "brickwork._native")]
pub(crate) struct Images {
    pub(crate) dataset: Dataset,
}

#[pymethods]
impl Images {
    /// Images of `shape`, in bytes of uint8 or float32 that are contiguous in row-major order, with labels in
    /// bytes of int64, and the names of the classes.
    #[new]
    #[pyo3(signature = (name, pixels, is_float, shape, channels_first, labels, classes))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        name: &str,
        pixels: &[u8],
        is_float: bool,
        shape: [usize; 4],
        channels_first: bool,
        labels: Option<(&[u8], Vec<usize>)>,
        classes: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let dataset = py.detach(|| {
            let pixels =
                if is_float { Pixels::F32(floats(pixels)) } else { Pixels::U8(pixels.to_vec()) };
            let images = ImageArray { shape, pixels, channels_first };
            let labels = labels.map(|(bytes, shape)| numbers(bytes, shape)).transpose()?;
            Dataset::of_arrays(name, images, labels.as_ref(), classes)
        });
        Ok(Self { dataset: dataset.map_err(|error| failed(&Error::Data(error)))? })
    }

    /// The same images as a part of a larger set of `count`, in which they stand at `places`.
    fn part_of(&self, places: Vec<usize>, count: usize) -> PyResult<Self> {
        let dataset = self.dataset.clone().part_of(places, count);
        Ok(Self { dataset: dataset.map_err(|error| failed(&Error::Data(error)))? })
    }

    fn __len__(&self) -> usize {
        self.dataset.len()
    }

    /// What they are called.
    #[getter]
    fn name(&self) -> &str {
        self.dataset.name()
    }

    /// The names of all classes.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.dataset.classes().to_vec()
    }

    /// The class of every image, by its place among the names.
    #[getter]
    fn labels(&self) -> Vec<usize> {
        self.dataset.labels().to_vec()
    }

    /// Number, size and classes in one line.
    fn describe(&self) -> String {
        self.dataset.describe()
    }
}

fn numbers(bytes: &[u8], shape: Vec<usize>) -> Result<Nd<i64>, DataError> {
    let read = |chunk: &[u8]| i64::from_le_bytes(std::array::from_fn(|k| chunk[k]));
    let numbers: Vec<i64> = bytes.chunks_exact(size_of::<i64>()).map(read).collect();
    if shape.iter().product::<usize>() != numbers.len() {
        let problem = format!("shape {shape:?} is not that of {} numbers", numbers.len());
        return Err(DataError::Malformed { place: "labels".to_owned(), problem });
    }
    Ok(Nd::new(shape, numbers))
}
