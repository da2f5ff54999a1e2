//! The images of a refit: those that are fitted, and those that only judge.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::images::image_set::ImageSet;

/// One image in so many judges.
pub(super) const JUDGES: usize = 5;

/// Images, at least, of which some judge: fewer tell nothing.
const LEAST: usize = 2 * JUDGES;

/// Fewer tell more by being fitted than by judging.
const FEW: usize = 256;

/// So many that judge tell enough.
const MOST: usize = 1024;

/// The images of a refit.
pub(crate) struct RefitImages {
    /// All of them, as they were given.
    pub(crate) all: ImageSet,
    /// Those that are fitted, in random order: all of them, if there are [few](Self::few).
    pub(crate) fitted: ImageSet,
    /// Those that judge.
    pub(super) judging: ImageSet,
    /// Those that do not, in random order.
    pub(super) apart: ImageSet,
}

impl RefitImages {
    /// Leaves every fifth to judge, up to 1,024 of them, unless there are fewer than 10.
    pub(crate) fn new(images: &ImageSet, seed: u64) -> Self {
        let judges = |place: &usize| images.len() >= LEAST && place % JUDGES == JUDGES - 1;
        let (judging, apart): (Vec<usize>, Vec<usize>) = (0..images.len()).partition(judges);
        let mixed = |mut places: Vec<usize>| {
            places.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            images.some(&places)
        };
        let apart = mixed(apart);
        let fitted = if few(images) { mixed((0..images.len()).collect()) } else { apart.clone() };
        let judging = images.some(&judging).evenly(MOST);
        Self { all: images.clone(), fitted, judging, apart }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are so few that those which judge are fitted too: a refit without them is judged in place of it.
    pub(super) fn few(&self) -> bool {
        few(&self.all)
    }
}

fn few(images: &ImageSet) -> bool {
    images.len() < FEW
}

#[cfg(test)]
mod tests {
    use brickwork_tensor::Tensor;

    use super::*;

    fn split(count: usize) -> [usize; 3] {
        let images = ImageSet::from(Tensor::new([count, 1, 1, 1], vec![0.0; count]));
        let images = RefitImages::new(&images, 0);
        [&images.fitted, &images.judging, &images.apart].map(ImageSet::len)
    }

    #[test]
    fn judges_of_few_images_are_fitted_too() {
        assert_eq!(split(9), [9, 0, 9]);
        assert_eq!(split(100), [100, 20, 80]);
        assert_eq!(split(FEW - 1), [FEW - 1, 51, FEW - 52]);
        assert_eq!(split(1000), [800, 200, 800]);
    }
}
