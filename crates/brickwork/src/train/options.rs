//! How to train, and on what.

use brickwork_data::{Augment, Preprocess};
use brickwork_exec::{Optimiser, OptimiserKind, Schedule};
use serde::{Deserialize, Serialize};

use crate::images::source::Source;
use crate::model::error::Problem;

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
