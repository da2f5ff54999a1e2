//! The life of a run on disk: where it goes on from, and what it keeps after every epoch.

use std::path::PathBuf;
use std::time::Instant;

use brickwork_formats::write_atomically;

use super::checkpoint::Checkpoint;
use super::log;
use super::state::Epoch;
use super::trainer::{Outcome, Trainer};
use crate::model::error::Error;
use crate::model::progress::Progress;

/// The files of a run; those that are not named are not written.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunFiles {
    /// All that it takes to go on, until the run ends.
    pub(crate) checkpoint: Option<PathBuf>,
    /// Whether to go on from there.
    pub(crate) resume: bool,
    /// The figures of every epoch, as .csv or .json.
    pub(crate) log: Option<PathBuf>,
    /// Loss and accuracy as a picture.
    pub(crate) curve: Option<PathBuf>,
}

impl RunFiles {
    /// Runs to the end, and keeps the files up to date; `drawn` makes a picture of the figures of all epochs.
    ///
    /// # Errors
    /// If a file cannot be read or written, or training fails. [`Error::Stopped`], with the run kept,
    /// if `progress` stops it.
    pub(crate) fn run(
        &self,
        trainer: &mut Trainer<'_>,
        progress: &dyn Progress,
        drawn: fn(&[Epoch]) -> String,
    ) -> Result<Outcome, Error> {
        if let Some(path) = self.checkpoint.as_ref().filter(|_| self.resume) {
            trainer.resume(Checkpoint::load(path)?)?;
        }
        let images = trainer.material.train.dataset.len() as f64;
        // How long each epoch took that was not run before.
        let (mut seconds, mut started) = (Vec::new(), Instant::now());
        let outcome = trainer.run(progress, &mut |trainer| {
            let Some(epoch) = trainer.log().last() else { return Ok(()) };
            let took = std::mem::replace(&mut started, Instant::now()).elapsed().as_secs_f64();
            seconds.push((epoch.epoch, took));
            if let Some(path) = &self.checkpoint {
                trainer.checkpoint().save(path)?;
                progress.detail(&format!("checkpoint {}", path.display()));
            }
            progress.note(&words(epoch, took, images));
            if let Some(path) = &self.log {
                log::write(path, trainer.log(), &seconds, images)?;
            }
            let Some(path) = &self.curve else { return Ok(()) };
            Ok(write_atomically(path, drawn(trainer.log()).as_bytes())?)
        })?;
        match &outcome.stopped {
            Some(checkpoint) => Err(self.stopped(checkpoint, outcome.log.len() + 1)),
            None => Ok(outcome),
        }
    }

    /// Keeps a run that was stopped in an epoch; says so.
    fn stopped(&self, checkpoint: &Checkpoint, epoch: usize) -> Error {
        let Some(path) = &self.checkpoint else {
            return Error::stopped(format!(
                "stopped in epoch {epoch}; nothing is kept, since no `checkpoint=` is named"
            ));
        };
        checkpoint.save(path).err().unwrap_or_else(|| {
            Error::stopped(format!(
                "stopped in epoch {epoch}; the run is kept in {}, go on with `resume=`",
                path.display()
            ))
        })
    }

    /// Removes the checkpoint of a run that has ended, once its model is where it belongs.
    ///
    /// # Errors
    /// If it is there and stays.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        match self.checkpoint.as_ref().filter(|path| path.is_file()) {
            Some(path) => std::fs::remove_file(path)
                .map_err(|error| Error::file(format!("cannot remove {}: {error}", path.display()))),
            None => Ok(()),
        }
    }
}

fn words(epoch: &Epoch, seconds: f64, images: f64) -> String {
    let held = epoch.held.map_or_else(String::new, |held| {
        format!(", held out {:.4} / {}", held.loss, held.accuracy)
    });
    format!(
        "epoch {}: loss {:.4} / {}{held}, rate {:.5}, {:.0} images/s, {seconds:.1} s",
        epoch.epoch,
        epoch.train.loss,
        epoch.train.accuracy,
        epoch.rate,
        images / seconds
    )
}
