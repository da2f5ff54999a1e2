//! Making a component smaller and smaller: score its channels, give up those that cost least for what
//! they save, refit, and again. Every stop on the way is a component.

use std::sync::Arc;
use std::time::Duration;

use brickwork_graph::Graph;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cut::kept_channels::{KeptMap, everything, within};
use crate::cut::plan::{Choice, Plan};
use crate::files::cache::Cache;
use crate::images::image_set::ImageSet;
use crate::measure::verify::recut;
use crate::model::card::{Card, Criterion, RefitNote};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::progress::Progress;
use crate::model::sizes::Unit;
use crate::refit::{Cut, CutRefit, RefitImages, RefitOptions, readout_size};
use crate::shrink::criterion::Ground;
use crate::shrink::memory::WalkMemory;
use crate::shrink::ranking::{CompressOptions, Ranking};

/// Images that a criterion looks at, at most.
const SCORED_BY: usize = 1024;

/// Numbers in them, at most.
const IMAGE_NUMBERS: usize = 1 << 26;

/// How to shrink.
#[derive(Clone, Debug)]
pub struct ShrinkOptions {
    /// What makes a channel worth keeping; not contributions, which are of a network that was
    /// profiled.
    pub criterion: Criterion,
    /// What every cut must keep to.
    pub rules: CompressOptions,
    /// What one step leaves, at least, of the size before it; in 0..1.
    pub step: f64,
    /// How to refit.
    pub refit: RefitOptions,
    /// Seed of random draws.
    pub seed: u64,
}

impl Default for ShrinkOptions {
    fn default() -> Self {
        Self {
            criterion: Criterion::Taylor,
            rules: CompressOptions { floor: 0.0, ..CompressOptions::default() },
            step: 0.7,
            refit: RefitOptions::default(),
            seed: 0,
        }
    }
}

/// A component on its way down.
pub struct Shrink<'a> {
    source: &'a Classifier,
    /// The source's head for the task, and everything below it.
    whole: Classifier,
    plan: Plan,
    images: Option<RefitImages>,
    options: ShrinkOptions,
    /// What there is now, and which of the whole's channels it keeps.
    current: Arc<Graph>,
    kept: KeptMap,
    checked: f32,
    note: Option<RefitNote>,
    memory: Option<WalkMemory<'a>>,
}

/// What is told of a network on the way: what it keeps, how far its cut was from the mask, and its refit.
type Told = (KeptMap, f32, Option<RefitNote>);

impl<'a> Shrink<'a> {
    /// Starts with all channels of `source` and its head for `classes`. Scores and refits judge by
    /// preprocessed images `[n, c, h, w]` of these classes, and need no labels; nothing is refitted
    /// without images, or if the rules say so.
    ///
    /// # Errors
    /// If the head cannot be cut to the classes.
    pub fn new(
        source: &'a Classifier,
        classes: &[usize],
        images: Option<&ImageSet>,
        options: ShrinkOptions,
    ) -> Result<Self, Error> {
        let plan = Plan::new(source, classes, &Choice::Everything, 1)?;
        let mut whole = plan.component(source, &Choice::Everything, options.seed)?;
        whole.name.clone_from(&source.name);
        let checked = whole.card().origin.as_ref().map_or(0.0, |origin| origin.checked);
        let kept = everything(&plan.kept);
        let current = whole.graph().clone();
        let images = images.map(|images| RefitImages::new(images, options.seed));
        let (note, memory) = (None, None);
        Ok(Self { source, whole, plan, images, options, current, kept, checked, note, memory })
    }

    /// The same walk, whose results are kept in `cache` and taken from there.
    ///
    /// # Errors
    /// If an image is gone.
    pub fn keeping(mut self, cache: Option<&'a Cache>) -> Result<Self, Error> {
        let Some(cache) = cache else { return Ok(self) };
        let images = self.images.as_ref().map(|images| images.all.digest()).transpose()?;
        let ShrinkOptions { criterion, rules, refit, seed, .. } = &self.options;
        let refit = RefitOptions { until: None, ..*refit };
        let ground = format!(
            "{} {} {:?} {images:?} {criterion:?} {rules:?} {refit:?} {seed}",
            self.source.fingerprint(),
            self.source.batch_size(),
            self.plan.classes,
        );
        self.memory = Some(WalkMemory::new(cache, &ground));
        Ok(self)
    }

