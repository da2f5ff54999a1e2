//! Batches that are decoded ahead.

use std::panic;
use std::slice::Chunks;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use brickwork_tensor::Tensor;

use crate::augment::{Augment, Variation};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::preprocess::Preprocess;

/// Goes through samples a batch at a time, decoding the next batches while the caller works.
///
/// Yields the indices of each batch with its `[n, c, h, w]` tensor, or why it failed; batches
/// after a failed one still come. The last batch may be smaller. Made by [`Dataset::batches`]
/// and [`Dataset::augmented_batches`].
pub struct Batches<'a> {
    indices: Chunks<'a, usize>,
    ready: Receiver<Result<Tensor, DataError>>,
    worker: Option<JoinHandle<()>>,
}

impl Dataset {
    /// The samples at `indices` in batches of `batch_size`, in that order.
    ///
    /// # Errors
    /// If an index is too large, `batch_size` is 0 or `preprocess` is not valid, or if there is
    /// no thread to be had.
    pub fn batches<'a>(
        &self,
        indices: &'a [usize],
        batch_size: usize,
        preprocess: &Preprocess,
    ) -> Result<Batches<'a>, DataError> {
        self.ahead(indices, batch_size, preprocess, None)
    }

    /// [`Self::batches`], each sample varied at random as `augment` has it, anew in every epoch.
    /// How a sample varies depends on `seed`, `epoch` and its [`Self::origin`] alone; its place in
    /// `indices` does not matter.
    ///
    /// # Errors
    /// As [`Self::batches`], or if `augment` would leave nothing of a sample.
    pub fn augmented_batches<'a>(
        &self,
        indices: &'a [usize],
        batch_size: usize,
        preprocess: &Preprocess,
        augment: &Augment,
        seed: u64,
        epoch: u64,
    ) -> Result<Batches<'a>, DataError> {
        augment.validate(preprocess)?;
        let variation = Variation { augment: *augment, seed, epoch };
        self.ahead(indices, batch_size, preprocess, Some(variation))
    }

    fn ahead<'a>(
        &self,
        indices: &'a [usize],
        batch_size: usize,
        preprocess: &Preprocess,
        variation: Option<Variation>,
    ) -> Result<Batches<'a>, DataError> {
        self.check_indices(indices)?;
        preprocess.validate()?;
        if batch_size == 0 {
            let problem = "the batch size is 0, at least 1 is needed".to_owned();
            return Err(DataError::Preprocess { problem });
        }
        let (dataset, preprocess, own) = (self.clone(), preprocess.clone(), indices.to_vec());
        let (sender, ready) = sync_channel(1);
        let work = move || {
            for batch in own.chunks(batch_size) {
                let tensor = dataset.varied_batch(batch, &preprocess, variation.as_ref());
                if sender.send(tensor).is_err() {
                    return;
                }
            }
        };
        let worker = Builder::new()
            .name("brickwork-data".to_owned())
            .spawn(work)
            .map_err(|source| DataError::Thread { source })?;
        Ok(Batches { indices: indices.chunks(batch_size), ready, worker: Some(worker) })
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<(&'a [usize], Tensor), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let indices = self.indices.next()?;
        match self.wait() {
            Some(batch) => Some(batch.map(|tensor| (indices, tensor))),
            None => self.give_up(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

impl ExactSizeIterator for Batches<'_> {}

/// How long to sleep when there is neither a batch nor work.
const PAUSE: Duration = Duration::from_micros(200);

impl Batches<'_> {
    /// The next batch, or nothing if the worker is gone. A thread of the pool helps decoding
    /// meanwhile: if it only slept, a pool of one would never get there.
    fn wait(&self) -> Option<Result<Tensor, DataError>> {
        loop {
            match self.ready.try_recv() {
                Ok(batch) => return Some(batch),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => match rayon::yield_now() {
                    Some(rayon::Yield::Executed) => {}
                    Some(rayon::Yield::Idle) => match self.ready.recv_timeout(PAUSE) {
                        Ok(batch) => return Some(batch),
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return None,
                    },
                    None => return self.ready.recv().ok(),
                },
            }
        }
    }

    /// The worker ends early only by a panic, which becomes the caller's.
    fn give_up<T>(&mut self) -> Option<T> {
        if let Some(Err(cause)) = self.worker.take().map(JoinHandle::join) {
            panic::resume_unwind(cause);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures::{self, counted};

    fn opened(folder: &tempfile::TempDir) -> Dataset {
        let path = fixtures::arrays(folder, &[7, 1, 2, 2], &counted(28), &[0, 1, 0, 1, 0, 1, 0]);
        Dataset::open(path, None).expect("opens")
    }

    #[test]
    fn every_batch_comes_in_order() {
        let folder = fixtures::folder();
        let data = opened(&folder);
        let preprocess = Preprocess::plain([2, 2], 1);
        let indices = [6, 5, 4, 3, 2, 1, 0];
        let batches = data.batches(&indices, 3, &preprocess).expect("starts");
        assert_eq!(batches.len(), 3);
        let all: Vec<_> = batches.map(|batch| batch.expect("decodes")).collect();
        let parts: Vec<&[usize]> = all.iter().map(|(indices, _)| *indices).collect();
        assert_eq!(parts, [&[6, 5, 4][..], &[3, 2, 1], &[0]]);
        for (indices, tensor) in &all {
            assert_eq!(*tensor, data.batch(indices, &preprocess).expect("batch"));
        }
    }

    #[test]
    fn samples_vary_alike_in_any_order_and_anew_in_every_epoch() {
        let folder = fixtures::folder();
        let path = fixtures::arrays(&folder, &[9, 1, 6, 6], &[9; 9 * 36], &[0; 9]);
        let data = Dataset::open(path, None).expect("opens");
        let preprocess = Preprocess::plain([6, 6], 1);
        let augment = Augment { pad_crop: Some(4), flip: true, cutout: Some(2) };
        let of = |data: &Dataset, indices: &[usize], size: usize, epoch: u64| {
            let mut samples: Vec<(usize, Vec<f32>)> = Vec::new();
            for batch in data
                .augmented_batches(indices, size, &preprocess, &augment, 5, epoch)
                .expect("starts")
            {
                let (indices, tensor) = batch.expect("decodes");
                let rows = tensor.data().chunks(36).map(<[f32]>::to_vec);
                samples.extend(indices.iter().map(|&k| data.origin(k)).zip(rows));
            }
            samples.sort_by_key(|(origin, _)| *origin);
            samples
        };
        let first = of(&data, &[0, 1, 2, 3, 4, 5, 6, 7, 8], 4, 0);
        assert_eq!(first, of(&data, &[8, 3, 0, 1, 7, 5, 4, 6, 2], 2, 0));
        let part = data.subset(&[6, 2]).expect("subset");
        assert_eq!(of(&part, &[0, 1], 1, 0), [first[2].clone(), first[6].clone()]);
        assert_ne!(first, of(&data, &[0, 1, 2, 3, 4, 5, 6, 7, 8], 4, 1));
        let huge = Augment { pad_crop: Some(6), ..augment };
        assert!(data.augmented_batches(&[0], 1, &preprocess, &huge, 5, 0).is_err());
    }

    #[test]
    fn errors_are_yielded_and_the_rest_still_comes() {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["cat/a.png", "cat/b.png", "dog/c.png"]);
        std::fs::write(path.join("cat/b.png"), b"no image").expect("spoilt");
        let data = Dataset::open(&path, None).expect("opens");
        let batches = data.batches(&[0, 1, 2], 1, &Preprocess::plain([4, 4], 3)).expect("starts");
        let fine: Vec<bool> = batches.map(|batch| batch.is_ok()).collect();
        assert_eq!(fine, [true, false, true]);
    }

    #[test]
    fn bad_requests_fail_at_once_and_dropping_early_is_fine() {
        let folder = fixtures::folder();
        let data = opened(&folder);
        let preprocess = Preprocess::plain([2, 2], 1);
        assert!(data.batches(&[7], 1, &preprocess).is_err());
        assert!(data.batches(&[0], 0, &preprocess).is_err());
        assert!(data.batches(&[0], 1, &Preprocess::plain([0, 2], 1)).is_err());
        let mut batches = data.batches(&[0, 1, 2, 3, 4], 1, &preprocess).expect("starts");
        assert!(batches.next().is_some());
        drop(batches);
    }
}
