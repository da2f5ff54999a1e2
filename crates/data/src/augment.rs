//! Random variations of prepared images, and random orders.
//!
//! Every draw depends on the seed, the epoch and the place of the sample in the data alone, so
//! neither the order of batches nor the number of threads matters.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::preprocess::Preprocess;

/// What may vary between the epochs of a training run. The default is nothing.
///
/// The three steps happen in this order to a sample that is prepared: `[c, h, w]`, resized and
/// normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Moves the image by up to so many pixels up or down and left or right, every distance
    /// equally likely. What comes in is black: the value a pixel of 0 has after normalisation. So
    /// this is torchvision's `RandomCrop(size, padding)` of the image before it is normalised.
    pub pad_crop: Option<usize>,
    /// Mirrors every other image, left to right.
    pub flip: bool,
    /// Cuts out a square of this side (DeVries and Taylor 2017): its centre is anywhere in the
    /// image, so part of it may lie outside. It is filled with 0, the mean of normalised images.
    pub cutout: Option<usize>,
}

impl Augment {
    /// Checks that something of every sample is left.
    pub(crate) fn validate(&self, preprocess: &Preprocess) -> Result<(), DataError> {
        let side = preprocess.size[0].min(preprocess.size[1]);
        let problem = match *self {
            Self { pad_crop: Some(reach), .. } if reach >= side => {
                format!("`pad_crop` is {reach}, expected less than {side}, the side of a sample")
            }
            Self { cutout: Some(cutout), .. } if cutout > side => {
                format!("`cutout` is {cutout}, expected at most {side}, the side of a sample")
            }
            _ => return Ok(()),
        };
        Err(DataError::Preprocess { problem })
    }
}

/// An [`Augment`] in one epoch of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variation {
    pub(crate) augment: Augment,
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
}

impl Variation {
    /// Varies the prepared sample of `place` in the data as it was opened.
    pub(crate) fn apply(&self, place: usize, preprocess: &Preprocess, sample: &mut [f32]) {
        let mut rng = generator(Purpose::Augment, self.seed, self.epoch, place as u64);
        let [height, width] = preprocess.size;
        let area = height * width;
        let Augment { pad_crop, flip, cutout } = self.augment;
        if let Some(reach) = pad_crop {
            let by =
                [reach; 2].map(|reach| rng.random_range(0..=2 * reach) as isize - reach as isize);
            for (channel, plane) in sample.chunks_exact_mut(area).enumerate() {
                shift(plane, width, by, preprocess.black(channel));
            }
        }
        if flip && rng.random() {
            sample.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        if let Some(side) = cutout {
            let square = preprocess.size.map(|length| {
                let end = rng.random_range(0..length) + side - side / 2;
                end.saturating_sub(side)..end.min(length)
            });
            sample.chunks_exact_mut(area).for_each(|plane| erase(plane, width, &square, 0.0));
        }
    }
}

/// Moves a plane down and to the right; what comes in is `fill`.
fn shift(plane: &mut [f32], width: usize, by: [isize; 2], fill: f32) {
    let (length, height) = (plane.len(), plane.len() / width);
    let distance = by[0] * width as isize + by[1];
    match distance.unsigned_abs() {
        ahead if distance > 0 => plane.copy_within(..length - ahead, ahead),
        back => plane.copy_within(back.., 0),
    }
    let opened = |by: isize, length: usize| match by.unsigned_abs() {
        start if by > 0 => 0..start,
        end => length - end..length,
    };
    erase(plane, width, &[opened(by[0], height), 0..width], fill);
    erase(plane, width, &[0..height, opened(by[1], width)], fill);
}

/// Fills the rows and columns of `part`.
fn erase(plane: &mut [f32], width: usize, [rows, columns]: &[Range<usize>; 2], fill: f32) {
    for row in plane[rows.start * width..rows.end * width].chunks_exact_mut(width) {
        row[columns.clone()].fill(fill);
    }
}

/// The numbers from 0 to below `count` in random order, another one for every seed and epoch.
pub fn shuffled(count: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut generator(Purpose::Order, seed, epoch, 0));
    order
}

/// What random numbers are for: no two purposes share them.
#[derive(Clone, Copy)]
enum Purpose {
    Augment,
    Order,
}

