//! What all pages share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use brickwork_formats::write_atomically;

use crate::failure::StudioError;
use crate::folder;
use crate::jobs::Jobs;
use crate::lock::held;
use crate::plate::Plate;
use crate::shelf::Shelf;
use crate::store::Store;

/// What all pages share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) plate: Arc<Mutex<Plate>>,
    pub(crate) store: Store,
    /// The folder of the user's own box, which need not be there yet.
    pub(crate) user_box: Option<PathBuf>,
    pub(crate) samples: &'static [(&'static str, &'static [u8])],
}

impl App {
    /// What lies on the baseplate.
    pub(crate) fn plate(&self) -> MutexGuard<'_, Plate> {
        held(&self.plate)
    }
}

/// Writes the samples into the folder, but nothing over what is there.
///
/// # Errors
/// If one cannot be written.
pub(crate) fn unpack(samples: &[(&str, &[u8])]) -> Result<(), StudioError> {
    for (path, bytes) in samples.iter().filter(|(path, _)| folder::stamp(path).is_none()) {
        if let Some((above, _)) = path.rsplit_once('/') {
            std::fs::create_dir_all(above)
                .map_err(|error| StudioError::Place { place: above.to_owned(), error })?;
        }
        write_atomically(path.as_ref(), bytes).map_err(brickwork::Error::from)?;
    }
    Ok(())
}
