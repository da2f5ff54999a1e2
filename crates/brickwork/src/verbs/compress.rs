//! Making a model smaller without giving up a class.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brickwork_data::{Preprocess, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::holding::Holding;
use super::inputs::{self, Labelled};
use super::{Budget, Context, DataInput, HoldOut, ModelInput, Share, Verb};
use crate::cut::kept_channels::KeptMap;
use crate::images::account::DataAccount;
use crate::images::image_set::ImageSet;
use crate::images::select::Sampling;
use crate::images::source::Source;
use crate::measure::held_out::{HeldOut, Measure};
use crate::model::card::Criterion;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::percent::Percent;
use crate::model::sizes::Unit;
use crate::model::time_limit::TimeLimit;
use crate::refit::RefitOptions;
use crate::relevance::profile::{Profile, ProfileOptions, profile};
use crate::shrink::criterion::Ground;
use crate::shrink::ranking::{CompressOptions, Ranking, Variant, Widths, smallest_share, variant};
use crate::shrink::step::{Shrink, ShrinkOptions};
use crate::shrink::walk::{Goal, Walk};

/// Samples of every class behind a profile that is made on the way.
const PROFILED: usize = 50;

/// Make a model smaller without giving up a class
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Compress {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Keep this many multiply-accumulates, or this share of them
    pub macs: Option<Budget>,
    /// Keep this many parameters, or this share of them
    pub params: Option<Budget>,
    /// Keep the smallest that costs at most this many points of accuracy on images held out of the
    /// training split
    pub max_drop: Option<f64>,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// Where to write the smaller model
    pub output: Option<PathBuf>,
    /// What makes a channel worth keeping: that the scores would move without it (taylor), that its
    /// contributions tell the classes apart (contribution), or a baseline
    pub criterion: Criterion,
    /// What a step leaves of the size before it; contribution takes one step
    pub step: Share,
    /// The model's profile, for the criterion contribution [default: made from the data]
    pub profile: Option<PathBuf>,
    /// Cut by every criterion to the same size, and compare
    pub compare: bool,
    /// Write every model that is made, bare and refitted, into this folder
    pub keep_all: Option<PathBuf>,
    /// Leave the kept weights as they are
    pub no_refit: bool,
    /// Images per class to refit on, chosen at random from the training split
    pub refit_samples: u32,
    /// Take about so many minutes: larger steps and fewer passes of the refit where time is short, so that what is made
    /// depends on the machine
    pub minutes: Option<f64>,
    /// Images held out of the training split to measure accuracy on: a percentage, a count per class,
    /// or none (then nothing is measured)
    pub hold_out: HoldOut,
    /// Measure on this part of the data instead, all of it: images that the model was not trained on tell better what is
    /// lost
    pub hold_out_split: Option<Split>,
    /// Give up the same share of every layer, not what is worth least in the whole model
    pub uniform: bool,
    /// Share of its channels that every layer keeps at least
    pub floor: Share,
    /// Keep a multiple of this many channels in every group [default: 8 where so many are kept, which runtimes are fast with]
    pub round_to: Option<u16>,
}

impl Default for Compress {
    fn default() -> Self {
        Self {
            model: ModelInput::default(),
            macs: None,
            params: None,
            max_drop: None,
            data: DataInput::default(),
            output: None,
            criterion: Criterion::Taylor,
            step: Share(0.7),
            profile: None,
            compare: false,
            keep_all: None,
            no_refit: false,
            refit_samples: 200,
            minutes: None,
            hold_out: HoldOut::Share(0.1),
            hold_out_split: None,
            uniform: false,
            floor: Share(0.05),
            round_to: None,
        }
    }
}