fn generator(purpose: Purpose, seed: u64, epoch: u64, place: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    let words = [purpose as u64, seed, epoch, place];
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: Augment = Augment { pad_crop: None, flip: false, cutout: None };

    fn preprocess(height: usize, width: usize) -> Preprocess {
        let (mean, std) = (vec![0.5, 0.25, 0.0], vec![0.5, 0.25, 1.0]);
        Preprocess { mean, std, ..Preprocess::plain([height, width], 3) }
    }

    /// A sample whose elements are all different and none is a fill value.
    fn sample(preprocess: &Preprocess) -> Vec<f32> {
        (0..preprocess.elements()).map(|k| k as f32 + 1.0).collect()
    }

    fn varied(augment: Augment, preprocess: &Preprocess, place: usize) -> Vec<f32> {
        let mut sample = sample(preprocess);
        Variation { augment, seed: 7, epoch: 3 }.apply(place, preprocess, &mut sample);
        sample
    }

    /// The window of the padded sample, an element at a time.
    fn cropped(preprocess: &Preprocess, by: [isize; 2]) -> Vec<f32> {
        let ([height, width], source) = (preprocess.size, sample(preprocess));
        let value = |at: usize| {
            let (c, y, x) = (at / (height * width), at / width % height, at % width);
            let from = |at: usize, by: isize, length: usize| {
                at.checked_add_signed(-by).filter(|&at| at < length)
            };
            match (from(y, by[0], height), from(x, by[1], width)) {
                (Some(y), Some(x)) => source[(c * height + y) * width + x],
                _ => [-1.0, -1.0, 0.0][c],
            }
        };
        (0..source.len()).map(value).collect()
    }

    #[test]
    fn every_crop_of_the_padded_image_comes_equally_often() {
        let preprocess = preprocess(3, 5);
        let augment = Augment { pad_crop: Some(2), ..NONE };
        let crops: Vec<Vec<f32>> =
            (0..25).map(|k| cropped(&preprocess, [k / 5 - 2, k % 5 - 2])).collect();
        let mut counts = [0; 25];
        for place in 0..5000 {
            let found = varied(augment, &preprocess, place);
            counts[crops.iter().position(|crop| *crop == found).expect("a crop")] += 1;
        }
        assert!(counts.iter().all(|&count| (140..260).contains(&count)), "{counts:?}");
    }

    #[test]
    fn half_of_the_images_are_mirrored() {
        let preprocess = preprocess(2, 3);
        let plain = sample(&preprocess);
        let mirrored: Vec<f32> =
            plain.chunks(3).flat_map(|row| row.iter().rev().copied()).collect();
        let augment = Augment { flip: true, ..NONE };
        let all: Vec<Vec<f32>> = (0..1000).map(|k| varied(augment, &preprocess, k)).collect();
        let count = all.iter().filter(|found| **found == mirrored).count();
        assert!((430..570).contains(&count), "{count}");
        assert_eq!(all.iter().filter(|found| **found == plain).count(), 1000 - count);
    }

    #[test]
    fn a_square_around_any_pixel_is_cut_out() {
        let (height, width, side) = (4, 6, 3);
        let preprocess = preprocess(height, width);
        let squares: Vec<Vec<f32>> = (0..height * width)
            .map(|centre| {
                let near = |at: usize, centre: usize| at + 1 >= centre && at <= centre + 1;
                let mut cut = sample(&preprocess);
                for (at, value) in cut.iter_mut().enumerate() {
                    let rows = near(at / width % height, centre / width);
                    *value = if rows && near(at % width, centre % width) { 0.0 } else { *value };
                }
                cut
            })
            .collect();
        let mut counts = [0; 24];
        for place in 0..4800 {
            let found = varied(Augment { cutout: Some(side), ..NONE }, &preprocess, place);
            counts[squares.iter().position(|square| *square == found).expect("a square")] += 1;
        }
        assert!(counts.iter().all(|&count| (140..260).contains(&count)), "{counts:?}");
        let wide = varied(Augment { cutout: Some(4), ..NONE }, &preprocess, 0);
        assert!(wide.iter().filter(|&&x| x == 0.0).count() <= 3 * 16);
    }

    #[test]
    fn draws_depend_on_seed_epoch_and_place_alone() {
        let preprocess = preprocess(16, 16);
        let augment = Augment { pad_crop: Some(4), flip: true, cutout: Some(5) };
        let of = |seed, epoch, place| {
            let mut sample = sample(&preprocess);
            Variation { augment, seed, epoch }.apply(place, &preprocess, &mut sample);
            sample
        };
        assert_eq!(of(1, 2, 3), of(1, 2, 3));
        let all = [of(1, 2, 3), of(2, 2, 3), of(1, 3, 3), of(1, 2, 4), of(3, 2, 1)];
        for (k, sample) in all.iter().enumerate() {
            assert!(all[..k].iter().all(|other| other != sample));
        }
        assert_eq!(varied(NONE, &preprocess, 0), sample(&preprocess));
    }

    #[test]
    fn variations_that_leave_nothing_are_refused() {
        let preprocess = preprocess(4, 6);
        let valid = |pad_crop, cutout| {
            Augment { pad_crop, flip: true, cutout }.validate(&preprocess).is_ok()
        };
        assert!(valid(Some(3), Some(4)) && valid(None, None) && valid(Some(0), Some(0)));
        assert!(!valid(Some(4), None) && !valid(None, Some(5)));
    }

    #[test]
    fn json_needs_only_what_varies() {
        let read: Augment = serde_json::from_str(r#"{"pad_crop":4,"flip":true}"#).expect("reads");
        assert_eq!(read, Augment { pad_crop: Some(4), flip: true, cutout: None });
        assert_eq!(serde_json::from_str::<Augment>("{}").expect("reads"), NONE);
        assert!(serde_json::from_str::<Augment>(r#"{"mirror":true}"#).is_err());
    }

    /// A side and a distance below it, either way.
    fn side_and_shift() -> impl Strategy<Value = (usize, isize)> {
        (1_usize..7).prop_flat_map(|side| (Just(side), 1 - side as isize..side as isize))
    }

    proptest! {
        #[test]
        fn shuffles_are_permutations(count in 0_usize..200, seed: u64, epoch: u64) {
            let order = shuffled(count, seed, epoch);
            prop_assert_eq!(&order, &shuffled(count, seed, epoch));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            if count > 20 {
                prop_assert_ne!(&order, &shuffled(count, seed, epoch ^ 1));
                prop_assert_ne!(&order, &shuffled(count, seed ^ 1, epoch));
            }
        }

        #[test]
        fn shifts_are_crops(
            (height, down) in side_and_shift(),
            (width, right) in side_and_shift(),
        ) {
            let preprocess = preprocess(height, width);
            let mut moved = sample(&preprocess);
            for (channel, plane) in moved.chunks_exact_mut(height * width).enumerate() {
                shift(plane, width, [down, right], preprocess.black(channel));
            }
            prop_assert_eq!(moved, cropped(&preprocess, [down, right]));
        }
    }
}
