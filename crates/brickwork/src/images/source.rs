//! Labelled images as a model sees them: every data class mapped to one of the model's classes, or
//! to none (foreign).

use brickwork_data::{DataError, Dataset, Preprocess};
use brickwork_tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::model::card::Origin;
use crate::model::error::Error;

/// Class names of a model, and their numbers in the data set it was trained on.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// The names.
    pub names: Vec<String>,
    /// For every name, its number.
    pub numbers: Vec<usize>,
    /// How many classes are numbered.
    pub of: usize,
}

impl Numbered {
    /// The classes `names` of a component cut from `origin`, or of a whole model.
    pub fn new(names: Vec<String>, origin: Option<&Origin>) -> Self {
        match origin.filter(|origin| origin.classes.len() == names.len()) {
            Some(origin) => Self { names, numbers: origin.classes.clone(), of: origin.of },
            None => Self { numbers: (0..names.len()).collect(), of: names.len(), names },
        }
    }
}

/// How many samples of each class are held out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    /// A share of them, above 0 and below 1.
    Fraction(f64),
    /// So many.
    PerClass(usize),
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
    /// Maps the classes of `dataset` to those of a model: by name, ignoring case and punctuation; or
    /// by number, if the data has no names of its own and as many classes as the model or its
    /// source.
    ///
    /// # Errors
    /// If no class of the data is one of the model's.
    pub fn new(
        name: impl Into<String>,
        dataset: Dataset,
        classes: &Numbered,
    ) -> Result<Self, Error> {
        let name = name.into();
        let names = &classes.names;
        let class_of = match_classes(dataset.classes(), classes);
        if class_of.iter().all(Option::is_none) {
            return Err(Error::classes(format!(
                "data `{name}` has none of the model's classes: it has {}, the model has {}; name the \
                 model's classes as the data does (`class_names=`)",
                first_few(dataset.classes()),
                first_few(names)
            )));
        }
        Ok(Self { name, dataset, class_of })
    }

    /// The data's name of one of the model's classes.
    fn name_of(&self, class: usize) -> Option<&String> {
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
    /// Foreign samples stay with the others. Both are in the order of the data.
    ///
    /// # Errors
    /// If a class would be left with no sample on either side.
    pub fn split_off(self, held: Held, seed: u64) -> Result<(Self, Self), Error> {
        let mut classes: Vec<usize> = self.class_of.iter().flatten().copied().collect();
        classes.sort_unstable();
        classes.dedup();
        let mut out = vec![false; self.dataset.len()];
        for class in classes {
            let all = self.samples_of(&[class]).len();
            let count = match held {
                Held::Fraction(part) => (all as f64 * part).round() as usize,
                Held::PerClass(count) => count,
            };
            if all > 0 && !(1..all).contains(&count) {
                return Err(Error::options(format!(
                    "`{}` has {all} images of class {class}; holding {count} of them out leaves none \
                     on one side; hold out another share, or none",
                    self.name
                )));
            }
            self.some_of(class, count, seed).into_iter().for_each(|index| out[index] = true);
        }
        let side = |held: bool| -> Result<Self, Error> {
            let indices: Vec<usize> = (0..out.len()).filter(|&index| out[index] == held).collect();
            Ok(Self { dataset: self.dataset.subset(&indices)?, ..self.clone() })
        };
        Ok((side(false)?, side(true)?))
    }

    /// The model's class of sample `index`, if it has one.
    pub fn class(&self, index: usize) -> Option<usize> {
        self.class_of[self.dataset.label(index)]
    }

    /// The sample that stands at `place` in the data set as it was opened.
    pub fn find(&self, place: usize) -> Option<usize> {
        // Where nothing was left out, samples stand at their own places.
        let stays = place < self.dataset.len() && self.dataset.origin(place) == place;
        let search = || (0..self.dataset.len()).find(|&index| self.dataset.origin(index) == place);
        if stays { Some(place) } else { search() }
    }

    /// The samples whose class is in `classes`, in order.
    pub fn samples_of(&self, classes: &[usize]) -> Vec<usize> {
        let wanted = |index: &usize| self.class(*index).is_some_and(|c| classes.contains(&c));
        (0..self.dataset.len()).filter(wanted).collect()
    }

    /// The samples whose class is none of the model's, in order.
    pub fn foreign(&self) -> Vec<usize> {
        (0..self.dataset.len()).filter(|&index| self.class(index).is_none()).collect()
    }

    /// Keeps part `part` of `parts` of the samples: neighbours stay together.
    ///
    /// # Errors
    /// If nothing is left.
    pub fn keep_part(&mut self, part: usize, parts: usize) -> Result<(), Error> {
        let count = self.dataset.len();
        let indices: Vec<usize> = (part * count / parts..(part + 1) * count / parts).collect();
        if indices.is_empty() {
            return Err(Error::options(format!(
                "part {} of {parts} of `{}` is empty: it has {count} images; use fewer parts",
                part + 1,
                self.name
            )));
        }
        self.dataset = self.dataset.subset(&indices)?;
        Ok(())
    }

    /// Keeps at most `count` samples of every class of the model, at random, and no foreign ones.
    ///
    /// # Errors
    /// If nothing is left.
    pub fn keep_some(&mut self, count: usize, seed: u64) -> Result<(), Error> {
        let mut classes: Vec<usize> = self.class_of.iter().flatten().copied().collect();
        classes.sort_unstable();
        classes.dedup();
        let mut indices: Vec<usize> =
            classes.iter().flat_map(|&class| self.some_of(class, count, seed)).collect();
        indices.sort_unstable();
        self.dataset = self.dataset.subset(&indices)?;
        Ok(())
    }

    /// At most `count` samples of a class, at random, in order.
    pub fn some_of(&self, class: usize, count: usize, seed: u64) -> Vec<usize> {
        let mut indices = self.samples_of(&[class]);
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ ((class as u64) << 32));
        let kept = count.min(indices.len());
        for k in 0..kept {
            let other = rng.random_range(k..indices.len());
            indices.swap(k, other);
        }
        indices.truncate(kept);
        indices.sort_unstable();
        indices
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

/// Of every class at most so many images, at random, over all data sets: `[n, c, h, w]`.
///
/// # Errors
/// If a class has no image, or one cannot be read.
pub fn random_images(
    sources: &[Source],
    classes: &[(usize, usize)],
    seed: u64,
    preprocess: &Preprocess,
) -> Result<Tensor, Error> {
    let mut batches = Vec::new();
    for &(class, each) in classes {
        let mut left = each;
        for source in sources {
            let indices = source.some_of(class, left, seed);
            left -= indices.len();
            if !indices.is_empty() {
                batches.push(source.dataset.batch(&indices, preprocess)?);
            }
        }
        if left == each {
            let name = sources.iter().find_map(|source| source.name_of(class));
            let name = name.map_or(format!("{class}"), |name| format!("`{name}`"));
            return Err(Error::options(format!("the data has no image of class {name}")));
        }
    }
    Ok(Tensor::concat(&batches.iter().collect::<Vec<_>>(), 0))
}

fn first_few(names: &[String]) -> String {
    let more = if names.len() > 10 { ", ..." } else { "" };
    format!("{}{more}", names.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// Whether class names are just the numbers 0, 1, 2, ...
fn are_numbers(names: &[String]) -> bool {
    names.iter().enumerate().all(|(k, name)| *name == k.to_string())
}

/// For every class name of some data, which of a model's classes it is: see [`Source::new`].
pub(crate) fn match_classes(data: &[String], model: &Numbered) -> Vec<Option<usize>> {
    let names = &model.names;
    let by_name: Vec<Option<usize>> = data
        .iter()
        .map(|name| {
            let exact = names.iter().position(|other| other == name);
            exact.or_else(|| names.iter().position(|other| plain(other) == plain(name)))
        })
        .collect();
    let unnamed = are_numbers(data) || are_numbers(names);
    if unnamed && data.len() == model.of && by_name.iter().all(Option::is_none) {
        return (0..data.len()).map(|k| model.numbers.iter().position(|&n| n == k)).collect();
    }
    by_name
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    fn whole(list: &[&str]) -> Numbered {
        Numbered::new(names(list), None)
    }

    #[test]
    fn names_match_loosely() {
        let data = names(&["Ankle boot", "T-shirt/top", "Bag"]);
        assert_eq!(match_classes(&data, &whole(&["bag", "ankle-boot"])), [Some(1), None, Some(0)]);
    }

    #[test]
    fn numbers_stand_for_named_classes() {
        let data = names(&["0", "1", "2"]);
        assert_eq!(match_classes(&data, &whole(&["a", "b", "c"])), [Some(0), Some(1), Some(2)]);
        assert_eq!(match_classes(&data, &whole(&["a", "b"])), [None, None, None]);
        let part = Numbered { names: names(&["c", "a"]), numbers: vec![2, 0], of: 3 };
        assert_eq!(match_classes(&data, &part), [Some(1), None, Some(0)]);
        // A component for digits 1 and 2 is matched by name.
        let digits = Numbered { names: names(&["1", "2"]), numbers: vec![1, 2], of: 3 };
        assert_eq!(match_classes(&data, &digits), [None, Some(0), Some(1)]);
    }
}
