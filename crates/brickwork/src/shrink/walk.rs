//! The way down: from the whole task to ever smaller components, measured on the way, and the one of
//! them that is asked for.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use crate::measure::held_out::{HeldOut, Measure};
use crate::measure::latency::latency_ms;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::percent::Percent;
use crate::model::progress::Progress;
use crate::shrink::step::Shrink;

/// Where a walk without a size to reach ends: at this share.
const END: f64 = 0.05;

/// What a step towards a time leaves, at most.
const LESS: f64 = 0.98;

/// After so many steps in a row that lost too much, a walk ends.
const PATIENCE: usize = 2;

/// What is asked for of a walk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Goal {
    /// The size to reach, in the unit of the walk.
    pub size: Option<u64>,
    /// Points of held-out accuracy that may be lost, against the whole.
    pub max_drop: Option<f64>,
    /// Milliseconds that one image may take.
    pub latency_ms: Option<f64>,
    /// The share of the whole's multiply-accumulates that may be left.
    pub share: Option<f64>,
}

/// One component on the way.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Point {
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Learned parameters.
    pub params: u64,
    /// Share of the held-out images that are classified correctly, or their mean average precision where an image may
    /// be of several classes, if any were held out.
    pub accuracy: Option<Percent>,
    /// Milliseconds that one image takes, if they are asked for.
    pub latency_ms: Option<f64>,
}

/// A walk, and all components that it came to.
pub struct Walk<'a> {
    shrink: Shrink<'a>,
    held: Option<&'a HeldOut>,
    goal: Goal,
    progress: &'a dyn Progress,
    /// How many steps there will be, at most where it is not a size that is asked for.
    steps: usize,
    /// How long the last one took.
    last: Option<Duration>,
    /// Sizes and accuracies, the largest first.
    pub points: Vec<Point>,
    /// The components, one for every point.
    pub components: Vec<Classifier>,
}

impl<'a> Walk<'a> {
    /// Before the first step.
    pub fn new(
        shrink: Shrink<'a>,
        held: Option<&'a HeldOut>,
        goal: Goal,
        progress: &'a dyn Progress,
    ) -> Self {
        let (points, components) = Default::default();
        Self { shrink, held, goal, progress, steps: 0, last: None, points, components }
    }

    /// Goes down to the size that is asked for, or as far as it makes sense.
    ///
    /// # Errors
    /// If the size cannot be reached, or a network cannot run.
    pub fn down(&mut self) -> Result<(), Error> {
        let end = self.goal.size;
        end.map_or(Ok(()), |end| self.shrink.check(end))?;
        let limit = end.unwrap_or((self.shrink.size() as f64 * END) as u64);
        self.measure()?;
        let least = self.goal.latency_ms.map(|_| self.shrink.least()).transpose()?;
        let left = |shrink: &Shrink<'_>| limit.saturating_sub(shrink.reserve());
        self.steps = self.shrink.steps_to(left(&self.shrink));
        while self.shrink.size() > left(&self.shrink) && !self.has_enough() {
            let next = match least.and_then(|least| self.aim(least)) {
                Some(aim) if aim >= self.shrink.size() => break,
                Some(aim) => self.shrink.next_limit_in_time(aim, self.last),
                None => self.shrink.next_limit_in_time(left(&self.shrink), self.last),
            };
            let begun = Instant::now();
            match self.shrink.step(next, self.progress) {
                // There is nothing left to give up.
                Err(Error::TooSmall(_)) if end.is_none() && self.points.len() > 1 => break,
                other => other?,
            }
            self.last = Some(begun.elapsed());
            self.measure()?;
        }
        Ok(())
    }

    /// The size at which a time that is measured will be what is asked for, if time follows size as it does now, but no less
    /// than the `least` that can be reached.
    fn aim(&self, least: u64) -> Option<u64> {
        let (asked, now) = self.goal.latency_ms.zip(self.points.last()?.latency_ms)?;
        Some(((self.shrink.size() as f64 * (asked / now).min(LESS)) as u64).max(least))
    }

    /// Refits to the end all components, or the one that is asked for alone; gives its place.
    ///
    /// # Errors
    /// If none is as asked for, or a network cannot run.
    pub fn finish(&mut self, all: bool) -> Result<usize, Error> {
        if all {
            (0..self.points.len()).try_for_each(|place| self.refine(place))?;
            return self.chosen();
        }
        let mut chosen = self.chosen()?;
        self.refine(chosen)?;
        // What lost too much on the way may do once it is refitted to the end.
        while self.goal.max_drop.is_some() && chosen + 1 < self.points.len() {
            self.refine(chosen + 1)?;
            if !self.fits(&self.points[chosen + 1]) {
                break;
            }
            chosen += 1;
        }
        Ok(chosen)
    }

