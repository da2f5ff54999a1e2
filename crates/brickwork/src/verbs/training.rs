//! What train, finetune and distill share: how a run goes, and what it came to.

use std::path::PathBuf;

use brickwork_data::Preprocess;
use brickwork_exec::{Curve, OptimiserKind, Schedule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Context;
use super::forms::{Augmentation, HoldOut};
use super::holding::note_small;
use super::inputs::{Labelled, described, unwritable};
use super::memory::Memory;
use crate::architectures::{Architecture, ArchitectureOptions};
use crate::images::account::DataAccount;
use crate::images::source::Source;
use crate::model::card::Card;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::show::course_file;
use crate::train::initialise::initialise;
use crate::train::run::RunFiles;
use crate::train::{Epoch, Material, Objective, TrainOptions, Trainer, log};

/// What differs between verbs where a request says nothing.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    epochs: usize,
    rate: f64,
}

/// For networks that know nothing yet.
pub(super) const FROM_SCRATCH: Defaults = Defaults { epochs: 30, rate: 0.1 };

/// For networks that know much already.
pub(super) const FURTHER: Defaults = Defaults { epochs: 10, rate: 0.01 };

/// AdamW's usual rate over that of SGD with momentum.
const ADAM_RATE: f64 = 0.01;

/// How a run of training goes, whatever its goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunInput {
    /// Where to write the model
    pub output: Option<PathBuf>,
    /// Times every image is seen [default: 30 for train and distill, 10 for finetune]
    pub epochs: Option<usize>,
    /// Images of a step
    pub batch: usize,
    /// Images held out of the training split to choose the best epoch by: a percentage, a count per
    /// class, or none (then the last epoch is taken)
    pub hold_out: HoldOut,
    /// Use at most this many images of every class, chosen at random
    pub samples: Option<usize>,
    /// Variations of the images, epoch by epoch: crop=4 shifts by up to 4 pixels, flip mirrors,
    /// cutout=8 cuts out a square
    pub augment: Augmentation,
    /// The optimiser
    pub optimizer: OptimiserName,
    /// The largest learning rate [default: 0.1 for train and distill, 0.01 for finetune; a
    /// hundredth of it for adamw]
    pub lr: Option<f64>,
    /// Momentum of sgd (Nesterov's)
    pub momentum: f64,
    /// Weight decay [default: 5e-4 for sgd, 0.01 for adamw]
    pub weight_decay: Option<f64>,
    /// Shorten gradients that are longer than this: what was refitted or has no normalisation may need
    /// it
    pub clip: Option<f32>,
    /// Spare biases and normalisations the weight decay
    pub decay_weights_only: bool,
    /// The course of the learning rate
    pub schedule: Course,
    /// Epochs over which the rate rises from 0
    pub warmup: f64,
    /// For the schedule step: epochs after which the rate falls
    pub milestones: Vec<usize>,
    /// For the schedule step: the factor by which it falls
    pub gamma: f64,
    /// Label smoothing, from 0 to 1
    pub smoothing: f64,
    /// Learn only parameters whose names begin so; repeat for several
    pub only: Vec<String>,
    /// Where to keep the run after every epoch [default: OUTPUT.checkpoint, removed at the end]
    pub checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint, to the same bits as if the run had never stopped
    pub resume: bool,
    /// Write the figures of every epoch to this file, .csv or .json
    pub log: Option<PathBuf>,
    /// Plot loss and accuracy to this file
    pub curve: Option<PathBuf>,
}

impl Default for RunInput {
    fn default() -> Self {
        Self {
            output: None,
            epochs: None,
            batch: 128,
            hold_out: HoldOut::Share(0.1),
            samples: None,
            augment: Augmentation::default(),
            optimizer: OptimiserName::Sgd,
            lr: None,
            momentum: 0.9,
            weight_decay: None,
            clip: None,
            decay_weights_only: false,
            schedule: Course::Cosine,
            warmup: 0.0,
            milestones: Vec::new(),
            gamma: 0.1,
            smoothing: 0.0,
            only: Vec::new(),
            checkpoint: None,
            resume: false,
            log: None,
            curve: None,
        }
    }
}

