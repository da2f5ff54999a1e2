//! What train, finetune and distill share: from options to a run, and from a run to files.

mod curve;
mod log;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, bail};
use brickwork::{
    Checkpoint, Classifier, Epoch, Error, Material, Objective, Outcome, Progress, Refusal, Source,
    TrainOptions, Trainer, Watch,
};
use brickwork_data::Preprocess;
use brickwork_exec::{Curve, OptimiserKind, Schedule};
use serde_json::{Value, json};

use crate::args::{Course, Global, HoldOut, OptimiserName, RunArgs};
use crate::inputs;
use crate::print::{Out, row, table};
use crate::progress::Shown;

/// What differs between the commands where the user says nothing.
#[derive(Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) epochs: u32,
    pub(crate) rate: f64,
}

/// For networks that know nothing yet.
pub(crate) const FROM_SCRATCH: Defaults = Defaults { epochs: 30, rate: 0.1 };

/// For networks that know much already.
pub(crate) const FURTHER: Defaults = Defaults { epochs: 10, rate: 0.01 };

/// AdamW's usual rate over that of SGD with momentum.
const ADAM_RATE: f64 = 0.01;

impl RunArgs {
    pub(crate) fn options(&self, defaults: Defaults, global: &Global) -> TrainOptions {
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
            epochs: self.epochs.unwrap_or(defaults.epochs) as usize,
            batch: self.batch,
            optimiser,
            schedule: Schedule { rate: self.lr.unwrap_or(usual_rate), warmup: self.warmup, curve },
            clip: self.clip,
            decay_weights_only: self.decay_weights_only,
            augment: self.augment.0,
            keep_zeros: false,
            only: self.only.clone(),
            seed: global.seed,
        }
    }

    fn checkpoint(&self) -> PathBuf {
        self.checkpoint.clone().unwrap_or_else(|| self.output.with_extension("checkpoint"))
    }

    /// Refuses what cannot work, before any long step.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let files = [Some(&self.output), self.log.as_ref(), self.curve.as_ref()];
        for path in files.into_iter().flatten() {
            inputs::check_writable(path)?;
        }
        inputs::check_writable(&self.checkpoint())?;
        if let Some(log) = &self.log {
            log::kind(log)?;
        }
        if self.schedule == Course::Step && self.milestones.is_empty() {
            bail!("--schedule step needs --milestones, the epochs after which the rate falls");
        }
        let checkpoint = self.checkpoint();
        if self.resume && !checkpoint.is_file() {
            bail!("--resume: there is no checkpoint {}", checkpoint.display());
        }
        if !self.resume && checkpoint.is_file() {
            bail!(
                "{} is the checkpoint of an unfinished run; go on with --resume, or remove it",
                checkpoint.display()
            );
        }
        Ok(())
    }
}

/// Samples of a run.
pub(crate) struct Samples {
    pub(crate) train: Source,
    pub(crate) held: Option<Source>,
}

impl Samples {
    pub(crate) fn of(
        sources: Vec<Source>,
        args: &RunArgs,
        global: &Global,
    ) -> anyhow::Result<Self> {
        let mut all = Source::join(sources)?;
        if let Some(count) = args.samples {
            all.keep_some(count as usize, global.seed)?;
        }
        let (train, held) = match args.hold_out {
            HoldOut::None => (all, None),
            HoldOut::Fraction(part) => {
                let (train, held) = all.split_off(brickwork::Held::Fraction(part), global.seed)?;
                (train, Some(held))
            }
            HoldOut::PerClass(count) => {
                let (train, held) = all.split_off(brickwork::Held::PerClass(count), global.seed)?;
                (train, Some(held))
            }
        };
        Ok(Self { train, held })
    }
}