/// Smaller models.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CompressAnswer {
    /// Where the model was written.
    pub output: Option<PathBuf>,
    /// The folder in which all models were written.
    pub kept_all: Option<PathBuf>,
    /// The criterion that was asked for.
    pub criterion: Criterion,
    /// The size that was reached.
    pub budget: Reached,
    /// Images that were held out to measure on.
    pub held_out: Option<usize>,
    /// The part of the data that they are, if not some of the training images.
    pub held_out_split: Option<Split>,
    /// What their accuracy is the number of.
    pub measure: Option<Measure>,
    /// Images that were refitted on.
    pub refit_images: Option<usize>,
    /// What the data holds of the model's classes, if any is given.
    pub data: Option<DataAccount>,
    /// The model as it was.
    pub source: SourceSize,
    /// One model for every criterion that was tried.
    pub models: Vec<Compressed>,
    /// Criteria that cannot judge this model.
    pub skipped: Vec<Skipped>,
    /// The model of the criterion that was asked for.
    #[serde(skip)]
    pub model: Classifier,
}

/// A size that was to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reached {
    /// What is counted.
    pub unit: &'static str,
    /// How many of them.
    pub limit: u64,
}

/// The model as it was.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SourceSize {
    /// What it is called.
    pub name: String,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Its accuracy on the held-out images, if any were held out.
    pub accuracy: Option<Percent>,
}

/// One smaller model.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Compressed {
    /// What made a channel worth keeping.
    pub criterion: Criterion,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Accuracy of the bare cut on the held-out images.
    pub accuracy_before_refit: Option<Percent>,
    /// The same after the refit.
    pub accuracy_after_refit: Option<Percent>,
    /// The channels it keeps, by layer.
    pub kept: KeptMap,
}

/// A criterion that cannot judge this model.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Skipped {
    /// Which.
    pub criterion: Criterion,
    /// Why not.
    pub reason: String,
}

impl Verb for Compress {
    type Answer = CompressAnswer;

    const NAME: &'static str = "compress";

    fn problems(&self) -> Vec<Problem> {
        let sizes = [self.macs.is_some(), self.params.is_some(), self.max_drop.is_some()];
        let sizes = sizes.into_iter().filter(|given| *given).count();
        let name = self.criterion.name();
        let useless = format!("`profile=` says nothing to the criterion {name}");
        let found = [
            self.missing_data(),
            Problem::unless(sizes == 1, "macs", "pass one size: `macs=`, `params=` or `max_drop=`"),
            Problem::unless(
                self.output.is_some() || self.compare,
                "output",
                "nothing is to be written: pass `output=`, or `compare=`",
            ),
            Problem::unless(
                self.max_drop.is_none() || self.holding().any(),
                "hold_out",
                "`max_drop=` needs images to measure on; leave `hold_out=none` out",
            ),
            Problem::unless(
                self.max_drop.is_none_or(|points| (0.0..=100.0).contains(&points)),
                "max_drop",
                "`max_drop=` must be points of accuracy from 0 to 100, such as 1.0",
            ),
            Problem::unless(self.profile.is_none() || self.profiles(), "profile", &useless),
            Problem::unless(
                self.step.0 < 0.995,
                "step",
                "`step=` must be a share from 0% (all in one step) to 99%",
            ),
            Problem::unless(
                self.refit_samples > 0,
                "refit_samples",
                "`refit_samples=` must be at least 1",
            ),
            Problem::unless(
                self.minutes.is_none_or(|minutes| minutes > 0.0),
                "minutes",
                "`minutes=` must be more than 0",
            ),
            Problem::unless(self.round_to != Some(0), "round_to", "`round_to=` must be at least 1"),
            self.holding().problem(),
            inputs::unwritable_folder("keep_all", self.keep_all.as_ref()),
        ];
        let files = self.output.iter().map(|path| ("output", path));
        found.into_iter().flatten().chain(inputs::unwritable(files)).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<CompressAnswer, Error> {
        let job = Job::prepare(self, context)?;
        let source = job.accuracy(&job.model)?;
        let chosen = job.chosen(source)?;
        let limit = match (self.macs, self.params) {
            (None, None) => Unit::Macs.of(chosen.variant.best().graph()),
            _ => job.limit()?,
        };
        let (mut made, mut skipped) = (Vec::new(), Vec::new());
        let others = Criterion::ALL.into_iter().filter(|_| self.compare);
        for criterion in others.filter(|&criterion| criterion != self.criterion) {
            match job.unable(criterion)? {
                Some(reason) => skipped.push(Skipped { criterion, reason }),
                None => made.push(job.made(criterion, limit)?),
            }
        }
        made.push(chosen);
        let place = |made: &Made| Criterion::ALL.iter().position(|one| *one == made.criterion);
        made.sort_by_key(place);
        job.answer(made, skipped, limit, source)
    }
}

impl Compress {
    /// Whether a profile is needed.
    fn profiles(&self) -> bool {
        self.compare || self.criterion == Criterion::Contribution
    }

