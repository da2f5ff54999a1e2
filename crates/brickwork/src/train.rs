//! Training: a network, labelled images and a goal give a better network.
//!
//! A run is a pure function of its options, data and seed: stopped anywhere and resumed from its
//! checkpoint, it ends with the same bits. The best epoch is chosen on samples held out of the
//! training data; test data is never seen.

mod checkpoint;
mod curve;
mod distillation;
pub(crate) mod initialise;
pub(crate) mod log;
mod objective;
pub(crate) mod run;

use std::borrow::Cow;

use brickwork_data::{Augment, Preprocess, shuffled};
use brickwork_exec::{Learned, Optimiser, OptimiserKind, Role, Schedule, Training, cross_entropy};
use brickwork_tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use checkpoint::Checkpoint;
pub use distillation::{DistillOptions, Distillation, Teacher};
pub use objective::{Labels, Objective};

use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::progress::Progress;

/// Epochs of a run, at most.
pub(crate) const MOST_EPOCHS: usize = 100_000;

/// Samples of a step, at most.
const LARGEST_BATCH: usize = 4096;

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainOptions {
    /// Times every sample is seen.
    pub epochs: usize,
    /// Samples of a step. Those left over at the end of an epoch wait for the next.
    pub batch: usize,
    /// How gradients move parameters.
    pub optimiser: OptimiserKind,
    /// How far, at each step.
    pub schedule: Schedule,
    /// Longest Euclidean norm of the gradient by all learned parameters together: a longer one is
    /// shortened to it (Pascanu et al. 2013).
    #[serde(default)]
    pub clip: Option<f32>,
    /// Whether weight decay is confined to the weights of layers.
    pub decay_weights_only: bool,
    /// How samples vary from epoch to epoch.
    pub augment: Augment,
    /// Whether weights of layers that are 0 stay 0: the blocks between the parts of a padded
    /// assembly.
    pub keep_zeros: bool,
    /// Only parameters whose names begin so are learned; all, if there are none.
    pub only: Vec<String>,
    /// Seed of every random draw.
    pub seed: u64,
}

impl TrainOptions {
    /// All that makes no sense, by the options of requests.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let numbers = [("epochs", self.epochs, MOST_EPOCHS), ("batch", self.batch, LARGEST_BATCH)];
        for (field, number, most) in numbers {
            let words = format!("`{field}=` must be at least 1 and at most {most}, not {number}");
            found.extend(Problem::unless((1..=most).contains(&number), field, &words));
        }
        if let Some(clip) = self.clip.filter(|clip| !(clip.is_finite() && *clip > 0.0)) {
            let words = format!("the longest gradient must be above 0, not {clip}");
            found.push(Problem::new("clip", words));
        }
        if let Err(error) = self.schedule.validate() {
            let field = if error.field == "rate" { "lr" } else { error.field };
            found.push(Problem::new(field, error.to_string()));
        }
        if let Err(error) = Optimiser::new(self.optimiser, &[]) {
            found.push(Problem::new("optimizer", error.to_string()));
        }
        found
    }
}

/// Data of a run.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// Samples to learn from; those that have none of the model's classes are left out.
    pub train: &'a Source,
    /// Samples to choose the best epoch by.
    pub held: Option<&'a Source>,
    /// How they become the network's input.
    pub preprocess: &'a Preprocess,
}

/// Loss and accuracy over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Mean loss per sample.
    pub loss: f64,
    /// Share of samples classified correctly, 0 to 1.
    pub accuracy: f64,
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// The learning rate of its last step.
    pub rate: f32,
    /// On the samples learned from, as they were seen: augmented, while the network changed.
    pub train: Score,
    /// On the samples held out, after the epoch (cross-entropy).
    pub held: Option<Score>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The network of the best epoch (the last, where nothing was held out).
    pub model: Classifier,
    /// Its number, from 1; 0 if no epoch was finished.
    pub best: usize,
    /// Every epoch.
    pub log: Vec<Epoch>,
    /// If the run was stopped, where to go on.
    pub stopped: Option<Checkpoint>,
}

