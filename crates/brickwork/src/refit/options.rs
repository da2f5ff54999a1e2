//! How to refit.

use crate::model::card::RefitNote;
use crate::model::time_limit::TimeLimit;

/// How to refit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefitOptions {
    /// Images that single layers are solved on, at most.
    pub images: usize,
    /// Rows (image, position) of a layer's least-squares problem, at most.
    pub rows: usize,
    /// Ridge relative to the mean diagonal of the second moments, at least: up to ten thousand times as much if that
    /// does better on images left out.
    pub lambda: f64,
    /// Whether a layer also puts right what earlier ones got wrong in the value it is added to.
    pub corrects: bool,
    /// How often a layer is solved again with what its activation flattens left free.
    pub rounds: usize,
    /// How often all refitted layers together are moved towards the source's scores, at most.
    pub passes: usize,
    /// Whether a linear map from what all layers read is added to the scores in the end, which adds nodes to
    /// the network.
    pub readout: bool,
    /// Seed of the choice of rows.
    pub seed: u64,
    /// When no further pass begins, and the one that is under way ends: what is best until then is taken. What comes of
    /// it depends on how fast the machine is.
    pub until: Option<TimeLimit>,
}

impl Default for RefitOptions {
    fn default() -> Self {
        Self {
            images: 1024,
            rows: 8192,
            lambda: 1e-3,
            corrects: true,
            rounds: 2,
            passes: 8,
            readout: false,
            seed: 0,
            until: None,
        }
    }
}

impl RefitOptions {
    /// Every layer towards the source's own results, and no further.
    pub fn plain(self) -> Self {
        Self { corrects: false, rounds: 0, ..self.layers() }
    }

    /// Layer by layer only.
    pub fn layers(self) -> Self {
        Self { passes: 0, ..self }
    }

    /// Whether it is too late for more.
    pub(crate) fn is_late(&self) -> bool {
        self.until.is_some_and(TimeLimit::is_over)
    }

    /// What a card says of a refit on so many images, layer by layer.
    pub(super) fn note(&self, images: usize) -> RefitNote {
        let Self { rows, lambda, corrects, rounds, seed, .. } = *self;
        let agreement = None;
        RefitNote { images, rows, lambda, corrects, rounds, passes: 0, readout: 0, agreement, seed }
    }
}
