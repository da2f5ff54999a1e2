//! How long work tells the caller where it stands, and how the caller stops it. The library itself
//! prints nothing.

use serde_json::Value;

use crate::model::error::Error;

/// Receives the progress of one verb: phases one after the other, each with a known number of steps.
pub trait Progress: Sync {
    /// A phase begins; `total` counts what [`step`](Self::step) will add up to.
    fn begin(&self, phase: &str, total: u64);
    /// `done` more are done.
    fn step(&self, done: u64);
    /// Something the user should know, in a sentence.
    fn note(&self, text: &str);
    /// Something that only those want to know who ask for more.
    fn detail(&self, text: &str) {
        let _ = text;
    }
    /// An interim result, as data, for whoever shows how the work goes on: `name` says what it is, the verb's answer
    /// has it in the end.
    fn found(&self, name: &str, value: Value) {
        let _ = (name, value);
    }
    /// Whether the work is to stop. Asked after every batch.
    fn stopped(&self) -> bool {
        false
    }
}

impl dyn Progress + '_ {
    /// `done` more are done.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the work is to stop.
    pub fn advance(&self, done: u64) -> Result<(), Error> {
        self.step(done);
        if self.stopped() { Err(Error::stopped("stopped")) } else { Ok(()) }
    }
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn step(&self, _: u64) {}
    fn note(&self, _: &str) {}
}