/// Runs, and writes model, log, curve and checkpoint.
pub(crate) fn run(
    model: &Classifier,
    samples: &Samples,
    preprocess: &Preprocess,
    options: &TrainOptions,
    objective: &mut dyn Objective,
    args: &RunArgs,
    out: &Out,
) -> anyhow::Result<Outcome> {
    let material = Material { train: &samples.train, held: samples.held.as_ref(), preprocess };
    let mut trainer = Trainer::new(model, material, options, objective)?;
    let path = args.checkpoint();
    if args.resume {
        trainer.resume(Checkpoint::load(&path)?)?;
    }
    let images = samples.train.dataset.len() as f64;
    let listener = Listener {
        shown: Shown::new(out),
        out,
        args,
        checkpoint: path.clone(),
        seconds: Mutex::default(),
        started: Mutex::new(Instant::now()),
        images,
    };
    let outcome = trainer.run(&listener)?;
    if let Some(checkpoint) = &outcome.stopped {
        checkpoint.save(&path)?;
        return Err(Error::Stopped(Refusal::from(format!(
            "stopped in epoch {}; the run is kept in {}, go on with --resume",
            outcome.log.len() + 1,
            path.display()
        )))
        .into());
    }
    let described = inputs::described(&outcome.model, preprocess)?;
    described.save(&args.output)?;
    if path.is_file() {
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(Outcome { model: described, ..outcome })
}

/// Shows a run, and keeps its checkpoint, log and curve up to date.
struct Listener<'a> {
    shown: Shown<'a>,
    out: &'a Out,
    args: &'a RunArgs,
    checkpoint: PathBuf,
    /// How long each epoch took that this process ran.
    seconds: Mutex<Vec<(usize, f64)>>,
    started: Mutex<Instant>,
    images: f64,
}

impl Progress for Listener<'_> {
    fn begin(&self, phase: &str, total: u64) {
        self.shown.begin(phase, total);
    }

    fn step(&self, done: u64) {
        self.shown.step(done);
    }

    fn note(&self, text: &str) {
        self.shown.note(text);
    }

    fn stopped(&self) -> bool {
        self.shown.stopped()
    }
}

impl Watch for Listener<'_> {
    fn epoch(&self, epoch: &Epoch, checkpoint: &dyn Fn() -> Checkpoint) -> Result<(), Error> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let took = std::mem::replace(&mut *started, Instant::now()).elapsed().as_secs_f64();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        seconds.push((epoch.epoch, took));
        let checkpoint = checkpoint();
        checkpoint.save(&self.checkpoint)?;
        self.shown.note(&describe(epoch, took, self.images));
        let log = checkpoint.log();
        if let Some(path) = &self.args.log {
            log::write(path, log, &seconds, self.images)?;
        }
        if let Some(path) = &self.args.curve {
            curve::write(path, log)?;
        }
        self.out.detail(&format!("checkpoint {}", self.checkpoint.display()));
        Ok(())
    }
}

fn describe(epoch: &Epoch, seconds: f64, images: f64) -> String {
    let held = epoch.held.map_or_else(String::new, |held| {
        format!(", held out {:.4} / {:.2} %", held.loss, 100.0 * held.accuracy)
    });
    format!(
        "epoch {}: loss {:.4} / {:.2} %{held}, rate {:.5}, {:.0} images/s, {seconds:.1} s",
        epoch.epoch,
        epoch.train.loss,
        100.0 * epoch.train.accuracy,
        epoch.rate,
        images / seconds
    )
}

/// The result as data.
pub(crate) fn result(outcome: &Outcome, samples: &Samples, args: &RunArgs) -> Value {
    json!({
        "output": args.output,
        "images": samples.train.dataset.len(),
        "held_out": samples.held.as_ref().map_or(0, |held| held.dataset.len()),
        "parameters": outcome.model.graph().parameters(),
        "macs": outcome.model.graph().macs(),
        "best_epoch": outcome.best,
        "epochs": outcome.log,
    })
}

/// The result in words.
pub(crate) fn report(outcome: &Outcome, samples: &Samples, args: &RunArgs) -> String {
    let best = outcome.log.iter().find(|epoch| epoch.epoch == outcome.best);
    let held = best.and_then(|epoch| epoch.held);
    let percent = |x: f64| format!("{:.2} %", 100.0 * x);
    let mut rows = vec![row(["epochs", "best", "images", "train accuracy", "held out accuracy"])];
    rows.push(vec![
        outcome.log.len().to_string(),
        outcome.best.to_string(),
        samples.train.dataset.len().to_string(),
        best.map_or("-".to_owned(), |epoch| percent(epoch.train.accuracy)),
        held.map_or("-".to_owned(), |held| percent(held.accuracy)),
    ]);
    format!("{}\nwritten {}", table(&rows), args.output.display())
}
