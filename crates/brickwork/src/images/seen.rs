//! What one of several processes saw of some data, and what all of them together did: so that no image is lost, and
//! none counted twice.

use std::collections::BTreeSet;

use brickwork_data::PixelRange;
use serde::{Deserialize, Serialize};

use crate::images::account::{ClassImages, DataAccount, LeftOut, SetAccount};
use crate::images::source::Source;
use crate::model::error::Error;

/// What was seen of all data sets that work is on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    sets: Vec<SeenSet>,
}

/// What was seen of one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SeenSet {
    name: String,
    /// Images of the whole set.
    count: usize,
    /// Where those stand that were seen, rising: from one place to before another.
    places: Vec<[usize; 2]>,
    /// Files that were left out.
    left_out: Vec<LeftOut>,
    /// Pixels of a few of them.
    pixels: Option<PixelRange>,
    /// What it holds of the model's classes; nothing is asked of sets of foreign images.
    account: Option<SetAccount>,
    /// The names of its classes, in its order.
    classes: Vec<String>,
    /// The model's classes that its images are of.
    present: BTreeSet<usize>,
}

impl Seen {
    /// All of `sources`, the first of which have these `accounts`, with the files that were `left_out` of each.
    pub(crate) fn of(
        sources: &[Source],
        accounts: &[SetAccount],
        left_out: &[Vec<LeftOut>],
    ) -> Self {
        let set = |(place, source): (usize, &Source)| {
            let dataset = &source.dataset;
            let left_out = left_out.get(place).cloned().unwrap_or_default();
            let all = (0..dataset.len()).map(|index| dataset.origin(index));
            let all = all.chain(left_out.iter().filter_map(|file| file.place)).collect();
            SeenSet {
                name: source.name.clone(),
                count: dataset.whole_len(),
                places: stretches(all),
                left_out,
                pixels: None,
                account: accounts.get(place).cloned(),
                classes: dataset.classes().to_vec(),
                present: source.own_classes_of_images(),
            }
        };
        Self { sets: sources.iter().enumerate().map(set).collect() }
    }

    /// Looks at a few images of every data set, which are `sources` in their order.
    pub(crate) fn look_at(&mut self, sources: &[Source]) {
        for (set, source) in self.sets.iter_mut().zip(sources) {
            set.pixels = PixelRange::of(&source.dataset);
        }
    }

    /// The pixels of a few images of every data set, by its name.
    pub(crate) fn pixels(&self) -> impl Iterator<Item = (&str, PixelRange)> {
        self.sets.iter().filter_map(|set| Some((&set.name[..], set.pixels?)))
    }