/// How gradients move weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserName {
    /// Stochastic gradient descent with Nesterov momentum
    Sgd,
    /// Adam with decoupled weight decay
    Adamw,
}

/// The course of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// Half a cosine down to 0
    Cosine,
    /// Up to the largest rate over the first 30 %, then down by half a cosine
    OneCycle,
    /// Falls at the milestones
    Step,
    /// Stays
    Constant,
}

/// What a run of training came to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TrainAnswer {
    /// Where the model was written.
    pub output: Option<PathBuf>,
    /// What the data holds of the model's classes.
    pub data: DataAccount,
    /// Images learned from.
    pub images: usize,
    /// Images held out.
    pub held_out: usize,
    /// Learned parameters.
    pub parameters: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// The epoch that the model is of, from 1.
    pub best_epoch: usize,
    /// Every epoch.
    pub epochs: Vec<Epoch>,
    /// The model.
    #[serde(skip)]
    pub model: Classifier,
}

impl TrainAnswer {
    /// The epoch that the model is of.
    pub fn best(&self) -> Option<&Epoch> {
        self.epochs.iter().find(|epoch| epoch.epoch == self.best_epoch)
    }
}

/// Images of a run.
pub(super) struct RunImages {
    pub(super) train: Source,
    pub(super) held: Option<Source>,
    account: DataAccount,
}

