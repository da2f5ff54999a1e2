//! Cutting a component out of a model: by a profile, by given channels, or down to a size.

mod by_choice;
mod to_size;

use std::path::{Path, PathBuf};

use brickwork_data::{Preprocess, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::holding::Holding;
use super::inputs::{self, LinkInput};
use super::{Budget, Context, DataInput, HoldOut, Milliseconds, ModelInput, Share, Times, Verb};
use crate::cut::kept_channels::KeptMap;
use crate::images::account::DataAccount;
use crate::images::source::Source;
use crate::measure::diff::{Difference, LayerDifference, diff};
use crate::measure::held_out::Measure;
use crate::measure::moments::with_moments;
use crate::measure::speed::{Speed, speeds};
use crate::measure::stages::Stage;
use crate::model::card::{Criterion, RefitNote, SourceAgreement};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::head::HeadKind;
use crate::model::percent::Percent;
use crate::model::time_limit::TimeLimit;
use crate::refit::RefitOptions;
use crate::show::frontier::FrontierForm;
use crate::show::node_data;
use crate::shrink::walk::Point;

/// Cut a component for some classes out of a model
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Disassemble {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Classes of the component: names, indices, inclusive ranges
    pub classes: String,
    /// The model's profile
    pub profile: Option<PathBuf>,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// Where to write the component
    pub output: Option<PathBuf>,
    /// Show what would be cut and stop
    pub dry_run: bool,
    /// Refit the kept weights in closed form on images of the task
    pub refit: Refitting,
    /// Images per class to refit on, chosen at random from the training split
    pub refit_samples: u32,
    /// Images of every other class of the model to refit on as well, so that the component goes on
    /// telling them from its own
    pub refit_foreign: u32,
    /// Take about so many minutes: larger steps and fewer passes of the refit where time is short, so that what is made
    /// depends on the machine
    pub minutes: Option<f64>,
    /// Let the component read all its layers: a linear map from them, fitted to the source's scores, is added to
    /// its own. More accurate where much is cut, for next to no multiply-accumulates
    pub readout: bool,
    /// Keep a multiple of this many channels in every group [default: for a cut to a size 8 where so many are kept,
    /// which runtimes are fast with]
    pub round_to: Option<u16>,
    /// How contributions become relevant channels.
    #[serde(flatten)]
    pub link: LinkInput,
    /// Which channels stay, in the numbers the profile gives; the last two are controls
    pub choose: Choose,
    /// Keep these channels instead: a JSON file with the kept channels that an answer lists
    pub keep: Option<PathBuf>,
    /// Write the relevant inputs of every layer and class
    pub masks_out: Option<PathBuf>,
    /// Keep this many multiply-accumulates, or this share of them
    pub macs: Option<Budget>,
    /// Keep this many parameters, or this share of them
    pub params: Option<Budget>,
    /// Keep the smallest that costs at most this many points of accuracy, against the source
    /// restricted to the classes, on images held out of the training split
    pub max_drop: Option<f64>,
    /// Keep the largest that takes at most so long for one image here
    pub latency: Option<Milliseconds>,
    /// Keep the largest that is so many times as fast here as the model
    pub speed: Option<Times>,
    /// A JSON file of how long the model's layers take in the runtime that will be used, as experiments/latency.py
    /// writes it: latency and speed are those, instead of the ones here
    pub latency_table: Option<PathBuf>,
    /// Write accuracy and size of every step on the way: .html, .svg, .csv or .json
    pub frontier: Option<PathBuf>,
    /// Write for Model Explorer what is left of every node: kept output channels to this file, parameters and
    /// multiply-accumulates to FILE.params.json and FILE.macs.json
    pub node_data: Option<PathBuf>,
    /// Write the component of every step into this folder, as step-0.onnx and so on
    pub keep_all: Option<PathBuf>,
    /// Keep the largest on the frontier with at most this share of the multiply-accumulates
    pub pick: Option<Share>,
    /// What makes a channel worth keeping
    pub criterion: Criterion,
    /// What a step leaves of the size before it
    pub step: Share,
    /// Leave this layer and all before it whole: components of one source share them once assembled
    pub trunk: Option<String>,
    /// Images held out of the training split to measure on: a percentage, a count per class, or none
    pub hold_out: HoldOut,
    /// Measure on this part of the data instead, all of it: images that the model was not trained on tell better what is
    /// lost
    pub hold_out_split: Option<Split>,
}

impl Default for Disassemble {
    fn default() -> Self {
        Self {
            model: ModelInput::default(),
            classes: String::new(),
            profile: None,
            data: DataInput::default(),
            output: None,
            dry_run: false,
            refit: Refitting::default(),
            refit_samples: 5000,
            refit_foreign: 0,
            minutes: None,
            readout: false,
            round_to: None,
            link: LinkInput::default(),
            choose: Choose::default(),
            keep: None,
            masks_out: None,
            macs: None,
            params: None,
            max_drop: None,
            latency: None,
            speed: None,
            latency_table: None,
            frontier: None,
            node_data: None,
            keep_all: None,
            pick: None,
            criterion: Criterion::Taylor,
            step: Share(0.7),
            trunk: None,
            hold_out: HoldOut::Share(0.1),
            hold_out_split: None,
        }
    }
}

/// How kept weights are refitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Refitting {
    /// Least squares towards what the source needs: layer by layer, errors of earlier layers put
    /// right, then the network as a whole
    #[default]
    Lsq,
    /// The same layer by layer only
    Layers,
    /// Least squares towards what every layer of the source computes
    Plain,
    /// The bare cut
    None,
}

