//! A network that learns the nodes of a graph.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NodesInput, save};
use crate::gcn::{Gcn, GcnOptions, GcnTraining, train_gcn};
use crate::model::error::{Error, Problem};
use crate::train::{Epoch, Score};
use crate::verbs::inputs::unwritable;
use crate::verbs::{Context, Verb};

/// Train two layers on the nodes of a graph
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GcnTrain {
    /// Which graph.
    #[serde(flatten)]
    pub nodes: NodesInput,
    /// Where to write the model
    pub output: Option<PathBuf>,
    /// Hidden channels
    pub hidden: usize,
    /// Share of features and hidden channels that are dropped, from 0 to below 1
    pub dropout: f32,
    /// Steps, each on all nodes
    pub epochs: usize,
    /// Learning rate of Adam
    pub lr: f32,
    /// Weight decay of the first layer, as part of the loss
    pub weight_decay: f32,
}

impl Default for GcnTrain {
    fn default() -> Self {
        let GcnOptions { hidden, dropout, .. } = GcnOptions::default();
        let GcnTraining { epochs, rate, decay, .. } = GcnTraining::default();
        Self {
            nodes: NodesInput::default(),
            output: None,
            hidden,
            dropout,
            epochs,
            lr: rate,
            weight_decay: decay,
        }
    }
}

/// A network that was trained on the nodes of a graph.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GcnTrainAnswer {
    /// Where it was written.
    pub output: Option<PathBuf>,
    /// Nodes of the graph.
    pub nodes: usize,
    /// Features that nodes may have.
    pub features: usize,
    /// The classes.
    pub classes: Vec<String>,
    /// Edges of the graph.
    pub edges: usize,
    /// Learned parameters.
    pub params: usize,
    /// The epoch that the model is of, from 1.
    pub best_epoch: usize,
    /// On the nodes to choose by, after that epoch.
    pub held_out: Option<Score>,
    /// Every epoch.
    pub epochs: Vec<Epoch>,
    /// The network itself.
    #[serde(skip)]
    pub model: Gcn,
}

impl Verb for GcnTrain {
    type Answer = GcnTrainAnswer;

    const NAME: &'static str = "gcn train";

    fn problems(&self) -> Vec<Problem> {
        let own = [self.nodes.problem(), self.options(0).problem(), self.training(0).problem()];
        let files = self.output.iter().map(|path| ("output", path));
        own.into_iter().flatten().chain(unwritable(files)).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<GcnTrainAnswer, Error> {
        let nodes = self.nodes.open()?;
        let untrained = Gcn::build(&nodes, &self.options(context.seed))?;
        let training = self.training(context.seed);
        let outcome = train_gcn(&untrained, &nodes, &training, context.progress)?;
        self.output.iter().try_for_each(|path| save(&outcome.model, path, context))?;
        let best = outcome.log.iter().find(|epoch| epoch.epoch == outcome.best);
        Ok(GcnTrainAnswer {
            output: self.output.clone(),
            nodes: nodes.len(),
            features: nodes.features(),
            params: outcome.model.graph().parameters(),
            best_epoch: outcome.best,
            held_out: best.and_then(|epoch| epoch.held),
            edges: nodes.edges.len(),
            classes: nodes.classes,
            epochs: outcome.log,
            model: outcome.model,
        })
    }
}

impl GcnTrain {
    fn options(&self, seed: u64) -> GcnOptions {
        GcnOptions { hidden: self.hidden, dropout: self.dropout, seed }
    }

    fn training(&self, seed: u64) -> GcnTraining {
        GcnTraining { epochs: self.epochs, rate: self.lr, decay: self.weight_decay, seed }
    }
}
