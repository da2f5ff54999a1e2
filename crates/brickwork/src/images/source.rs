//! Labelled images as a model sees them: every data class mapped to one of the model's classes, or
//! to none (foreign).

use std::collections::BTreeSet;

use brickwork_data::{DataError, Dataset, Preprocess};
use brickwork_tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::images::matching::{Matching, Numbered};
use crate::model::error::Error;
use crate::model::names::first_few;

/// How many samples of each class are held out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    /// A share of them, above 0 and below 1.
    Fraction(f64),
    /// So many.
    PerClass(usize),
}

impl Held {
    fn check(self) -> Result<(), Error> {
        match self {
            Self::Fraction(share) if share > 0.0 && share < 1.0 => Ok(()),
            Self::PerClass(count) if count > 0 => Ok(()),
            _ => Err(Error::options("hold out a share above 0 and below 1, or 1 image or more")),
        }
    }

    /// How many of `all` samples are asked for, and how many can be held out: one at least of two, and
    /// never all.
    fn of(self, all: usize) -> (usize, usize) {
        match self {
            Self::Fraction(part) => {
                let asked = (all as f64 * part).round() as usize;
                (asked, asked.max(1).min(all.saturating_sub(1)))
            }
            Self::PerClass(count) => (count, if count < all { count } else { all / 2 }),
        }
    }
}

/// A data set for a model.
#[derive(Clone)]
pub struct Source {
    /// What the user calls it.
    pub name: String,
    /// The images.
    pub dataset: Dataset,
    /// For every class of the data, the model's class.
    pub class_of: Vec<Option<usize>>,
}

impl Source {
    /// Maps the classes of `dataset` to those of a model, by name or by number.
    ///
    /// # Errors
    /// If no class of the data is one of the model's, or its classes are numbers that may stand for
    /// several.
    pub fn new(
        name: impl Into<String>,
        dataset: Dataset,
        classes: &Numbered,
    ) -> Result<Self, Error> {
        let matching = Matching::new(dataset.classes(), classes, None)?;
        Self::matched(name.into(), dataset, matching, &classes.names)
    }

    /// `dataset` with its classes as they were matched to those of a model, `names`.
    ///
    /// # Errors
    /// If none of them is one of the model's.
    pub(crate) fn matched(
        name: String,
        dataset: Dataset,
        matching: Matching,
        names: &[String],
    ) -> Result<Self, Error> {
        if matching.class_of.iter().all(Option::is_none) {
            return Err(Error::classes(format!(
                "data `{name}` has none of the model's classes: it has {}, the model has {}; name the \
                 model's classes as the data does (`class_names=`), or say which is which (`labels=`)",
                first_few(dataset.classes()),
                first_few(names)
            )));
        }
        Ok(Self { name, dataset, class_of: matching.class_of })
    }

    /// The data's name of one of the model's classes.
    pub(crate) fn name_of(&self, class: usize) -> Option<&String> {
        let place = self.class_of.iter().position(|&own| own == Some(class))?;
        self.dataset.classes().get(place)
    }

    /// Images of which none is of a model's classes.
    pub fn all_foreign(name: impl Into<String>, dataset: Dataset) -> Self {
        let class_of = vec![None; dataset.classes().len()];
        Self { name: name.into(), dataset, class_of }
    }

    /// Several sources as one, their samples one after the other.
    ///
    /// # Errors
    /// If there are none.
    pub fn join(mut sources: Vec<Self>) -> Result<Self, Error> {
        match sources.len() {
            0 => Err(Error::options("no images are given".to_owned())),
            1 => Ok(sources.remove(0)),
            _ => Ok(Self {
                name: sources.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(" + "),
                class_of: sources.iter().flat_map(|s| s.class_of.clone()).collect(),
                dataset: Dataset::join(sources.into_iter().map(|s| s.dataset).collect()),
            }),
        }
    }

    /// Holds some samples of every class of the model out, at random: gives the others, then them.
    /// Foreign samples stay with the others. Both are in the order of the data. Of a class too small for
    /// as many, fewer are held out ([`Self::too_small`]), and of a single sample none. Where samples are of
    /// several classes, rare classes choose first, so that common ones have theirs among them, and of those
    /// that are of none, a share is held out like that of a class.
    ///
    /// # Errors
    /// If `held` is no share between 0 and 1 and no count above 0.
    pub fn split_off(self, held: Held, seed: u64) -> Result<(Self, Self), Error> {
        held.check()?;
        let mut out = vec![false; self.dataset.len()];
        let none = self.dataset.has_several().then(|| self.foreign());
        let samples = |class| (class, self.samples_of(&[class]));
        let mut groups: Vec<_> = self.own_classes().into_iter().map(samples).collect();
        groups.sort_by_key(|(_, samples)| samples.len());
        groups.extend(none.map(|samples| (self.class_of.len(), samples)));
        for (class, samples) in groups {
            let (_, count) = held.of(samples.len());
            let (own, free): (Vec<_>, Vec<_>) = samples.into_iter().partition(|&index| out[index]);
            let more = drawn(free, count.saturating_sub(own.len()), class, seed);
            more.into_iter().for_each(|index| out[index] = true);
        }
        let side = |held: bool| -> Result<Self, Error> {
            let indices: Vec<usize> = (0..out.len()).filter(|&index| out[index] == held).collect();
            Ok(Self { dataset: self.dataset.subset(&indices)?, ..self.clone() })
        };
        Ok((side(false)?, side(true)?))
    }