/// Which channels stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Choose {
    /// The relevant ones by the profile
    #[default]
    Contribution,
    /// Any, from the seed
    Random,
    /// Those with the largest weights
    Magnitude,
}

/// A component.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DisassembleAnswer {
    /// Where it was written.
    pub output: Option<PathBuf>,
    /// Whether nothing was to be written.
    pub dry_run: bool,
    /// The model it was cut from.
    pub source: String,
    /// Its classes.
    pub classes: Vec<String>,
    /// The channels it keeps, by layer.
    pub kept: KeptMap,
    /// What had to be added to given channels.
    pub added: KeptMap,
    /// Learned parameters.
    pub params: Shrunk,
    /// Multiply-accumulates of one image.
    pub macs: Shrunk,
    /// Time here, of one image and of a batch, on one thread and on all.
    pub speed: Vec<Speed>,
    /// How far its scores are from those of the masked source, relative to the largest, before any refit.
    pub cut_equals_mask: f32,
    /// The refit that followed.
    pub refit: Option<RefitReport>,
    /// What the data holds of the model's classes, if any is given.
    pub data: Option<DataAccount>,
    /// Every layer of the source and what is left of it.
    #[serde(skip)]
    pub layers: Vec<LayerDifference>,
    /// How they read each other.
    #[serde(skip)]
    pub stages: Vec<Stage>,
    /// The way down, if it was cut to a size.
    #[serde(flatten)]
    pub walk: Option<WalkAnswer>,
    /// The component itself.
    #[serde(skip)]
    pub component: Classifier,
}

/// A number before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Shrunk {
    /// Of the source.
    pub before: u64,
    /// Of what was cut out of it.
    pub after: u64,
}

/// The way down to a size.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WalkAnswer {
    /// What made a channel worth keeping.
    pub criterion: Criterion,
    /// Images that were held out to measure on.
    pub held_out: Option<usize>,
    /// The part of the data that they are, if not some of the training images.
    pub held_out_split: Option<Split>,
    /// What their accuracy is the number of.
    pub measure: Option<Measure>,
    /// Size and accuracy of every step, the largest first.
    pub frontier: Vec<Point>,
    /// The place of the component among them.
    pub chosen: usize,
    /// Time by the table that was given.
    pub by_table: Option<TableTime>,
}

/// How long a source and its component take, as a table of its layers tells.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TableTime {
    /// The runtime that the table is of.
    pub runtime: String,
    /// Images that ran at once.
    pub batch: usize,
    /// Threads that they had.
    pub threads: usize,
    /// Milliseconds of the source.
    pub before_ms: f64,
    /// Milliseconds of the component.
    pub after_ms: f64,
}

impl Verb for Disassemble {
    type Answer = DisassembleAnswer;

    const NAME: &'static str = "disassemble";

    fn problems(&self) -> Vec<Problem> {
        let mut problems =
            if self.goes_down() { self.size_problems() } else { self.choice_problems() };
        problems.extend(
            [
                Problem::unless(!self.classes.is_empty(), "classes", "no classes are named"),
                Problem::unless(
                    self.output.is_some() || self.dry_run || self.keep_all.is_some(),
                    "output",
                    "nothing is to be written: pass `output=`, or `dry_run=`",
                ),
                Problem::unless(
                    self.refit_samples > 0,
                    "refit_samples",
                    "`refit_samples=` must be at least 1",
                ),
                Problem::unless(
                    self.round_to != Some(0),
                    "round_to",
                    "`round_to=` must be at least 1",
                ),
                Problem::unless(
                    self.minutes.is_none_or(|minutes| minutes > 0.0),
                    "minutes",
                    "`minutes=` must be more than 0",
                ),
                // A readout is fitted with the rest.
                Problem::unless(
                    !self.readout || self.refit != Refitting::None,
                    "readout",
                    "`readout=` is part of a refit; leave `refit=none` out",
                ),
            ]
            .into_iter()
            .flatten(),
        );
        let files = self.output.iter().map(|path| ("output", path));
        problems.extend(inputs::unwritable(files));
        let data: Vec<PathBuf> =
            self.node_data.iter().flat_map(|path| node_data::files(path)).collect();
        problems.extend(inputs::unwritable(data.iter().map(|path| ("node_data", path))));
        problems.extend(self.link.problems());
        problems
    }

    fn work(&self, context: &Context<'_>) -> Result<DisassembleAnswer, Error> {
        let until = self.minutes.map(TimeLimit::minutes);
        if self.goes_down() { self.to_size(until, context) } else { self.by_choice(until, context) }
    }
}