    /// That no images are given, where something needs them.
    fn missing_data(&self) -> Option<Problem> {
        let reasons = [
            (!self.no_refit, "the refit, which is on by default (`no_refit=`)"),
            (self.profiles() && self.profile.is_none(), "contributions (or pass `profile=`)"),
            (self.criterion.needs_images(), "this criterion"),
            (self.max_drop.is_some(), "`max_drop=`"),
            (self.compare, "`compare=`"),
        ];
        let reasons: Vec<&str> =
            reasons.iter().filter(|(needed, _)| *needed).map(|(_, what)| *what).collect();
        let missing = self.data.is_empty() && !reasons.is_empty();
        let message = format!("pass `data=`, which is needed for {}", reasons.join(", "));
        Problem::unless(!missing, "data", &message)
    }

    fn holding(&self) -> Holding<'_> {
        Holding { data: &self.data, amount: self.hold_out, split: self.hold_out_split }
    }

    fn unit(&self) -> Unit {
        if self.params.is_some() { Unit::Parameters } else { Unit::Macs }
    }

    fn rules(&self) -> CompressOptions {
        CompressOptions {
            floor: self.floor.0,
            uniform: self.uniform,
            widths: Widths::of(self.round_to),
            refits: !self.no_refit,
            unit: self.unit(),
            trunk: 0,
        }
    }
}

/// What every cut is made from.
struct Job<'a> {
    request: &'a Compress,
    context: &'a Context<'a>,
    until: Option<TimeLimit>,
    model: Classifier,
    held: Option<HeldOut>,
    profile: Option<Arc<Profile>>,
    images: Option<ImageSet>,
    account: Option<DataAccount>,
}

/// One smaller model and what it is worth.
struct Made {
    criterion: Criterion,
    variant: Variant,
    /// Accuracy before and after the refit.
    accuracy: [Option<Percent>; 2],
}

impl<'a> Job<'a> {
    fn prepare(request: &'a Compress, context: &'a Context<'a>) -> Result<Self, Error> {
        let until = request.minutes.map(TimeLimit::minutes);
        let mut model = request.model.load(&request.data.pixels, context)?;
        for (budget, unit) in [(request.macs, Unit::Macs), (request.params, Unit::Parameters)] {
            budget.map(|budget| budget.of(unit.of(model.graph()), &unit)).transpose()?;
        }
        let profile = request.profile.as_deref().map(|path| context.profile(path)).transpose()?;
        if let Some(profile) = &profile {
            profile.check_model(&model)?;
            model = model.with_classes(profile.header.classes.clone())?;
        }
        let mut job = Self {
            request,
            context,
            until,
            model,
            held: None,
            profile,
            images: None,
            account: None,
        };
        if let Some(reason) = job.unable(request.criterion)? {
            return Err(Error::model(reason));
        }
        if !request.data.is_empty() {
            job.look_at_data()?;
        }
        Ok(job)
    }

    fn look_at_data(&mut self) -> Result<(), Error> {
        let (request, context) = (self.request, self.context);
        let Labelled { sources, present, account, .. } =
            request.data.whole_or_answered(&mut self.model, None, Split::Train, context)?;
        self.account = Some(account);
        let preprocess = match &self.profile {
            Some(profile) => profile.header.preprocess.clone(),
            None => request.data.pixels.preprocess(&self.model)?,
        };
        request.data.pixels.question(&sources, &preprocess, context)?;
        self.model = inputs::described(&self.model, &preprocess)?;
        let whole = (&self.model, None);
        let (rest, held) = request.holding().split(sources, whole, &preprocess, context)?;
        self.held = held;
        if request.profiles() && self.profile.is_none() {
            self.profile = Some(Arc::new(self.profiled(&present, &preprocess, &rest)?));
        }
        if !request.no_refit || request.compare || request.criterion.needs_images() {
            let asked = present.iter().map(|&class| (class, request.refit_samples as usize));
            let wanted: Vec<(usize, usize)> = asked.collect();
            self.images = Some(ImageSet::random(&rest, &wanted, context.seed, &preprocess)?);
        }
        Ok(())
    }

