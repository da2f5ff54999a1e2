//! Where a run stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::score::Score;

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

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Finished epochs.
    pub(super) epoch: usize,
    /// Finished steps of the epoch at hand.
    pub(super) step: usize,
    /// Over these steps: sum of losses, number of correct samples.
    pub(super) loss: f64,
    pub(super) correct: usize,
    pub(super) log: Vec<Epoch>,
    pub(super) best: usize,
    /// Parameters of the best epoch; empty before the first.
    #[serde(skip)]
    pub(super) best_parameters: Vec<Vec<f32>>,
}