/// A run of training.
pub struct Trainer<'a> {
    model: Classifier,
    material: Material<'a>,
    options: TrainOptions,
    objective: &'a mut dyn Objective,
    training: Training,
    optimiser: Optimiser,
    /// Weights that stay 0, by parameter.
    frozen: Vec<Option<Vec<bool>>>,
    /// Samples of the training data that have a class.
    samples: Vec<usize>,
    state: State,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// Finished epochs.
    epoch: usize,
    /// Finished steps of the epoch at hand.
    step: usize,
    /// Over these steps: sum of losses, number of correct samples.
    loss: f64,
    correct: usize,
    log: Vec<Epoch>,
    best: usize,
    /// Parameters of the best epoch; empty before the first.
    #[serde(skip)]
    best_parameters: Vec<Vec<f32>>,
}

impl<'a> Trainer<'a> {
    /// Prepares to train `model`.
    ///
    /// # Errors
    /// If options are out of range, the data has too few samples, or an operator of the network has
    /// no backward pass.
    pub fn new(
        model: &Classifier,
        material: Material<'a>,
        options: &TrainOptions,
        objective: &'a mut dyn Objective,
    ) -> Result<Self, Error> {
        let mut options = options.clone();
        let refuse = |error: String| Error::options(error);
        Problem::refuse(options.problems())?;
        let samples: Vec<usize> = (0..material.train.dataset.len())
            .filter(|&index| material.train.class(index).is_some())
            .collect();
        if samples.len() < 2 {
            return Err(refuse(format!(
                "`{}` has {} samples of the model's classes; training needs at least 2",
                material.train.name,
                samples.len()
            )));
        }
        options.batch = options.batch.min(samples.len());
        let targets = objective.targets(model.graph())?;
        let only = &options.only;
        let learns = |name: &str| only.is_empty() || only.iter().any(|o| name.starts_with(o));
        let mut training = Training::new(model.graph().clone(), &targets, learns);
        training.check(options.batch)?;
        let learned = |role| role == Role::Learned;
        if !training.parameters().iter().any(|parameter| learned(parameter.role)) {
            return Err(refuse(format!("nothing of `{}` would be learned", model.name)));
        }
        let lengths: Vec<usize> = training
            .parameters()
            .iter()
            .map(|parameter| if learned(parameter.role) { parameter.data.len() } else { 0 })
            .collect();
        let optimiser = Optimiser::new(options.optimiser, &lengths)
            .map_err(|error| refuse(error.to_string()))?;
        let zeros =
            |data: &[f32]| data.contains(&0.0).then(|| data.iter().map(|&w| w == 0.0).collect());
        let frozen = training
            .parameters()
            .iter()
            .map(|parameter| {
                zeros(&parameter.data).filter(|_| options.keep_zeros && parameter.weights)
            })
            .collect();
        let model = model.clone();
        let state = State::default();
        Ok(Self {
            model,
            material,
            options,
            objective,
            training,
            optimiser,
            frozen,
            samples,
            state,
        })
    }

    /// Steps of an epoch.
    fn steps(&self) -> usize {
        self.samples.len() / self.options.batch
    }

    /// Trains to the end, or until `progress` stops it, after the step at hand. Calls `after` with the
    /// run as it stands after every epoch.
    ///
    /// # Errors
    /// If the loss is no longer a number, images cannot be read, or `after` fails.
    pub fn run(
        &mut self,
        progress: &dyn Progress,
        after: &mut dyn FnMut(&Self) -> Result<(), Error>,
    ) -> Result<Outcome, Error> {
        while self.state.epoch < self.options.epochs {
            match self.epoch(progress).and_then(|()| self.close_epoch(progress)) {
                Err(Error::Stopped(_)) => return self.outcome(Some(self.checkpoint())),
                other => other?,
            }
            after(self)?;
        }
        self.outcome(None)
    }

