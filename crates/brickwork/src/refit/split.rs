//! The images of a refit: those that are fitted, and those that only judge.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::images::image_set::ImageSet;

/// One image in so many judges.
pub(super) const JUDGES: usize = 5;

/// Images, at least, of which some judge: fewer tell nothing.
const LEAST: usize = 2 * JUDGES;

/// So many that judge tell enough.
const MOST: usize = 1024;

/// The images of a refit.
pub(crate) struct RefitImages {
    /// All of them, as they were given.
    pub(super) all: ImageSet,
    /// Those that are fitted, in random order.
    pub(crate) fitted: ImageSet,
    /// Those that take no part and judge.
    pub(super) judging: ImageSet,
}

impl RefitImages {
    /// Leaves every fifth to judge, up to 1,024 of them, unless there are fewer than 10.
    pub(crate) fn new(images: &ImageSet, seed: u64) -> Self {
        let judges = |place: &usize| images.len() >= LEAST && place % JUDGES == JUDGES - 1;
        let (judging, mut fitted): (Vec<usize>, Vec<usize>) = (0..images.len()).partition(judges);
        fitted.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let judging = images.some(&judging).evenly(MOST);
        Self { all: images.clone(), fitted: images.some(&fitted), judging }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
