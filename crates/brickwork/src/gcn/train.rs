//! Training on all nodes at once; the loss sees those to learn from alone.

use brickwork_exec::{
    Learned, LossError, Optimiser, OptimiserKind, Role, Training, correct, cross_entropy,
};
use brickwork_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Gcn, Nodes};
use crate::model::error::{Error, Problem};
use crate::model::percent::Percent;
use crate::model::progress::Progress;
use crate::train::{Epoch, MOST_EPOCHS, Score};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GcnTraining {
    /// Steps.
    pub epochs: usize,
    /// Learning rate of Adam.
    pub rate: f32,
    /// Weight decay of the first layer's weights, as part of the loss: `decay / 2 |W1|^2`.
    pub decay: f32,
    /// Seed of what is dropped.
    pub seed: u64,
}

impl Default for GcnTraining {
    /// As in the paper's citation networks (section 5.2).
    fn default() -> Self {
        Self { epochs: 200, rate: 0.01, decay: 5e-4, seed: 0 }
    }
}

impl GcnTraining {
    /// What makes no sense.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let fine = (1..=MOST_EPOCHS).contains(&self.epochs) && self.rate > 0.0 && self.decay >= 0.0;
        let words = format!(
            "epochs and learning rate must be above 0, weight decay not below, and epochs at most \
             {MOST_EPOCHS}"
        );
        Problem::unless(fine, "epochs", &words)
    }
}

/// A trained network.
#[derive(Clone, Debug)]
pub struct GcnOutcome {
    /// The network of the best epoch.
    pub model: Gcn,
    /// Its number, from 1.
    pub best: usize,
    /// Every epoch; its scores for training are those of the step, with dropout.
    pub log: Vec<Epoch>,
}

/// Trains `model`. The best epoch is the one most accurate on the nodes to choose by; of several, the
/// one with the lowest loss there.
///
/// # Errors
/// If options are out of range, data and network do not fit, or the loss is no longer a number.
pub fn train_gcn(
    model: &Gcn,
    nodes: &Nodes,
    options: &GcnTraining,
    progress: &dyn Progress,
) -> Result<GcnOutcome, Error> {
    model.check_data(nodes)?;
    Problem::refuse(options.problem().into_iter().collect())?;
    let mut run = Run::new(model, nodes, options)?;
    let mut outcome = GcnOutcome { model: model.clone(), best: 0, log: Vec::new() };
    let mut top: Option<Score> = None;
    progress.begin("training", options.epochs as u64);
    for epoch in 1..=options.epochs {
        let train = run.step(epoch)?;
        let now = model.with_graph(run.training.trained()?)?;
        let held = judge(&now.scores(&run.features)?, &nodes.labels, &nodes.held)?;
        outcome.log.push(Epoch { epoch, rate: options.rate, train, held: Some(held) });
        let order = |score: Score| (score.accuracy, -score.loss);
        if top.is_none_or(|top| order(held) > order(top)) {
            (top, outcome.best, outcome.model) = (Some(held), epoch, now);
        }
        progress.advance(1)?;
    }
    Ok(outcome)
}

/// Loss and accuracy of scores `[nodes, classes]` at some nodes.
fn judge(scores: &Tensor, labels: &[usize], at: &[usize]) -> Result<Score, Error> {
    let own: Vec<usize> = at.iter().map(|&node| labels[node]).collect();
    let rows = scores.take(0, at);
    let mut unused = vec![0.0; rows.data().len()];
    let loss = cross_entropy(rows.data(), &own, 0.0, &mut unused).map_err(broken)?;
    let right = correct(rows.data(), &own).map_err(broken)?;
    Ok(Score { loss, accuracy: Percent::ratio(right as u64, own.len() as u64) })
}

fn broken(error: LossError) -> Error {
    Error::training(error.to_string())
}

struct Run<'a> {
    nodes: &'a Nodes,
    options: &'a GcnTraining,
    features: Tensor,
    training: Training,
    optimiser: Optimiser,
    /// The parameter that decays.
    first: Option<usize>,
}

impl<'a> Run<'a> {
    fn new(model: &Gcn, nodes: &'a Nodes, options: &'a GcnTraining) -> Result<Self, Error> {
        let mut training =
            Training::new(model.graph().clone(), &[model.graph().logits()], |_: &str| true);
        training.check(1)?;
        let learned = training.parameters().iter();
        let lengths = learned.map(|p| if p.role == Role::Learned { p.data.len() } else { 0 });
        let adam = OptimiserKind::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.0 };
        let optimiser = Optimiser::new(adam, &lengths.collect::<Vec<_>>())
            .map_err(|error| Error::options(error.to_string()))?;
        let first = training.parameters().iter().position(|parameter| parameter.weights);
        Ok(Self { nodes, options, features: nodes.matrix(), training, optimiser, first })
    }

    fn step(&mut self, epoch: usize) -> Result<Score, Error> {
        let Self { nodes, options, features, training, optimiser, first } = self;
        let own: Vec<usize> = nodes.train.iter().map(|&node| nodes.labels[node]).collect();
        let mut score = Err(Error::training("the network has no loss".to_owned()));
        let seed = options.seed ^ (epoch as u64).wrapping_mul(0xd134_2543_de82_ef95);
        let learn = |learned: &mut [Learned<'_>]| {
            optimiser.begin_step();
            for Learned { index, data, gradient } in learned {
                let decay = if Some(*index) == *first { options.decay } else { 0.0 };
                let slopes = gradient.iter().zip(data.iter()).map(|(g, w)| g + decay * w);
                let slopes: Vec<f32> = slopes.collect();
                optimiser.update(*index, data, &slopes, options.rate, false, None);
            }
        };
        let loss = |targets: &mut [brickwork_exec::Target<'_>]| {
            let target = &mut targets[0];
            let classes = target.extents[2];
            let rows = target.data.chunks_exact(classes);
            let rows: Vec<&[f32]> = rows.collect();
            let rows: Vec<f32> = nodes.train.iter().flat_map(|&node| rows[node]).copied().collect();
            let mut slopes = vec![0.0; rows.len()];
            score = cross_entropy(&rows, &own, 0.0, &mut slopes)
                .and_then(|loss| {
                    let right = correct(&rows, &own)? as u64;
                    let accuracy = Percent::ratio(right, own.len() as u64);
                    Ok(Score { loss, accuracy })
                })
                .map_err(broken);
            target.gradient.fill(0.0);
            for (&node, slope) in nodes.train.iter().zip(slopes.chunks_exact(classes)) {
                target.gradient[node * classes..][..classes].copy_from_slice(slope);
            }
            matches!(score, Ok(Score { loss, .. }) if loss.is_finite())
        };
        training.step(1, &[features.data()], seed, loss, learn)?;
        match score {
            Ok(Score { loss, .. }) if !loss.is_finite() => Err(Error::training(format!(
                "the loss became {loss} in epoch {epoch}; use a lower learning rate (it was {})",
                options.rate
            ))),
            score => score,
        }
    }
}