    /// The size now.
    pub fn size(&self) -> u64 {
        self.options.rules.unit.of(&self.current)
    }

    /// What a component of the channels that there are now must leave of a budget: its readout's size, if the
    /// options ask for one.
    pub fn reserve(&self) -> u64 {
        if !self.options.refit.readout {
            return 0;
        }
        let [macs, parameters] = readout_size(&self.current);
        match &self.options.rules.unit {
            Unit::Macs => macs,
            Unit::Parameters => parameters,
            // Next to none, and no table tells of it.
            Unit::Time(_) => 0,
        }
    }

    /// Whether an image may be of several classes.
    fn apart(&self) -> bool {
        self.whole.head() == HeadKind::Multilabel
    }

    /// The source restricted to the classes.
    pub fn whole(&self) -> &Classifier {
        &self.whole
    }

    /// The size after the next step towards `budget`.
    pub fn next_limit(&self, budget: u64) -> u64 {
        budget.max((self.size() as f64 * self.options.step) as u64)
    }

    /// [`next_limit`](Self::next_limit), but where steps that take as long as the `last` would take more than half of the
    /// time that is left, they are fewer and larger: the other half is for the refit to the end.
    pub(crate) fn next_limit_in_time(&self, budget: u64, last: Option<Duration>) -> u64 {
        let usual = self.next_limit(budget);
        let Some((until, last)) = self.options.refit.until.zip(last) else { return usual };
        let few = (until.left() / 2).as_secs_f64() / last.as_secs_f64().max(1e-3);
        let few = few.max(1.0).floor();
        if self.steps_to(budget) as f64 <= few {
            return usual;
        }
        let whole = self.size() as f64;
        let share = (budget as f64 / whole).powf(1.0 / few);
        usual.min((whole * share) as u64).max(budget)
    }

    /// How many steps there are to `budget`, if none goes further than it must.
    pub fn steps_to(&self, budget: u64) -> usize {
        let (mut size, mut steps) = (self.size(), 0);
        while size > budget {
            size = budget.max((size as f64 * self.options.step) as u64);
            steps += 1;
        }
        steps
    }

    /// Refuses a budget that no choice of channels reaches.
    ///
    /// # Errors
    /// If the smallest cut exceeds it.
    pub fn check(&self, budget: u64) -> Result<(), Error> {
        let unit = &self.options.rules.unit;
        self.in_any_order(|ranking| ranking.within(unit, budget).map(drop))
    }

    /// The size of the smallest cut.
    ///
    /// # Errors
    /// If the model's scores do not lie along an axis.
    pub fn least(&self) -> Result<u64, Error> {
        let unit = &self.options.rules.unit;
        self.in_any_order(|ranking| Ok(ranking.size(unit, &ranking.keep(0))))
    }

