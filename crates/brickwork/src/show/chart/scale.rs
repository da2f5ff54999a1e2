//! From values to places on an axis.

use crate::show::words::tenths;

/// An axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// Where it begins, if not at the smallest value.
    pub low: Option<f64>,
    /// Where it ends, if not at the largest value.
    pub high: Option<f64>,
    /// Whether it is of percent, which are never below 0 or above 100.
    pub percent: bool,
    /// Whether it counts something, so that nothing lies between 1 and 2.
    pub counts: bool,
}

impl Axis {
    /// From the smallest value to the largest.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), ..Self::default() }
    }

    /// Of counts, from the smallest value to the largest.
    pub fn counting(label: &str) -> Self {
        Self { counts: true, ..Self::new(label) }
    }

    /// Of percent, from the smallest value to the largest.
    pub fn percent(label: &str) -> Self {
        Self { percent: true, ..Self::new(label) }
    }

    /// From `low` to `high`.
    pub fn between(self, low: f64, high: f64) -> Self {
        Self { low: Some(low), high: Some(high), ..self }
    }
}

/// About so many numbers stand at an axis.
const TICKS: f64 = 5.0;

/// A straight way from values to places.
pub(super) struct Scale {
    low: f64,
    high: f64,
    ends: [f64; 2],
    /// Numbers along it are at least this far apart.
    least_step: f64,
}

/// A number at an axis.
pub(super) struct Tick {
    /// Where it stands.
    pub(super) place: f64,
    /// The same, as it is written.
    pub(super) at: String,
    /// The number.
    pub(super) words: String,
}

impl Scale {
    /// A scale for these values; one that no value bounds goes a little beyond them.
    pub(super) fn of(axis: &Axis, values: impl Iterator<Item = f64>, ends: [f64; 2]) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let (least, most) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        let [least, most] = if least > most { [0.0, 1.0] } else { [least, most] };
        let room = ((most - least) * 0.06).max(most.abs().max(1e-9) * 1e-2);
        let [least, most] = match axis.percent {
            true => [(least - room).max(0.0), (most + room).min(100.0)],
            false => [least - room, most + room],
        };
        let (low, high) = (axis.low.unwrap_or(least), axis.high.unwrap_or(most));
        let least_step = if axis.counts { 1.0 } else { 0.0 };
        Self { low, high: if high > low { high } else { low + 1.0 }, ends, least_step }
    }

    /// Where a value lies.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.ends[0] + share * (self.ends[1] - self.ends[0])
    }

    /// The same, as it is written.
    pub(super) fn at(&self, value: f64) -> String {
        tenths(self.place(value))
    }

    /// Round numbers along it.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let step = round_step(((self.high - self.low) / TICKS).max(self.least_step));
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let first = (self.low / step - 1e-9).ceil();
        let count = ((self.high / step + 1e-9).floor() - first).clamp(0.0, 20.0) as usize;
        let tick = |k: usize| {
            let value = (first + k as f64) * step;
            // No minus before nothing.
            let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
            let words = format!("{value:.decimals$}");
            Tick { place: self.place(value), at: self.at(value), words }
        };
        (0..=count).map(tick).collect()
    }
}

/// 1, 2 or 5 times a power of ten, not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1e-12).log10().floor());
    let fits = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= least * (1.0 - 1e-9));
    fits.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(low: f64, high: f64) -> Vec<String> {
        let axis = Axis::new("x").between(low, high);
        let scale = Scale::of(&axis, std::iter::empty(), [0.0, 100.0]);
        scale.ticks().into_iter().map(|tick| tick.words).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(words(0.0, 100.0), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(words(93.2, 94.1), ["93.2", "93.4", "93.6", "93.8", "94.0"]);
        assert_eq!(words(-0.1, 0.1).first().map(String::as_str), Some("-0.10"));
        assert!(words(-0.1, 0.1).contains(&"0.00".to_owned()));
    }

    #[test]
    fn counts_are_whole() {
        let scale = Scale::of(&Axis::counting("epoch"), [1.0, 3.0].into_iter(), [0.0, 100.0]);
        let told: Vec<String> = scale.ticks().into_iter().map(|tick| tick.words).collect();
        assert_eq!(told, ["1", "2", "3"]);
    }

    #[test]
    fn percent_end_at_a_hundred() {
        let scale = Scale::of(&Axis::percent("x"), [100.0, 96.0].into_iter(), [0.0, 100.0]);
        assert_eq!(scale.at(100.0), "100");
        assert_eq!(scale.ticks().last().map(|tick| tick.words.clone()), Some("100".to_owned()));
    }

    #[test]
    fn one_value_has_room_around_it() {
        let scale = Scale::of(&Axis::new("x"), [7.0].into_iter(), [0.0, 100.0]);
        assert!((scale.place(7.0) - 50.0).abs() < 1e-6);
    }
}
