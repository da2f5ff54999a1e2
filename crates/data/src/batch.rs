//! Samples to a tensor.

use brickwork_tensor::Tensor;
use rayon::prelude::*;

use crate::augment::Variation;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::preprocess::Preprocess;

impl Dataset {
    /// The samples at `indices`, decoded and prepared in parallel: `[n, c, h, w]`, row-major.
    /// The result does not depend on the number of threads.
    ///
    /// # Errors
    /// That of the first sample that fails, if `preprocess` is not valid, or if the batch does
    /// not fit into memory.
    pub fn batch(&self, indices: &[usize], preprocess: &Preprocess) -> Result<Tensor, DataError> {
        self.varied_batch(indices, preprocess, None)
    }

    /// [`Self::batch`], each sample varied as `variation` has it.
    pub(crate) fn varied_batch(
        &self,
        indices: &[usize],
        preprocess: &Preprocess,
        variation: Option<&Variation>,
    ) -> Result<Tensor, DataError> {
        preprocess.validate()?;
        let elements = preprocess.elements();
        let mut data = zeros(indices.len(), elements)?;
        let failed = data
            .par_chunks_exact_mut(elements)
            .zip(indices)
            .find_map_first(|(out, &index)| self.write(index, preprocess, variation, out).err());
        let [height, width] = preprocess.size;
        match failed {
            None => Ok(Tensor::new([indices.len(), preprocess.channels, height, width], data)),
            Some(error) => Err(error),
        }
    }

    fn write(
        &self,
        index: usize,
        preprocess: &Preprocess,
        variation: Option<&Variation>,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        preprocess.apply(&self.image(index)?, out).map_err(|source| DataError::Sample {
            place: self.place(index),
            source: Box::new(source),
        })?;
        if let Some(variation) = variation {
            variation.apply(self.origin(index), preprocess, out);
        }
        Ok(())
    }
}

fn zeros(count: usize, elements: usize) -> Result<Vec<f32>, DataError> {
    let refused = || DataError::Memory { count, elements };
    let total = count.checked_mul(elements).ok_or_else(refused)?;
    let mut data = Vec::new();
    data.try_reserve_exact(total).map_err(|_| refused())?;
    data.resize(total, 0.0);
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures::{self, counted};
    use crate::{ChannelOrder, Fit};

    #[test]
    fn batches_are_channels_first_in_the_order_asked_for() {
        let folder = fixtures::folder();
        let path = fixtures::arrays(&folder, &[4, 3, 2, 2], &counted(48), &[0, 1, 2, 1]);
        let data = Dataset::open(path, None).expect("opens");
        let mut preprocess = Preprocess::plain([2, 2], 3);
        preprocess.scale = Some(1.0);
        let batch = data.batch(&[2, 0], &preprocess).expect("batch");
        assert_eq!(batch.shape(), [2, 3, 2, 2]);
        let expected: Vec<f32> = (24..36).chain(0..12).map(|x| x as f32).collect();
        assert_eq!(batch.data(), expected);
        preprocess.order = ChannelOrder::Bgr;
        let swapped = data.batch(&[0], &preprocess).expect("batch");
        assert_eq!(swapped.data()[..4], [8.0, 9.0, 10.0, 11.0]);
        assert_eq!(data.batch(&[], &preprocess).expect("none").shape(), [0, 3, 2, 2]);
    }

    #[test]
    fn errors_name_the_sample() {
        let folder = fixtures::folder();
        let path = fixtures::arrays(&folder, &[4, 3, 2, 2], &counted(48), &[0, 1, 2, 1]);
        let data = Dataset::open(path, None).expect("opens").subset(&[3, 1]).expect("subset");
        let mut preprocess = Preprocess::plain([3, 2], 3);
        let error = data.batch(&[0, 1], &preprocess).expect_err("refused").to_string();
        assert!(error.starts_with("image 3 of set: the image is 2 by 2"), "{error}");
        assert!(error.contains("expected 3 by 2") && error.contains("cover"), "{error}");
        preprocess.fit = Fit::Cover;
        assert_eq!(data.batch(&[0, 1], &preprocess).expect("resized").shape(), [2, 3, 3, 2]);
        assert!(matches!(
            data.batch(&[0, 2], &preprocess),
            Err(DataError::Index { index: 2, count: 2, .. })
        ));
    }

    #[test]
    fn impossible_amounts_are_refused() {
        assert!(matches!(zeros(usize::MAX, 4), Err(DataError::Memory { .. })));
        assert!(matches!(zeros(usize::MAX / 8, 1), Err(DataError::Memory { .. })));
    }
}