    /// Every finished epoch.
    pub fn log(&self) -> &[Epoch] {
        &self.state.log
    }

    /// Finishes the steps of the epoch at hand.
    fn epoch(&mut self, progress: &dyn Progress) -> Result<(), Error> {
        let (epoch, batch, seed) = (self.state.epoch, self.options.batch, self.options.seed);
        let order = shuffled(self.samples.len(), seed, epoch as u64);
        let order: Vec<usize> = order.into_iter().map(|k| self.samples[k]).collect();
        let rest = &order[self.state.step * batch..self.steps() * batch];
        progress.begin(
            &format!("epoch {}/{}", epoch + 1, self.options.epochs),
            (self.steps() * batch) as u64,
        );
        progress.step((self.state.step * batch) as u64);
        let Material { train, preprocess, .. } = self.material;
        let batches = train.dataset.augmented_batches(
            rest,
            batch,
            preprocess,
            &self.options.augment,
            seed,
            epoch as u64,
        )?;
        for item in batches {
            let (indices, images) = item?;
            self.step(indices, &images)?;
            progress.advance(batch as u64)?;
        }
        Ok(())
    }

    fn step(&mut self, indices: &[usize], images: &Tensor) -> Result<(), Error> {
        let labels: Vec<usize> =
            indices.iter().filter_map(|&index| self.material.train.class(index)).collect();
        let step = self.state.epoch * self.steps() + self.state.step;
        let rate = self.rate(step);
        let objective = &mut self.objective;
        let mut outcome = Ok((0.0, 0));
        let (options, frozen, optimiser) = (&self.options, &self.frozen, &mut self.optimiser);
        let weights: Vec<bool> = self.training.parameters().iter().map(|p| p.weights).collect();
        let learn = |learned: &mut [Learned<'_>]| {
            optimiser.begin_step();
            let shorter = options.clip.map_or(1.0, |longest| shortening(learned, longest));
            for Learned { index, data, gradient } in learned {
                let decays = weights[*index] || !options.decay_weights_only;
                let gradient = shortened(gradient, shorter);
                optimiser.update(*index, data, &gradient, rate, decays, frozen[*index].as_deref());
            }
        };
        let mixed = options.seed ^ (step as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95);
        self.training.step(
            labels.len(),
            &[images.data()],
            mixed,
            |targets| {
                outcome = objective.loss(images, &labels, targets);
                matches!(outcome, Ok((loss, _)) if loss.is_finite())
            },
            learn,
        )?;
        let (loss, correct) = outcome?;
        if !loss.is_finite() {
            return Err(Error::training(format!(
                "the loss became {loss} in epoch {}, step {} of {}; use a lower learning rate \
                 (it was {rate}), a warm-up, clipped gradients (`clip=1`), or check the images' \
                 normalisation",
                self.state.epoch + 1,
                self.state.step + 1,
                self.steps()
            )));
        }
        self.state.loss += loss * labels.len() as f64;
        self.state.correct += correct;
        self.state.step += 1;
        Ok(())
    }

    fn rate(&self, step: usize) -> f32 {
        self.options.schedule.at(step, self.options.epochs * self.steps(), self.steps())
    }

    /// Measures the epoch that ended and begins the next.
    fn close_epoch(&mut self, progress: &dyn Progress) -> Result<(), Error> {
        let count = (self.state.step * self.options.batch) as f64;
        let train =
            Score { loss: self.state.loss / count, accuracy: self.state.correct as f64 / count };
        let held = match self.material.held {
            Some(source) => {
                Some(score(&self.current()?, source, self.material.preprocess, progress)?)
            }
            None => None,
        };
        let rate = self.rate((self.state.epoch + 1) * self.steps() - 1);
        let entry = Epoch { epoch: self.state.epoch + 1, rate, train, held };
        // Of epochs that are equally good, the first.
        let better = |best: &Epoch| match (held, best.held) {
            (Some(new), Some(old)) => new.accuracy > old.accuracy,
            _ => true,
        };
        if self.state.best == 0 || better(&self.state.log[self.state.best - 1]) {
            self.state.best = entry.epoch;
            self.state.best_parameters =
                self.training.parameters().iter().map(|p| p.data.clone()).collect();
        }
        self.state.log.push(entry);
        (self.state.epoch, self.state.step) = (self.state.epoch + 1, 0);
        (self.state.loss, self.state.correct) = (0.0, 0);
        Ok(())
    }

