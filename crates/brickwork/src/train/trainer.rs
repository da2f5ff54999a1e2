//! A run of training.

use std::borrow::Cow;

use brickwork_data::shuffled;
use brickwork_exec::{Learned, Optimiser, Parameter, Role, Training};
use brickwork_tensor::Tensor;

use super::checkpoint::{Checkpoint, FORMAT, Header, Start};
use super::objective::Objective;
use super::options::{Material, TrainOptions};
use super::score::{Score, score, scored};
use super::state::{Epoch, State};
use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::percent::Percent;
use crate::model::progress::Progress;

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
    pub(super) material: Material<'a>,
    options: TrainOptions,
    objective: &'a mut dyn Objective,
    training: Training,
    optimiser: Optimiser,
    /// Weights that stay 0, by parameter.
    frozen: Vec<Option<Vec<bool>>>,
    /// Samples of the training data that are learned from.
    samples: Vec<usize>,
    state: State,
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
        Problem::refuse(options.problems())?;
        let samples = samples(model, &material)?;
        let mut options = options.clone();
        options.batch = options.batch.min(samples.len());
        let targets = objective.targets(model.graph())?;
        let only = &options.only;
        let learns = |name: &str| only.is_empty() || only.iter().any(|o| name.starts_with(o));
        let mut training = Training::new(model.graph().clone(), &targets, learns);
        training.check(options.batch)?;
        let (optimiser, frozen) =
            (optimiser(model, &training, &options)?, frozen(&training, &options));
        let (model, state) = (model.clone(), State::default());
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

    /// The run as it stands.
    pub fn checkpoint(&self) -> Checkpoint {
        let optimiser = self.optimiser.state();
        let mut state = self.state.clone();
        let best = std::mem::take(&mut state.best_parameters);
        let parameters: Vec<Vec<f32>> =
            self.training.parameters().iter().map(|p| p.data.clone()).collect();
        Checkpoint {
            header: Header {
                format: FORMAT,
                start: self.start(),
                state,
                steps: optimiser.step,
                moments: optimiser.tensors.keys().cloned().collect(),
                parameters: parameters.len(),
            },
            parameters,
            best,
            optimiser,
        }
    }

    /// Goes on where `checkpoint` stopped.
    ///
    /// # Errors
    /// If it is of another run: of another network, data, goal or options. All differences are named.
    pub fn resume(&mut self, checkpoint: Checkpoint) -> Result<(), Error> {
        let differences = checkpoint.header.start.differences(&self.start(), &self.model);
        if !differences.is_empty() {
            return Err(Error::options(format!(
                "the checkpoint belongs to another run; start anew, or give what it was started \
                 with:\n  {}",
                differences.join("\n  ")
            )));
        }
        let own = self.training.parameters();
        let fits = |list: &[Vec<f32>]| {
            list.len() == own.len() && list.iter().zip(own).all(|(a, b)| a.len() == b.data.len())
        };
        if !fits(&checkpoint.parameters) || !(checkpoint.best.is_empty() || fits(&checkpoint.best))
        {
            return Err(Error::file("the checkpoint's arrays do not fit the network".to_owned()));
        }
        self.optimiser
            .restore(checkpoint.optimiser)
            .map_err(|error| Error::file(format!("the checkpoint does not fit: {error}")))?;
        self.state = State { best_parameters: checkpoint.best, ..checkpoint.header.state };
        self.set(checkpoint.parameters);
        Ok(())
    }

    /// What makes this run the run it is.
    fn start(&self) -> Start {
        Start::of(&self.model, &self.material, self.objective.describe(), &self.options)
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
        let train = self.material.train;
        let labels: Vec<Vec<usize>> =
            indices.iter().map(|&index| train.classes_of(index)).collect();
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
        let accuracy = Percent::of(self.state.correct as f64 / count);
        let train = Score { loss: self.state.loss / count, accuracy };
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
        let mut card = self.model.card().clone();
        card.origin.iter_mut().for_each(|origin| origin.trained = true);
        Classifier::described(&self.model.name, self.training.trained()?, card)
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

/// The samples of the training data that a model of this kind learns from.
fn samples(model: &Classifier, material: &Material<'_>) -> Result<Vec<usize>, Error> {
    let Source { name, .. } = material.train;
    let samples = scored(model, material.train);
    if samples.len() < 2 {
        return Err(Error::options(format!(
            "`{name}` has {} samples of the model's classes; training needs at least 2",
            samples.len()
        )));
    }
    Ok(samples)
}

/// The optimiser of what is learned of `model`.
fn optimiser(
    model: &Classifier,
    training: &Training,
    options: &TrainOptions,
) -> Result<Optimiser, Error> {
    if !training.parameters().iter().any(|parameter| parameter.role == Role::Learned) {
        return Err(Error::options(format!("nothing of `{}` would be learned", model.name)));
    }
    let length = |parameter: &Parameter| match parameter.role {
        Role::Learned => parameter.data.len(),
        _ => 0,
    };
    let lengths: Vec<usize> = training.parameters().iter().map(length).collect();
    Optimiser::new(options.optimiser, &lengths).map_err(|error| Error::options(error.to_string()))
}

/// The weights that stay 0, by parameter.
fn frozen(training: &Training, options: &TrainOptions) -> Vec<Option<Vec<bool>>> {
    let zeros = |parameter: &Parameter| {
        let keeps = options.keep_zeros && parameter.weights && parameter.data.contains(&0.0);
        keeps.then(|| parameter.data.iter().map(|&w| w == 0.0).collect())
    };
    training.parameters().iter().map(zeros).collect()
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
