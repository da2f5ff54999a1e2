//! What Ctrl-C does.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use brickwork::Error;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether the work was asked to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Called on a signal: asks the work to stop, and the second time ends the process without leaving
/// half-written files.
pub(crate) fn signal() {
    if !ASKED.swap(true, Ordering::SeqCst) {
        let _ =
            writeln!(std::io::stderr(), "\nstopping after this step; once more to stop at once");
        return;
    }
    brickwork_formats::abandon_writes();
    let _ = writeln!(std::io::stderr(), "\ninterrupted");
    std::process::exit(130);
}

/// Whether an error says no more than that the work was asked to stop.
pub(crate) fn stopped(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Stopped(_)))
}
