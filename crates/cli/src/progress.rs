//! Progress on stderr: a bar on a screen, plain lines elsewhere, nothing when quiet.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use brickwork::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use crate::hints::with_flags;
use crate::interrupt;
use crate::print::{Out, on_screen};

/// Work that takes longer says how far it is at every tenth.
const SHORT: Duration = Duration::from_secs(5);

/// Where nothing was said for so long, it is said how far the work is.
const SILENCE: Duration = Duration::from_secs(10);

/// Shows the phases of one command.
pub(crate) struct Shown<'a> {
    out: &'a Out,
    phase: Arc<Mutex<Option<Phase>>>,
    /// Ends the thread that breaks silences, where there is no bar.
    _end: Option<Sender<()>>,
}

struct Phase {
    name: String,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
    start: Instant,
    /// Tenths that were reported, where there is no bar.
    told: u64,
    /// When something was said last.
    spoken: Instant,
}

impl Phase {
    /// How far it is, how fast, and how long it will take.
    fn line(&self) -> String {
        let Self { name, total, done, start, .. } = self;
        let seconds = start.elapsed().as_secs_f64();
        if *done == 0 {
            return format!("{name}: 0/{total} ({seconds:.0} s so far)");
        }
        let left = total.saturating_sub(*done) as f64 * seconds / *done as f64;
        format!("{name}: {done}/{total} ({}, {left:.0} s left)", pace(*done as f64 / seconds))
    }
}

/// How fast work goes, of which `rate` is done in a second.
fn pace(rate: f64) -> String {
    if rate >= 1.0 { format!("{rate:.0}/s") } else { format!("{:.1} s each", 1.0 / rate) }
}

fn locked(phase: &Mutex<Option<Phase>>) -> MutexGuard<'_, Option<Phase>> {
    phase.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Shown<'a> {
    pub(crate) fn new(out: &'a Out) -> Self {
        let phase = Arc::default();
        let end = (out.talks() && !on_screen()).then(|| break_silences(Arc::clone(&phase)));
        Self { out, phase, _end: end }
    }

    fn phase(&self) -> MutexGuard<'_, Option<Phase>> {
        locked(&self.phase)
    }

    fn finish(&self) {
        if let Some(phase) = self.phase().take()
            && let Some(bar) = phase.bar
        {
            bar.finish_and_clear();
        }
    }
}

/// Says how far the work is whenever nothing was said for long, until what it gives is dropped.
fn break_silences(phase: Arc<Mutex<Option<Phase>>>) -> Sender<()> {
    let (end, ended) = channel();
    thread::spawn(move || {
        while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            let mut slot = locked(&phase);
            if let Some(phase) = slot.as_mut().filter(|phase| phase.spoken.elapsed() >= SILENCE) {
                phase.spoken = Instant::now();
                crate::print::talk(&phase.line());
            }
        }
    });
    end
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
            let style = ProgressStyle::with_template(
                "{msg} [{wide_bar}] {pos}/{len} {per_sec}, {elapsed} so far, {eta} left",
            );
            let bar = ProgressBar::new(total).with_message(phase.to_owned());
            let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        if bar.is_none() {
            self.out.note(&format!("{phase}: 0/{total}"));
        }
        let (name, now) = (phase.to_owned(), Instant::now());
        *self.phase() = Some(Phase { name, total, done: 0, bar, start: now, told: 0, spoken: now });
    }

    fn step(&self, done: u64) {
        let mut slot = self.phase();
        let Some(phase) = slot.as_mut() else { return };
        phase.done += done;
        if let Some(bar) = &phase.bar {
            return bar.inc(done);
        }
        let tenths = phase.done * 10 / phase.total.max(1);
        if tenths > phase.told && tenths < 10 && phase.start.elapsed() > SHORT {
            (phase.told, phase.spoken) = (tenths, Instant::now());
            self.out.note(&phase.line());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_work_tells_how_long_each_takes() {
        assert_eq!(pace(12.4), "12/s");
        assert_eq!(pace(0.25), "4.0 s each");
    }
}