impl RunInput {
    /// How to train.
    pub(super) fn options(&self, defaults: Defaults, seed: u64) -> TrainOptions {
        let (usual_rate, usual_decay) = match self.optimizer {
            OptimiserName::Sgd => (defaults.rate, 5e-4),
            OptimiserName::Adamw => (defaults.rate * ADAM_RATE, 0.01),
        };
        let decay = self.weight_decay.unwrap_or(usual_decay);
        let optimiser = match self.optimizer {
            OptimiserName::Sgd => {
                let momentum = self.momentum;
                OptimiserKind::Sgd { momentum, nesterov: momentum > 0.0, decay }
            }
            OptimiserName::Adamw => {
                OptimiserKind::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, decay }
            }
        };
        let curve = match self.schedule {
            Course::Cosine => Curve::Cosine { floor: 0.0 },
            Course::OneCycle => Curve::OneCycle { rise: 0.3, start: 25.0, end: 1e4 },
            Course::Step => Curve::Step { milestones: self.milestones.clone(), gamma: self.gamma },
            Course::Constant => Curve::Constant,
        };
        TrainOptions {
            epochs: self.epochs.unwrap_or(defaults.epochs),
            batch: self.batch,
            optimiser,
            schedule: Schedule { rate: self.lr.unwrap_or(usual_rate), warmup: self.warmup, curve },
            clip: self.clip,
            decay_weights_only: self.decay_weights_only,
            augment: self.augment.0,
            keep_zeros: false,
            only: self.only.clone(),
            seed,
        }
    }

    fn files(&self) -> RunFiles {
        let file = self.output.as_ref().filter(|output| !Memory::is_name(output));
        let beside = || file.map(|output| output.with_extension("checkpoint"));
        RunFiles {
            checkpoint: self.checkpoint.clone().or_else(beside),
            resume: self.resume,
            log: self.log.clone(),
            curve: self.curve.clone(),
        }
    }

    /// What can be refused before any work.
    pub(super) fn problems(&self, defaults: Defaults) -> Vec<Problem> {
        let named = [("output", &self.output), ("log", &self.log), ("curve", &self.curve)];
        let named = named.into_iter().filter_map(|(field, path)| Some((field, path.as_ref()?)));
        let mut found: Vec<Problem> = unwritable(named).collect();
        found.extend(self.checkpoint_problem(found.is_empty()));
        let wrong = self.log.as_ref().and_then(|log| log::format(log).err());
        found.extend(wrong.map(|error| Problem::new("log", error.to_string())));
        found.extend(self.options(defaults, 0).problems());
        let few = [
            Problem::unless(self.samples != Some(0), "samples", "`samples=` must be at least 1"),
            Problem::unless(
                (0.0..=1.0).contains(&self.smoothing),
                "smoothing",
                "`smoothing=` goes from 0 to 1",
            ),
            Problem::unless(
                self.schedule != Course::Step || !self.milestones.is_empty(),
                "milestones",
                "`schedule=step` needs `milestones=`, the epochs after which the rate falls",
            ),
        ];
        found.extend(few.into_iter().flatten());
        found
    }

    /// What is wrong with the checkpoint. One beside an output is not blamed unless the output is
    /// `fine`.
    fn checkpoint_problem(&self, fine: bool) -> Option<Problem> {
        let RunFiles { checkpoint, resume, .. } = self.files();
        let Some(path) = checkpoint else {
            let lost = || Problem::new("resume", "`resume=` needs the `checkpoint=` to go on from");
            return resume.then(lost);
        };
        let place = path.display();
        if path.is_file() == resume {
            let unwritable = unwritable([("checkpoint", &path)]).next();
            return unwritable.filter(|_| fine || self.checkpoint.is_some());
        }
        Some(match resume {
            true => Problem::new("resume", format!("`resume=`: there is no checkpoint {place}")),
            false => Problem::new(
                "checkpoint",
                format!(
                    "{place} is the checkpoint of an unfinished run; go on with `resume=`, or remove it"
                ),
            ),
        })
    }

    /// The images to learn from and those to choose the best epoch by.
    pub(super) fn images(&self, data: Labelled, context: &Context<'_>) -> Result<RunImages, Error> {
        let Labelled { sources, account, .. } = data;
        let mut all = Source::join(sources)?;
        if let Some(count) = self.samples {
            all.keep_some(count, context.seed)?;
        }
        let Some(amount) = self.hold_out.amount() else {
            return Ok(RunImages { train: all, held: None, account });
        };
        note_small(std::slice::from_ref(&all), Some(amount), context)?;
        let (train, held) = all.split_off(amount, context.seed)?;
        Ok(RunImages { train, held: Some(held), account })
    }

    /// Runs, and writes the model.
    pub(super) fn train(
        &self,
        model: &Classifier,
        images: &RunImages,
        preprocess: &Preprocess,
        options: &TrainOptions,
        objective: &mut dyn Objective,
        context: &Context<'_>,
    ) -> Result<TrainAnswer, Error> {
        let material = Material { train: &images.train, held: images.held.as_ref(), preprocess };
        let mut trainer = Trainer::new(model, material, options, objective)?;
        let files = self.files();
        let outcome = files.run(&mut trainer, context.progress, course_file)?;
        let model = described(&outcome.model, preprocess)?;
        if let Some(output) = &self.output {
            context.save(&model, output)?;
        }
        files.finish()?;
        Ok(TrainAnswer {
            output: self.output.clone(),
            data: images.account.clone(),
            images: images.train.dataset.len(),
            held_out: images.held.as_ref().map_or(0, |held| held.dataset.len()),
            parameters: model.graph().parameters(),
            macs: model.graph().macs(),
            best_epoch: outcome.best,
            epochs: outcome.log,
            model,
        })
    }
}

/// Names without those that were there before.
pub(super) fn each_once(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// A network that has learned nothing yet.
///
/// # Errors
/// If the options make no sense for the architecture.
pub(super) fn untrained(
    architecture: &Architecture,
    options: &ArchitectureOptions,
    classes: Vec<String>,
    seed: u64,
) -> Result<Classifier, Error> {
    let empty = architecture.build(options)?;
    let graph = initialise(&empty, seed).apply(&empty)?;
    Classifier::described(architecture.name, graph, Card { classes, ..Card::default() })
}
