//! What several threads share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a mutex holds, also where a thread panicked that had it: others go on with what is there.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
