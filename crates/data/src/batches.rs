//! Batches that are decoded ahead.

use std::panic;
use std::slice::Chunks;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use brickwork_tensor::Tensor;

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::preprocess::Preprocess;

/// Goes through samples a batch at a time, decoding the next batches while the caller works.
///
/// Yields the indices of each batch with its `[n, c, h, w]` tensor, or why it failed; batches
/// after a failed one still come. The last batch may be smaller. Made by [`Dataset::batches`].
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
                if sender.send(dataset.batch(batch, &preprocess)).is_err() {
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
