//! How long work tells the caller where it stands. The library itself prints nothing.

/// Receives the progress of one verb: phases one after the other, each with a known number of steps.
pub trait Progress {
    /// A phase begins; `total` counts what [`step`](Self::step) will add up to.
    fn begin(&self, phase: &str, total: u64);
    /// `done` more are done.
    fn step(&self, done: u64);
    /// Something the user should know, in a sentence.
    fn note(&self, text: &str);
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn step(&self, _: u64) {}
    fn note(&self, _: &str) {}
}