    /// What a ranking of the whole in any order says, which does for the smallest cut.
    fn in_any_order<T>(
        &self,
        say: impl FnOnce(&Ranking<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let ground = Ground::new(&self.whole, None, None, self.options.seed)?;
        say(&Ranking::new(&ground, Criterion::Random, &self.options.rules)?)
    }

    /// Gives up channels until the size is at most `limit`, and refits.
    ///
    /// # Errors
    /// If the size cannot be reached, the criterion lacks something, or a network cannot run.
    pub fn step(&mut self, limit: u64, progress: &dyn Progress) -> Result<(), Error> {
        if self.size() <= limit {
            return Ok(());
        }
        let work = || self.given_up(limit, progress);
        let (graph, told) =
            self.remembered(&format!("step to {limit}"), &self.current, progress, work)?;
        (self.kept, self.checked, self.note) = told;
        self.current = Arc::new(graph);
        Ok(())
    }

    /// What comes of this `work` on `graph`, or what was kept of it. What was cut short for want of time is not kept.
    fn remembered<T: Serialize + DeserializeOwned>(
        &self,
        work_name: &str,
        graph: &Graph,
        progress: &dyn Progress,
        work: impl FnOnce() -> Result<(Graph, T), Error>,
    ) -> Result<(Graph, T), Error> {
        let whole = || !self.options.refit.is_late();
        match &self.memory {
            Some(memory) => memory.or(work_name, graph, progress, work, whole),
            None => work(),
        }
    }

    /// The network of at most this size that a step gives.
    fn given_up(&self, limit: u64, progress: &dyn Progress) -> Result<(Graph, Told), Error> {
        // Its card tells of the whole task, not of what is left of it.
        let card = Card { origin: None, ..self.whole.card().clone() };
        let now = Classifier::described(&self.whole.name, self.current.clone(), card)?;
        let looks = |images: &RefitImages| {
            let most = SCORED_BY.min(IMAGE_NUMBERS / now.input().iter().product::<usize>().max(1));
            images.fitted.evenly(most).load()
        };
        let some = self.images.as_ref().map(looks).transpose()?;
        let ground = Ground::new(&now, None, some.as_ref(), self.options.seed)?.watched(progress);
        let rules = &self.options.rules;
        let ranking = Ranking::new(&ground, self.options.criterion, rules)?;
        let choice = Choice::Given(ranking.kept(&ranking.fitting(&rules.unit, limit)?));
        let classes: Vec<usize> = (0..now.class_count()).collect();
        let plan = Plan::new(&now, &classes, &choice, 1)?;
        let (graph, checked) = plan.cut(&now, self.options.seed)?;
        let kept = within(&self.kept, &plan.kept);
        let checked = self.checked.max(checked);
        let Some(images) = self.images.as_ref().filter(|_| rules.refits) else {
            return Ok((graph, (kept, checked, None)));
        };
        let (source, size) = (self.whole.graph(), self.whole.batch_size());
        let graph = Arc::new(graph);
        let cut =
            Cut { source, graph: &graph, kept: &kept, classes: &classes, apart: self.apart() };
        let refit = CutRefit::new(&cut, images, size, &self.options.refit, progress);
        let (better, note) = refit.on_the_way()?;
        Ok((Arc::unwrap_or_clone(better), (kept, checked, Some(note))))
    }

    /// A `component` of this walk, refitted to the end: what does best on images that took no part of its layers as
    /// they are and as the bare cut has them, moved towards the source's scores by all passes, with its readout, if there
    /// is to be one. `None` if it was not refitted.
    ///
    /// # Errors
    /// If a network cannot run.
    pub fn finished(
        &self,
        component: &Classifier,
        progress: &dyn Progress,
    ) -> Result<Option<Classifier>, Error> {
        let mut card = component.card().clone();
        let Some((origin, images)) = card.origin.as_mut().zip(self.images.as_ref()) else {
            return Ok(None);
        };
        let Some(note) = &mut origin.refit else { return Ok(None) };
        let bare = recut(self.source, component)?;
        let (source, graph) = (self.source.graph(), bare.graph());
        let (kept, classes) = (&origin.kept, &origin.classes);
        let cut = Cut { source, graph, kept, classes, apart: self.apart() };
        let (options, size) = (&self.options.refit, self.whole.batch_size());
        let refit = CutRefit::new(&cut, images, size, options, progress);
        let work = || {
            let mut note = note.clone();
            Ok((refit.finish(component.graph().clone(), &mut note)?, note))
        };
        let (graph, finished) =
            self.remembered("refit to the end", component.graph(), progress, work)?;
        *note = finished;
        Classifier::described(&component.name, graph, card).map(Some)
    }

    /// What there is now, as a component of the source.
    ///
    /// # Errors
    /// If the graph breaks an invariant, which would be a bug.
    pub fn component(&self) -> Result<Classifier, Error> {
        let mut card: Card = self.plan.card(self.source, &Choice::Everything, self.checked);
        if let Some(origin) = &mut card.origin {
            origin.kept = within(&self.plan.kept, &self.kept);
            origin.criterion = Some(self.options.criterion);
            origin.refit.clone_from(&self.note);
        }
        Classifier::described("component", self.current.clone(), card)
    }
}