    fn classes(&self) -> impl Iterator<Item = usize> {
        0..self.model.class_count()
    }

    fn profiled(
        &self,
        classes: &[usize],
        preprocess: &Preprocess,
        sources: &[Source],
    ) -> Result<Profile, Error> {
        let (classes, sampling) = (classes.to_vec(), Sampling::Count(PROFILED));
        let options = ProfileOptions { classes, sampling, given: None };
        profile(&self.model, preprocess, sources, &options, self.context.progress)
    }

    /// Accuracy on the images held out.
    fn accuracy(&self, model: &Classifier) -> Result<Option<Percent>, Error> {
        self.held.as_ref().map(|held| held.accuracy(model, self.context.progress)).transpose()
    }

    /// Why a criterion cannot judge the model, if it judges by the model alone.
    fn unable(&self, criterion: Criterion) -> Result<Option<String>, Error> {
        if criterion.needs_images() || criterion == Criterion::Contribution {
            return Ok(None);
        }
        match criterion.scores(&Ground::new(&self.model, None, None, self.context.seed)?) {
            Err(Error::Model(why)) => Ok(Some(why.message)),
            other => other.map(|_| None),
        }
    }

    /// The size to keep.
    fn limit(&self) -> Result<u64, Error> {
        let unit = self.request.unit();
        let whole = unit.of(self.model.graph());
        let budget = self.request.macs.or(self.request.params);
        budget.map_or(Ok(whole), |budget| budget.of(whole, &unit))
    }

    /// The model by the criterion that is asked for.
    fn chosen(&self, source: Option<Percent>) -> Result<Made, Error> {
        let criterion = self.request.criterion;
        let Some(points) = self.request.max_drop else {
            return self.made(criterion, self.limit()?);
        };
        match criterion {
            Criterion::Contribution => {
                let whole = source.unwrap_or_default();
                self.measured(criterion, self.smallest_at_once(whole, points)?)
            }
            _ => {
                let goal = Goal { max_drop: Some(points), ..Goal::default() };
                self.measured(criterion, self.stepwise(criterion, goal, self.held.as_ref())?)
            }
        }
    }

    /// The model by some criterion, of a size.
    fn made(&self, criterion: Criterion, limit: u64) -> Result<Made, Error> {
        let variant = match criterion {
            Criterion::Contribution => self.at_once(limit)?,
            _ => {
                let goal = Goal { size: Some(limit), ..Goal::default() };
                self.stepwise(criterion, goal, None)?
            }
        };
        self.measured(criterion, variant)
    }

    fn measured(&self, criterion: Criterion, variant: Variant) -> Result<Made, Error> {
        let refitted = variant.refitted.as_ref();
        let after = refitted.map(|model| self.accuracy(model)).transpose()?.flatten();
        Ok(Made { criterion, accuracy: [self.accuracy(&variant.bare)?, after], variant })
    }

    /// The smallest cut by contributions that costs few enough points.
    fn smallest_at_once(&self, whole: Percent, points: f64) -> Result<Variant, Error> {
        let macs = Unit::Macs.of(self.model.graph());
        let part = |percent: u64| (u128::from(macs) * u128::from(percent) / 100) as u64;
        let ground = self.ground()?;
        let ranking = Ranking::new(&ground, Criterion::Contribution, &self.request.rules())?;
        let least = ranking.size(&Unit::Macs, &ranking.keep(0));
        let least = (1..100).find(|&percent| part(percent) >= least).unwrap_or(100);
        let share = smallest_share(least, |share| {
            let cut = self.at_once(part(share))?;
            let lost = whole.points_above(self.accuracy(cut.best())?.unwrap_or_default());
            self.context.progress.note(&format!("{share} % of the MACs cost {lost:.2} points"));
            Ok(lost <= points + 1e-9)
        })?;
        self.at_once(part(share))
    }

