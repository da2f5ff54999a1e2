//! Learning rates over a training run, as a pure function of the step.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A learning rate for every step.
///
/// Steps count from 0 to below the `total` of the run; `per_epoch` of them make an epoch. With a
/// warm-up of `w` steps the rate is that of the curve times `(step + 1) / w` before step `w`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The largest rate, above 0.
    pub rate: f64,
    /// The length of the linear warm-up in epochs, at least 0.
    #[serde(default)]
    pub warmup: f64,
    /// What happens then.
    pub curve: Curve,
}

/// The course of a learning rate after the warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Curve {
    /// The same rate all the time.
    Constant,
    /// The rate times `gamma` for every milestone that has been reached.
    Step {
        /// Epochs from the start of the run, warm-up included.
        milestones: Vec<usize>,
        /// Usually below 1; above 0.
        gamma: f64,
    },
    /// With `x` the part of the steps after the warm-up that is over,
    /// `floor + (rate - floor) (1 + cos(pi x)) / 2` (Loshchilov and Hutter 2017, equation 5).
    Cosine {
        /// The rate the run ends short of, from 0 to `rate`.
        floor: f64,
    },
    /// One cycle (Smith and Topin 2018): linearly from `rate / start` to `rate`, then down to
    /// `rate / start / end` by half a cosine. Of `n` steps after the warm-up, the rate is largest
    /// at `peak = rise n - 1` and smallest at `n - 1`, as PyTorch's `OneCycleLR` has it; its
    /// strategies are the same in both phases, this is `linear` before the peak and `cos` after it.
    OneCycle {
        /// The part of the steps before the peak, from 0 to 1.
        rise: f64,
        /// The largest rate over the first, at least 1.
        start: f64,
        /// The first rate over the last, at least 1.
        end: f64,
    },
}

/// A schedule whose numbers make no sense.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("the schedule's {field} is {found}, expected {expected}")]
pub struct ScheduleError {
    /// Which number.
    pub field: &'static str,
    /// Its value.
    pub found: f64,
    /// The values that make sense.
    pub expected: &'static str,
}

