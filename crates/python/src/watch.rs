//! Long work beside the interpreter: who asked hears of it and can stop it, and others run meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use brickwork::{Error, Progress};
use pyo3::prelude::*;

use crate::failure::failed;
use crate::pool::pool;

/// How long signals may wait.
const PATIENCE: Duration = Duration::from_millis(40);

/// What a listener is told.
enum Event {
    Begin(String, u64),
    Step(u64),
    Note(String),
    Detail(String),
}

/// What happened since the listener was told, and whether the work is to stop.
#[derive(Default)]
struct Watch {
    events: Mutex<Vec<Event>>,
    stop: AtomicBool,
}

impl Watch {
    fn add(&self, event: Event) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        match (events.last_mut(), event) {
            (Some(Event::Step(sum)), Event::Step(more)) => *sum += more,
            (_, event) => events.push(event),
        }
    }

    /// Lets the interpreter look at signals, and tells the listener what happened.
    fn tell(&self, py: Python<'_>, listener: Option<&Py<PyAny>>) -> PyResult<()> {
        py.check_signals()?;
        let events =
            std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(listener) = listener else { return Ok(()) };
        for event in events {
            match event {
                Event::Begin(phase, total) => listener.call_method1(py, "begin", (phase, total))?,
                Event::Step(done) => listener.call_method1(py, "step", (done,))?,
                Event::Note(text) => listener.call_method1(py, "note", (text,))?,
                Event::Detail(text) => listener.call_method1(py, "detail", (text,))?,
            };
        }
        Ok(())
    }
}

impl Progress for Watch {
    fn begin(&self, phase: &str, total: u64) {
        self.add(Event::Begin(phase.to_owned(), total));
    }

    fn step(&self, done: u64) {
        self.add(Event::Step(done));
    }

    fn note(&self, text: &str) {
        self.add(Event::Note(text.to_owned()));
    }

    fn detail(&self, text: &str) {
        self.add(Event::Detail(text.to_owned()));
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Does `work` on `threads` threads, or one per core, without the interpreter's lock. The listener is told of its
/// progress in the caller's thread; an exception there, or of a signal, stops the work and is raised.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    listener: Option<&Py<PyAny>>,
    threads: Option<usize>,
    work: impl FnOnce(&dyn Progress) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let pool = pool(threads).map_err(|error| failed(&error))?;
    let watch = Watch::default();
    let (result, raised) = py.detach(|| {
        thread::scope(|scope| {
            let (end, ended) = mpsc::channel::<()>();
            let worker = scope.spawn(|| {
                let _end = end;
                pool.install(|| work(&watch))
            });
            let mut raised = None;
            loop {
                let waited = ended.recv_timeout(PATIENCE);
                if let Err(error) = Python::attach(|py| watch.tell(py, listener)) {
                    watch.stop.store(true, Ordering::SeqCst);
                    raised.get_or_insert(error);
                }
                if waited != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            (worker.join(), raised)
        })
    });
    if let Some(error) = raised {
        return Err(error);
    }
    match result {
        Ok(result) => result.map_err(|error| failed(&error)),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
