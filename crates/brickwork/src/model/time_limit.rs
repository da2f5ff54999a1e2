//! When long work is to be over.

use std::time::{Duration, Instant};

/// A moment from which on long work begins nothing new.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeLimit {
    end: Instant,
}

impl TimeLimit {
    /// So many minutes from now on; a year if they are more.
    pub fn minutes(minutes: f64) -> Self {
        let seconds = (minutes * 60.0).clamp(0.0, 3.2e7);
        Self { end: Instant::now() + Duration::from_secs_f64(seconds) }
    }

    /// How long it is until then.
    pub fn left(self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether it has come.
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }
}