    /// Refits a component to the end, unless it then no longer fits where it did.
    fn refine(&mut self, place: usize) -> Result<(), Error> {
        let finished = self.shrink.finished(&self.components[place], self.progress)?;
        let Some(component) = finished else { return Ok(()) };
        let before = &self.points[place];
        let after = if self.shrink.reserve() > 0 {
            self.point(&component)?
        } else {
            Point { accuracy: self.accuracy(&component)?, ..before.clone() }
        };
        self.note("refitted to the end", &after);
        if self.fits(&after) || !self.fits(before) {
            self.points[place] = after;
            self.components[place] = component;
        }
        Ok(())
    }

    /// Records what there is now.
    fn measure(&mut self) -> Result<(), Error> {
        let component = self.shrink.component()?;
        let point = self.point(&component)?;
        self.note(&self.place(), &point);
        self.points.push(point);
        self.components.push(component);
        Ok(())
    }

    fn point(&self, component: &Classifier) -> Result<Point, Error> {
        let latency = self.goal.latency_ms.map(|_| latency_ms(component));
        Ok(Point {
            macs: component.graph().macs(),
            params: component.graph().parameters() as u64,
            accuracy: self.accuracy(component)?,
            latency_ms: latency.transpose()?,
        })
    }

    fn accuracy(&self, component: &Classifier) -> Result<Option<Percent>, Error> {
        self.held.map(|held| held.accuracy(component, self.progress)).transpose()
    }

    /// Which step of how many the next point is of.
    fn place(&self) -> String {
        let about = if self.goal.size.is_some() { "" } else { "at most " };
        let Some(last) = self.last else { return "all channels".to_owned() };
        let (step, all) = (self.points.len(), self.steps.max(self.points.len()));
        match (last * (all - step) as u32).as_secs() {
            0 => format!("step {step} of {about}{all}"),
            left => format!("step {step} of {about}{all}, {left} s for the others"),
        }
    }

    fn note(&self, place: &str, point: &Point) {
        let measure = Measure::of(self.shrink.whole()).name();
        let found = point.accuracy.map_or(String::new(), |a| format!(", {measure} {a}"));
        let share = 100.0 * self.share(point);
        self.progress.note(&format!("{place}: {share:.1} % of the MACs{found}"));
        self.progress.found("frontier", serde_json::to_value(point).unwrap_or_default());
    }

    /// Of the multiply-accumulates of the whole task.
    fn share(&self, point: &Point) -> f64 {
        let whole = self.points.first().unwrap_or(point).macs;
        point.macs as f64 / whole.max(1) as f64
    }

    /// Points of accuracy that are lost.
    fn drop_of(&self, point: &Point) -> f64 {
        let whole = self.points.first().and_then(|first| first.accuracy);
        whole.unwrap_or_default().points_above(point.accuracy.unwrap_or_default())
    }

    fn fits(&self, point: &Point) -> bool {
        let Goal { max_drop, latency_ms, share, .. } = self.goal;
        let quick = |most: f64| point.latency_ms.is_some_and(|time| time <= most);
        max_drop.is_none_or(|points| self.drop_of(point) <= points + 1e-9)
            && latency_ms.is_none_or(quick)
            && share.is_none_or(|share| self.share(point) <= share + 1e-9)
    }

    /// Whether going on cannot give what is asked for.
    fn has_enough(&self) -> bool {
        if self.goal.latency_ms.is_some() {
            return self.points.iter().any(|point| self.fits(point));
        }
        let last = self.points.iter().rev().take(PATIENCE);
        self.goal.max_drop.is_some()
            && self.points.len() > PATIENCE
            && last.into_iter().all(|point| !self.fits(point))
    }

    /// The place of the component that is asked for.
    fn chosen(&self) -> Result<usize, Error> {
        let mut fitting = (0..self.points.len()).filter(|&k| self.fits(&self.points[k]));
        // Sizes fall: the smallest is the last, the largest the first.
        let found = match self.goal.latency_ms.is_some() || self.goal.share.is_some() {
            true => fitting.next(),
            false => fitting.next_back(),
        };
        found.ok_or_else(|| {
            let last = self.points.last();
            let share = last.map_or(100.0, |point| 100.0 * self.share(point));
            let time = last.and_then(|point| point.latency_ms);
            let time = time.map_or(String::new(), |ms| format!(" and {ms:.2} ms"));
            Error::too_small(format!(
                "no step fits; the smallest has {share:.1} % of the MACs{time}: ask for more"
            ))
        })
    }
}
