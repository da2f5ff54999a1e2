//! What a verb runs in: who is told how far it is and may stop it, how many threads it has, its seed.

use rayon::ThreadPoolBuilder;

use crate::model::error::Error;
use crate::model::progress::{Progress, Silent};

/// Surroundings of a verb. They never change what it gives, but for the seed.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Is told how far the work is, and may stop it.
    pub progress: &'a dyn Progress,
    /// Threads to use; those of the caller's pool if none are given.
    pub threads: Option<usize>,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for Context<'_> {
    /// Tells nobody, with the caller's threads and the seed 0.
    fn default() -> Self {
        Self { progress: &Silent, threads: None, seed: 0 }
    }
}

impl Context<'_> {
    /// Runs `work` on as many threads as are asked for.
    pub(super) fn install<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let Some(threads) = self.threads else { return work() };
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool =
            pool.map_err(|error| Error::options(format!("no {threads} threads: {error}")))?;
        pool.install(work)
    }
}
