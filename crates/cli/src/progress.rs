//! Progress on stderr: a bar on a screen, plain lines elsewhere, nothing when quiet.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use brickwork::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use crate::hints::with_flags;
use crate::interrupt;
use crate::print::{Out, on_screen};

/// Shows the phases of one command.
pub(crate) struct Shown<'a> {
    out: &'a Out,
    phase: Mutex<Option<Phase>>,
}

struct Phase {
    name: String,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
    start: Instant,
    /// Tenths that were reported, where there is no bar.
    told: u64,
}

impl<'a> Shown<'a> {
    pub(crate) fn new(out: &'a Out) -> Self {
        Self { out, phase: Mutex::new(None) }
    }

    fn phase(&self) -> MutexGuard<'_, Option<Phase>> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        if let Some(phase) = self.phase().take()
            && let Some(bar) = phase.bar
        {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Progress for Shown<'_> {
    fn begin(&self, phase: &str, total: u64) {
        self.finish();
        if !self.out.talks() {
            return;
        }
        let bar = on_screen().then(|| {
            let bar = ProgressBar::new(total).with_message(phase.to_owned());
            let style = ProgressStyle::with_template(
                "{msg} [{wide_bar}] {pos}/{len} {per_sec}, {eta} left",
            );
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        if bar.is_none() {
            self.out.note(&format!("{phase}: 0/{total}"));
        }
        let (name, start) = (phase.to_owned(), Instant::now());
        *self.phase() = Some(Phase { name, total, done: 0, bar, start, told: 0 });
    }

    fn step(&self, done: u64) {
        let mut slot = self.phase();
        let Some(phase) = slot.as_mut() else { return };
        phase.done += done;
        match &phase.bar {
            Some(bar) => bar.inc(done),
            None => {
                // Every tenth, for work that takes longer than a few seconds.
                let tenths = phase.done * 10 / phase.total.max(1);
                let seconds = phase.start.elapsed().as_secs_f64();
                if tenths > phase.told && tenths < 10 && seconds > 5.0 {
                    phase.told = tenths;
                    let rate = phase.done as f64 / seconds;
                    let left = phase.total.saturating_sub(phase.done) as f64 / rate;
                    self.out.note(&format!(
                        "{}: {}/{} ({rate:.0}/s, {left:.0} s left)",
                        phase.name, phase.done, phase.total
                    ));
                }
            }
        }
    }

    fn note(&self, text: &str) {
        let text = &with_flags(text);
        match self.phase().as_ref().and_then(|phase| phase.bar.as_ref()) {
            Some(bar) => bar.suspend(|| self.out.note(text)),
            None => self.out.note(text),
        }
    }

    fn detail(&self, text: &str) {
        if self.out.is_verbose() {
            self.note(text);
        }
    }

    fn stopped(&self) -> bool {
        interrupt::asked()
    }
}
