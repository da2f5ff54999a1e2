//! Threads to compute with: made when they are first needed, and anew in a process that was forked.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use brickwork::Error;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Bytes of a thread's stack.
const STACK: usize = 8 << 20;

/// A pool, and of which process it is.
struct Own {
    process: u32,
    threads: usize,
    pool: Arc<ThreadPool>,
}

static LAST: Mutex<Option<Own>> = Mutex::new(None);

/// Threads of this process, as many as are asked for, or one per core.
pub(crate) fn pool(threads: Option<usize>) -> Result<Arc<ThreadPool>, Error> {
    let (process, threads) = (process::id(), threads.unwrap_or(0));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(own) = last.as_ref()
        && own.process == process
        && own.threads == threads
    {
        return Ok(Arc::clone(&own.pool));
    }
    let made = ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK).build();
    let made =
        made.map_err(|error| Error::Options(format!("no {threads} threads: {error}").into()))?;
    let pool = Arc::new(made);
    let before = last.replace(Own { process, threads, pool: Arc::clone(&pool) });
    // A fork has no threads but one: those of its parent's pool cannot be waited for.
    if before.as_ref().is_some_and(|before| before.process != process) {
        std::mem::forget(before);
    }
    Ok(pool)
}