    /// The network as it is now.
    fn current(&self) -> Result<Classifier, Error> {
        {
            let mut card = self.model.card().clone();
            card.origin.iter_mut().for_each(|origin| origin.trained = true);
            Classifier::described(&self.model.name, self.training.trained()?, card)
        }
    }

    fn outcome(&mut self, stopped: Option<Checkpoint>) -> Result<Outcome, Error> {
        let now: Vec<Vec<f32>> =
            self.training.parameters().iter().map(|p| p.data.clone()).collect();
        if self.state.best > 0 {
            let best = self.state.best_parameters.clone();
            self.set(best);
        }
        let model = self.current();
        self.set(now);
        Ok(Outcome { model: model?, best: self.state.best, log: self.state.log.clone(), stopped })
    }

    fn set(&mut self, parameters: Vec<Vec<f32>>) {
        for (parameter, data) in self.training.parameters_mut().iter_mut().zip(parameters) {
            parameter.data = data;
        }
    }
}

/// The factor that makes a gradient no longer than `longest`.
fn shortening(learned: &[Learned<'_>], longest: f32) -> f32 {
    let squares = |learned: &Learned<'_>| {
        learned.gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>()
    };
    let norm = learned.iter().map(squares).sum::<f64>().sqrt() as f32;
    if norm > longest { longest / norm } else { 1.0 }
}

/// A gradient times a factor, copied only where that changes it.
fn shortened(gradient: &[f32], factor: f32) -> Cow<'_, [f32]> {
    if factor < 1.0 { gradient.iter().map(|g| g * factor).collect() } else { gradient.into() }
}

/// Mean cross-entropy and accuracy of `model` on the samples of `source` that have a class.
///
/// # Errors
/// If an image cannot be read or the network cannot run.
pub fn score(
    model: &Classifier,
    source: &Source,
    preprocess: &Preprocess,
    progress: &dyn Progress,
) -> Result<Score, Error> {
    let samples: Vec<usize> =
        (0..source.dataset.len()).filter(|&index| source.class(index).is_some()).collect();
    if samples.is_empty() {
        return Err(Error::options(format!(
            "`{}` has no sample of the model's classes",
            source.name
        )));
    }
    progress.begin("measuring", samples.len() as u64);
    let mut scorer = model.scorer();
    let (mut loss, mut correct) = (0.0, 0);
    source.for_each_batch(&samples, model.batch_size(), preprocess, |indices, images| {
        let logits = scorer.logits(images)?;
        let labels: Vec<usize> = indices.iter().filter_map(|&index| source.class(index)).collect();
        let mut unused = vec![0.0; logits.data().len()];
        let mean =
            cross_entropy(logits.data(), &labels, 0.0, &mut unused).map_err(objective::broken)?;
        loss += mean * labels.len() as f64;
        correct += brickwork_exec::correct(logits.data(), &labels).map_err(objective::broken)?;
        progress.advance(labels.len() as u64)?;
        Ok(())
    })?;
    let count = samples.len() as f64;
    Ok(Score { loss: loss / count, accuracy: correct as f64 / count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_gradients_are_shortened_as_a_whole() {
        let (mut one, mut other) = ([0.0; 2], [0.0; 1]);
        let learned = [
            Learned { index: 0, data: &mut one, gradient: &[1.0, 2.0] },
            Learned { index: 1, data: &mut other, gradient: &[-2.0] },
        ];
        assert_eq!([0.75, 3.0, 4.0].map(|longest| shortening(&learned, longest)), [0.25, 1.0, 1.0]);
    }
}