impl Disassemble {
    /// Whether channels are given up step by step, down to a size.
    fn goes_down(&self) -> bool {
        self.profile.is_none() && self.keep.is_none()
    }

    fn holding(&self) -> Holding<'_> {
        Holding { data: &self.data, amount: self.hold_out, split: self.hold_out_split }
    }

    /// How to refit, if at all.
    fn refit_options(&self, seed: u64, until: Option<TimeLimit>) -> Option<RefitOptions> {
        let usual = RefitOptions { readout: self.readout, seed, until, ..RefitOptions::default() };
        match self.refit {
            Refitting::Lsq => Some(usual),
            Refitting::Layers => Some(usual.layers()),
            Refitting::Plain => Some(usual.plain()),
            Refitting::None => None,
        }
    }

    /// How many images of which classes a component for `classes` is refitted on: its own, and as far as
    /// there are any, others of the model.
    fn refit_images(
        &self,
        model: &Classifier,
        classes: &[usize],
        sources: &[Source],
    ) -> Vec<(usize, usize)> {
        let seen = |class: &usize| sources.iter().any(|s| !s.samples_of(&[*class]).is_empty());
        let others =
            (0..model.class_count()).filter(|class| !classes.contains(class) && seen(class));
        let own = classes.iter().filter(|class| seen(class));
        let own = own.map(|&class| (class, self.refit_samples as usize));
        let foreign = others.map(|class| (class, self.refit_foreign as usize));
        own.chain(foreign).filter(|(_, count)| *count > 0).collect()
    }

    /// Writes the component, unless nothing is to be written.
    fn write(
        &self,
        component: &Classifier,
        context: &Context<'_>,
    ) -> Result<Option<PathBuf>, Error> {
        let output = self.output.clone().filter(|_| !self.dry_run);
        output.iter().try_for_each(|path| context.save(component, path))?;
        Ok(output)
    }

    fn answer(
        &self,
        source: &Classifier,
        component: Classifier,
        added: KeptMap,
        data: Option<DataAccount>,
        walk: Option<WalkAnswer>,
        context: &Context<'_>,
    ) -> Result<DisassembleAnswer, Error> {
        let both =
            |of: fn(&Classifier) -> u64| Shrunk { before: of(source), after: of(&component) };
        let origin = component.card().origin.as_ref();
        let Difference { layers, stages, .. } = diff(source, &component);
        if let Some(path) = &self.node_data {
            node_data::write(path, &layers, &component)?;
        }
        Ok(DisassembleAnswer {
            output: self.write(&component, context)?,
            dry_run: self.dry_run,
            source: source.name.clone(),
            classes: component.class_names(),
            kept: origin.map(|origin| origin.kept.clone()).unwrap_or_default(),
            added,
            params: both(|model| model.graph().parameters() as u64),
            macs: both(|model| model.graph().macs()),
            speed: speeds(source, &component, context.progress)?,
            cut_equals_mask: origin.map_or(0.0, |origin| origin.checked),
            refit: origin.and_then(|origin| origin.refit.clone()).map(RefitReport::from),
            data,
            layers,
            stages,
            walk,
            component,
        })
    }
}

/// A refit: what the component's card says of it, with shares in percent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RefitReport {
    /// All but the agreement.
    #[serde(flatten)]
    pub note: RefitNote,
    /// How often it agrees with its source, where it has several classes and some images took no part.
    pub agreement: Option<RefitAgreement>,
}

/// How often a component gives an image the class that its source, restricted to the same classes, gives it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RefitAgreement {
    /// The share of images that it was refitted on.
    pub fitted: Percent,
    /// How many of these were looked at.
    pub fitted_images: usize,
    /// The share of images that took no part.
    pub held_out: Percent,
    /// How many there are.
    pub held_out_images: usize,
}

impl From<RefitNote> for RefitReport {
    fn from(note: RefitNote) -> Self {
        let told = |found: SourceAgreement| RefitAgreement {
            fitted: Percent::of(found.fitted),
            fitted_images: found.fitted_images,
            held_out: Percent::of(found.held_out),
            held_out_images: found.held_out_images,
        };
        Self { agreement: note.agreement.map(told), note: RefitNote { agreement: None, ..note } }
    }
}

/// Images that a component is refitted on and its moments are measured on.
struct Images {
    sources: Vec<Source>,
    preprocess: Preprocess,
    account: DataAccount,
    seed: u64,
}

impl Images {
    /// The component with the moments of its scores in its card, if its classes exclude each other.
    fn noted(&self, component: &Classifier) -> Result<Classifier, Error> {
        if component.head() == HeadKind::Multilabel {
            return Ok(component.clone());
        }
        with_moments(component, &self.preprocess, &self.sources, self.seed)
    }
}

/// What the name of a frontier's file lacks.
fn frontier_problem(path: &Path) -> Option<Problem> {
    let message = format!(
        "{} does not say what to write; end its name in .html, .svg, .csv or .json",
        path.display()
    );
    Problem::unless(FrontierForm::of(path).is_some(), "frontier", &message)
}
