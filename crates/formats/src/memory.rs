//! Memory that may not be there.

use thiserror::Error;

/// There is not as much memory as something takes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("needs {bytes} bytes of memory, which could not be had")]
pub struct NoMemory {
    /// What it takes.
    pub bytes: u128,
}

/// An empty list with room for `count` elements.
///
/// # Errors
/// If there is not as much memory.
pub fn room<T>(count: usize) -> Result<Vec<T>, NoMemory> {
    let mut list = Vec::new();
    let bytes = count as u128 * size_of::<T>() as u128;
    list.try_reserve_exact(count).map(|()| list).map_err(|_| NoMemory { bytes })
}

/// A list of what `elements` gives, `count` or fewer.
pub(crate) fn collected<T>(
    count: usize,
    elements: impl Iterator<Item = T>,
) -> Result<Vec<T>, NoMemory> {
    let mut list = room(count)?;
    list.extend(elements.take(count));
    Ok(list)
}
