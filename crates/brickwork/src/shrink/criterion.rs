//! Criteria: how much every channel group is worth to a network that keeps all its classes.
//!
//! The first-order criterion says what losing a group costs, which is compared to what it saves. By the
//! others a layer scores its channels; the scores of a layer are brought to mean 1, so that layers can
//! be compared; a group is worth the mean of what the layers at which it lives say of it.

mod bn_scale;
mod contribution;
mod energy;
mod fpgm;
mod ground;
mod l1;
mod net_contribution;
mod opinions;
mod reconstruction;
mod taylor;

use crate::cut::control::Control;
use crate::model::card::Criterion;
use crate::model::error::Error;
pub use ground::Ground;
use opinions::by_filter;

impl Criterion {
    /// The worth of every label; labels of one group are worth the same.
    ///
    /// # Errors
    /// If the criterion needs what the model or the caller does not give: a profile of the model
    /// for contributions, normalisation behind every layer for its scales, images and a backward
    /// pass of every operator for changes of the scores.
    pub fn scores(self, ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
        match self {
            Self::Taylor => taylor::scores(ground),
            Self::Contribution => contribution::scores(ground),
            Self::NetContribution => net_contribution::scores(ground),
            Self::Energy => energy::scores(ground),
            Self::Reconstruction => reconstruction::scores(ground),
            Self::L1 => Ok(by_filter(ground, l1::scores)),
            Self::Fpgm => Ok(by_filter(ground, fpgm::scores)),
            Self::BnScale => bn_scale::scores(ground),
            Self::Random => {
                let control = Control::Random(ground.seed);
                let scores = control.scores(ground.graph, &ground.channels);
                Ok(scores.into_iter().map(f64::from).collect())
            }
        }
    }
}