impl Schedule {
    /// The same rate at every step.
    pub fn constant(rate: f64) -> Self {
        Self { rate, warmup: 0.0, curve: Curve::Constant }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// The first that makes no sense.
    pub fn validate(&self) -> Result<(), ScheduleError> {
        let check = |field, found: f64, fine: bool, expected| match fine && found.is_finite() {
            true => Ok(()),
            false => Err(ScheduleError { field, found, expected }),
        };
        let positive = "a finite number above 0";
        check("rate", self.rate, self.rate > 0.0, positive)?;
        check("warmup", self.warmup, self.warmup >= 0.0, "a finite number not below 0")?;
        match self.curve {
            Curve::Constant => Ok(()),
            Curve::Step { gamma, .. } => check("gamma", gamma, gamma > 0.0, positive),
            Curve::Cosine { floor } => {
                check("floor", floor, (0.0..=self.rate).contains(&floor), "from 0 to the rate")
            }
            Curve::OneCycle { rise, start, end } => {
                check("rise", rise, (0.0..=1.0).contains(&rise), "a number from 0 to 1")?;
                check("start", start, start >= 1.0, "a finite number not below 1")?;
                check("end", end, end >= 1.0, "a finite number not below 1")
            }
        }
    }

    /// The rate at `step` of a run of `total` steps, `per_epoch` to an epoch. Steps after the end
    /// have the last rate.
    pub fn at(&self, step: usize, total: usize, per_epoch: usize) -> f32 {
        let step = step.min(total.saturating_sub(1));
        let warm = (self.warmup * per_epoch as f64).round();
        let ramp = if warm > 0.0 { ((step + 1) as f64 / warm).min(1.0) } else { 1.0 };
        let after = (step as f64 - warm).max(0.0);
        let left = (total as f64 - warm).max(1.0);
        let rate = match &self.curve {
            Curve::Constant => self.rate,
            Curve::Step { milestones, gamma } => {
                let reached = milestones.iter().filter(|&&epoch| epoch * per_epoch <= step).count();
                self.rate * gamma.powf(reached as f64)
            }
            Curve::Cosine { floor } => half_cosine(self.rate, *floor, after / left),
            Curve::OneCycle { rise, start, end } => {
                let first = self.rate / start;
                let (peak, last) = ((rise * left - 1.0).max(0.0), left - 1.0);
                match after <= peak {
                    true if peak > 0.0 => first + (self.rate - first) * after / peak,
                    true => self.rate,
                    false => half_cosine(self.rate, first / end, (after - peak) / (last - peak)),
                }
            }
        };
        (ramp * rate) as f32
    }
}

/// From `high` at `x = 0` to `low` at 1.
fn half_cosine(high: f64, low: f64, x: f64) -> f64 {
    low + (high - low) * (1.0 + (PI * x).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, assert_close};
    use proptest::prelude::*;

    #[derive(Deserialize)]
    struct Course {
        schedule: Schedule,
        rates: Vec<f32>,
    }

    #[derive(Deserialize)]
    struct Fixture {
        total: usize,
        per_epoch: usize,
        schedules: Vec<Course>,
    }

    #[test]
    fn agrees_with_pytorch() {
        let Fixture { total, per_epoch, schedules } = fixture::read("schedules");
        assert!(schedules.len() > 1);
        for Course { schedule, rates } in schedules {
            schedule.validate().expect("valid");
            let found: Vec<f32> = (0..total).map(|k| schedule.at(k, total, per_epoch)).collect();
            assert_close(&found, &rates, 0.0);
        }
    }

    fn curve() -> impl Strategy<Value = Curve> {
        prop_oneof![
            Just(Curve::Constant),
            (prop::collection::vec(0_usize..5, 0..3), 0.1_f64..1.0)
                .prop_map(|(milestones, gamma)| Curve::Step { milestones, gamma }),
            (0.0_f64..0.5).prop_map(|floor| Curve::Cosine { floor }),
            (0.0_f64..=1.0, 1.0_f64..50.0, 1.0_f64..1e4)
                .prop_map(|(rise, start, end)| Curve::OneCycle { rise, start, end }),
        ]
    }

    proptest! {
        #[test]
        fn rates_stay_within_bounds_and_end_with_the_run(
            curve in curve(),
            warmup in 0.0_f64..3.0,
            total in 0_usize..40,
            per_epoch in 1_usize..9,
        ) {
            let schedule = Schedule { rate: 0.5, warmup, curve };
            schedule.validate().expect("valid");
            let at = |step| schedule.at(step, total, per_epoch);
            for step in 0..total {
                prop_assert!((0.0..=0.5).contains(&at(step)), "{} at {}", at(step), step);
            }
            prop_assert_eq!(at(total + 7), at(total.saturating_sub(1)));
        }

        #[test]
        fn a_warm_up_is_a_ramp(warmup in 1_usize..5, per_epoch in 1_usize..9) {
            let schedule = Schedule { warmup: warmup as f64, ..Schedule::constant(0.5) };
            let steps = warmup * per_epoch;
            for step in 0..2 * steps {
                let expected = 0.5 * ((step + 1) as f64 / steps as f64).min(1.0);
                prop_assert_eq!(schedule.at(step, 2 * steps, per_epoch), expected as f32);
            }
        }
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        let plain = |curve| Schedule { rate: 0.1, warmup: 0.0, curve };
        let cycle = |rise, start, end| plain(Curve::OneCycle { rise, start, end });
        let wrong = [
            ("rate", Schedule::constant(0.0)),
            ("rate", Schedule::constant(f64::INFINITY)),
            ("warmup", Schedule { warmup: f64::NAN, ..Schedule::constant(0.1) }),
            ("gamma", plain(Curve::Step { milestones: vec![1], gamma: 0.0 })),
            ("floor", plain(Curve::Cosine { floor: 0.2 })),
            ("rise", cycle(1.5, 25.0, 1e4)),
            ("start", cycle(0.3, 0.5, 1e4)),
            ("end", cycle(0.3, 25.0, f64::INFINITY)),
        ];
        for (field, schedule) in wrong {
            assert_eq!(schedule.validate().expect_err("refused").field, field);
        }
    }
}