    /// The classes of which not as many samples can be held out as asked for, with how many are: in
    /// words.
    pub fn too_small(&self, held: Held) -> Vec<String> {
        let told = |class: usize| {
            let all = self.samples_of(&[class]).len();
            let (asked, count) = held.of(all);
            let name = self.name_of(class)?;
            (asked != count && all > 0).then(|| format!("{name} ({count} of {all})"))
        };
        self.own_classes().into_iter().filter_map(told).collect()
    }

    /// The model's classes that the data has, rising.
    pub(crate) fn own_classes(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = self.class_of.iter().flatten().copied().collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// The model's class of sample `index`, if it has one.
    pub fn class(&self, index: usize) -> Option<usize> {
        self.class_of.get(self.dataset.label(index)).copied().flatten()
    }

    /// All of the model's classes that sample `index` is of, rising.
    pub fn classes_of(&self, index: usize) -> Vec<usize> {
        let labels = self.dataset.labels_of(index).iter();
        let classes = labels.filter_map(|&label| self.class_of.get(label).copied().flatten());
        classes.collect::<BTreeSet<usize>>().into_iter().collect()
    }

    /// All of the model's classes that samples are of.
    pub(crate) fn own_classes_of_images(&self) -> BTreeSet<usize> {
        (0..self.dataset.len()).flat_map(|index| self.classes_of(index)).collect()
    }

    /// The sample that stands at `place` in the data set as it was opened.
    pub fn find(&self, place: usize) -> Option<usize> {
        // Where nothing was left out, samples stand at their own places.
        let stays = place < self.dataset.len() && self.dataset.origin(place) == place;
        let search = || (0..self.dataset.len()).find(|&index| self.dataset.origin(index) == place);
        if stays { Some(place) } else { search() }
    }

    /// The samples of which a class is in `classes`, in order.
    pub fn samples_of(&self, classes: &[usize]) -> Vec<usize> {
        (0..self.dataset.len())
            .filter(|&index| self.is_any(index, |c| classes.contains(&c)))
            .collect()
    }

    /// The samples of which no class is one of the model's, in order.
    pub fn foreign(&self) -> Vec<usize> {
        (0..self.dataset.len()).filter(|&index| !self.is_any(index, |_| true)).collect()
    }

    /// Whether sample `index` is of a class of the model that is `wanted`.
    fn is_any(&self, index: usize, wanted: impl Fn(usize) -> bool) -> bool {
        let class = |label: &usize| self.class_of.get(*label).copied().flatten();
        self.dataset.labels_of(index).iter().filter_map(class).any(wanted)
    }

    /// Keeps part `part` of `parts` of the samples: neighbours stay together.
    ///
    /// # Errors
    /// If nothing is left.
    pub fn keep_part(&mut self, part: usize, parts: usize) -> Result<(), Error> {
        let count = self.dataset.len();
        let kept = self.dataset.portion(part, parts);
        if kept.is_empty() {
            return Err(Error::options(format!(
                "part {} of {parts} of `{}` is empty: it has {count} images; use fewer parts",
                part + 1,
                self.name
            )));
        }
        self.dataset = kept;
        Ok(())
    }

    /// Keeps at most `count` samples of every class of the model, at random, and no foreign ones.
    ///
    /// # Errors
    /// If nothing is left.
    pub fn keep_some(&mut self, count: usize, seed: u64) -> Result<(), Error> {
        let classes = self.own_classes().into_iter();
        let mut indices: Vec<usize> =
            classes.flat_map(|class| self.some_of(class, count, seed)).collect();
        indices.sort_unstable();
        indices.dedup();
        self.dataset = self.dataset.subset(&indices)?;
        Ok(())
    }

    /// At most `count` samples of a class, at random, in order.
    pub fn some_of(&self, class: usize, count: usize, seed: u64) -> Vec<usize> {
        drawn(self.samples_of(&[class]), count, class, seed)
    }

    /// Goes through the samples at `indices` in batches `[n, c, h, w]`.
    ///
    /// # Errors
    /// The first failure of a batch or of `visit`.
    pub fn for_each_batch(
        &self,
        indices: &[usize],
        batch: usize,
        preprocess: &Preprocess,
        mut visit: impl FnMut(&[usize], &Tensor) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for item in self.dataset.batches(indices, batch, preprocess)? {
            let (indices, images) = item.map_err(|error| self.all_unreadable(indices, error))?;
            visit(indices, &images)?;
        }
        Ok(())
    }

    /// All images of a job that cannot be decoded, once one could not.
    pub(crate) fn all_unreadable(&self, indices: &[usize], first: DataError) -> DataError {
        match self.dataset.subset(indices).map(|job| job.check()) {
            Ok(problems) if problems.len() > 1 => DataError::SeveralUnreadable { problems },
            _ => first,
        }
    }
}

/// At most `count` of the samples of a class, at random, in order.
fn drawn(mut samples: Vec<usize>, count: usize, class: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ ((class as u64) << 32));
    let kept = count.min(samples.len());
    for k in 0..kept {
        let other = rng.random_range(k..samples.len());
        samples.swap(k, other);
    }
    samples.truncate(kept);
    samples.sort_unstable();
    samples
}
