//! What Ctrl-C does.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

static GRACEFUL: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on the first interrupt only asks the work to stop.
pub(crate) fn stop_gracefully() {
    GRACEFUL.store(true, Ordering::SeqCst);
}

/// Whether the work was asked to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Called on a signal: asks the work to stop, or ends the process without leaving half-written files.
pub(crate) fn signal() {
    if GRACEFUL.load(Ordering::SeqCst) && !ASKED.swap(true, Ordering::SeqCst) {
        let _ =
            writeln!(std::io::stderr(), "\nstopping after this step; once more to stop at once");
        return;
    }
    brickwork_formats::abandon_writes();
    let _ = writeln!(std::io::stderr(), "\ninterrupted");
    std::process::exit(130);
}

/// The work stopped because it was asked to, having kept what it had.
#[derive(Debug)]
pub(crate) struct Stopped(pub(crate) String);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stopped {}