    /// That places are in order and lie within their sets, and accounts are of so many sets.
    ///
    /// # Errors
    /// In words, if that is not so.
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_odd = |set: &&SeenSet| {
            let bounds: Vec<usize> = set.places.iter().flatten().copied().collect();
            !bounds.is_sorted() || bounds.last().is_some_and(|last| *last > set.count)
        };
        match self.sets.iter().find(is_odd) {
            Some(set) => Err(format!("the places of images of {} are no places", set.name)),
            None => Ok(()),
        }
    }

    /// That every image was seen.
    ///
    /// # Errors
    /// If some were not: all data sets of which this is so are named.
    pub(crate) fn check_whole(&self) -> Result<(), Error> {
        let lost: Vec<String> = self.sets.iter().filter_map(SeenSet::lost).collect();
        if lost.is_empty() {
            return Ok(());
        }
        Err(Error::options(format!(
            "images are missing: {}; add what was found on the others",
            lost.join("; ")
        )))
    }

    /// Adds what another process saw of the same data.
    ///
    /// # Errors
    /// If it is other data, or an image was seen twice.
    pub(crate) fn add(&mut self, other: Self) -> Result<(), Error> {
        let known = |seen: &Self| -> Vec<(String, usize, Vec<String>)> {
            let of = |set: &SeenSet| (set.name.clone(), set.count, set.classes.clone());
            seen.sets.iter().map(of).collect()
        };
        if known(self) != known(&other) {
            return Err(Error::options(format!(
                "what was found is of different data: {} and {}",
                self.words(),
                other.words()
            )));
        }
        self.sets.iter_mut().zip(other.sets).try_for_each(|(set, other)| set.add(other))
    }

    fn words(&self) -> String {
        let of = |set: &SeenSet| {
            let SeenSet { name, count, classes, .. } = set;
            format!("{name} ({count} images, {} classes)", classes.len())
        };
        self.sets.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// Of the classes `asked`, those that images are of.
    pub(crate) fn present(&self, asked: &[usize]) -> Vec<usize> {
        let has = |class: &usize| self.sets.iter().any(|set| set.present.contains(class));
        asked.iter().copied().filter(has).collect()
    }

    /// What the data holds of the classes `asked` of a model, whose classes have these `names`.
    pub(crate) fn account(&self, asked: &[usize], names: &[String]) -> DataAccount {
        let present = self.present(asked);
        let missing = asked.iter().filter(|class| !present.contains(class));
        DataAccount {
            sets: self.sets.iter().filter_map(|set| set.account.clone()).collect(),
            without_images: missing.map(|&class| names[class].clone()).collect(),
        }
    }
}

impl SeenSet {
    fn seen(&self) -> usize {
        self.places.iter().map(|[from, to]| to - from).sum()
    }

    /// How much was seen, in words, if not all.
    fn lost(&self) -> Option<String> {
        let (seen, Self { name, count, .. }) = (self.seen(), self);
        (seen != *count).then(|| format!("of the {count} images of {name}, {seen} were looked at"))
    }

    fn add(&mut self, other: Self) -> Result<(), Error> {
        self.places.extend(other.places);
        self.places.sort_unstable();
        if let Some(pair) = self.places.windows(2).find(|pair| pair[1][0] < pair[0][1]) {
            return Err(Error::options(format!(
                "image {} of {} is in two of those that are added: it would count twice; give every image to one \
                 process alone",
                pair[1][0], self.name
            )));
        }
        self.places.dedup_by(|next, last| {
            let touches = next[0] == last[1];
            if touches {
                last[1] = next[1];
            }
            touches
        });
        self.left_out.extend(other.left_out);
        self.left_out.sort_by_key(|file| file.place);
        self.pixels = match (self.pixels, other.pixels) {
            (Some(own), Some(others)) => Some(own.with(others)),
            (own, others) => own.or(others),
        };
        self.present.extend(other.present);
        if let (Some(own), Some(others)) = (&mut self.account, other.account) {
            own.images = own.images.saturating_add(others.images);
            own.matched = own.matched.saturating_add(others.matched);
            own.foreign = together(&own.foreign, &others.foreign, &self.classes);
            own.left_out = self.left_out.iter().map(|file| file.why.clone()).collect();
        }
        Ok(())
    }
}

/// Images by class of two parts of a data set, in the order of its `classes`.
fn together(own: &[ClassImages], others: &[ClassImages], classes: &[String]) -> Vec<ClassImages> {
    let count = |name: &String| -> usize {
        let of = own.iter().chain(others).filter(|one| one.class == *name);
        of.fold(0, |sum: usize, one| sum.saturating_add(one.images))
    };
    let all = classes.iter().map(|name| ClassImages { class: name.clone(), images: count(name) });
    all.filter(|one| one.images > 0).collect()
}

/// Places as stretches of neighbours: from one place to before another.
fn stretches(mut places: Vec<usize>) -> Vec<[usize; 2]> {
    places.sort_unstable();
    let mut found: Vec<[usize; 2]> = Vec::new();
    for place in places {
        match found.last_mut().filter(|last| last[1] == place) {
            Some(last) => last[1] += 1,
            None => found.push([place, place + 1]),
        }
    }
    found
}