    fn ground(&self) -> Result<Ground<'_>, Error> {
        Ground::new(&self.model, self.profile.as_deref(), None, self.context.seed)
    }

    /// A cut by contributions, which are those of the whole model.
    fn at_once(&self, limit: u64) -> Result<Variant, Error> {
        let ground = self.ground()?;
        let ranking = Ranking::new(&ground, Criterion::Contribution, &self.request.rules())?;
        let kept = ranking.kept(&ranking.fitting(&self.request.unit(), limit)?);
        variant(
            &self.model,
            kept,
            self.refit_images(),
            &self.refit_options(),
            self.context.progress,
        )
    }

    fn refit_options(&self) -> RefitOptions {
        RefitOptions { seed: self.context.seed, until: self.until, ..RefitOptions::default() }
    }

    /// A cut that is made step by step.
    fn stepwise(
        &self,
        criterion: Criterion,
        goal: Goal,
        held: Option<&HeldOut>,
    ) -> Result<Variant, Error> {
        let options = ShrinkOptions {
            criterion,
            rules: self.request.rules(),
            step: self.request.step.0,
            refit: self.refit_options(),
            seed: self.context.seed,
        };
        let classes: Vec<usize> = self.classes().collect();
        let shrink = Shrink::new(&self.model, &classes, self.images.as_ref(), options)?
            .keeping(self.context.cache)?;
        let mut walk = Walk::new(shrink, held, goal, self.context.progress);
        walk.down()?;
        let chosen = walk.finish(false)?;
        let model = walk.components.swap_remove(chosen);
        let kept = model.card().origin.as_ref().map(|origin| origin.kept.clone());
        let refit = RefitOptions::default();
        let kept = kept.unwrap_or_default();
        let bare = variant(&self.model, kept, None, &refit, self.context.progress)?;
        Ok(Variant { refitted: self.refit_images().map(|_| model), ..bare })
    }

    fn refit_images(&self) -> Option<&ImageSet> {
        self.images.as_ref().filter(|_| !self.request.no_refit)
    }

    fn answer(
        &self,
        made: Vec<Made>,
        skipped: Vec<Skipped>,
        limit: u64,
        accuracy: Option<Percent>,
    ) -> Result<CompressAnswer, Error> {
        let request = self.request;
        let chosen = made.iter().find(|made| made.criterion == request.criterion);
        let model = chosen.map_or(&self.model, |chosen| chosen.variant.best()).clone();
        request.output.iter().try_for_each(|path| self.context.save(&model, path))?;
        if let Some(folder) = &request.keep_all {
            inputs::make_folder(folder)?;
            made.iter().try_for_each(|made| made.save_into(folder))?;
        }
        Ok(CompressAnswer {
            output: request.output.clone(),
            kept_all: request.keep_all.clone(),
            criterion: request.criterion,
            budget: Reached { unit: request.unit().name(), limit },
            held_out: self.held.as_ref().map(HeldOut::count),
            held_out_split: request.hold_out_split,
            measure: self.held.as_ref().map(|_| Measure::of(&self.model)),
            refit_images: self.refit_images().map(ImageSet::len),
            data: self.account.clone(),
            source: SourceSize {
                name: self.model.name.clone(),
                params: self.model.graph().parameters(),
                macs: self.model.graph().macs(),
                accuracy,
            },
            models: made.into_iter().map(Made::told).collect(),
            skipped,
            model,
        })
    }
}

impl Made {
    fn save_into(&self, folder: &Path) -> Result<(), Error> {
        let name = self.criterion.name();
        self.variant.bare.save(&folder.join(format!("{name}.bare.onnx")))?;
        match &self.variant.refitted {
            Some(model) => model.save(&folder.join(format!("{name}.onnx"))),
            None => Ok(()),
        }
    }

    fn told(self) -> Compressed {
        let graph = self.variant.best().graph();
        let [accuracy_before_refit, accuracy_after_refit] = self.accuracy;
        Compressed {
            criterion: self.criterion,
            params: graph.parameters(),
            macs: graph.macs(),
            accuracy_before_refit,
            accuracy_after_refit,
            kept: self.variant.kept,
        }
    }
}
