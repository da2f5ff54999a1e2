//! Images with the names of their classes, by the part that they are of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::parts::choose;
use super::tree::in_order;
use crate::error::DataError;
use crate::samples::{Found, ImageFile, Labels, Samples};
use crate::split::Split;

/// Images as they are found.
#[derive(Default)]
pub(super) struct Labelled {
    parts: BTreeMap<Option<Split>, Vec<(ImageFile, Vec<String>)>>,
    /// The classes in their order; where none are told, those of the images in the order of the numbers
    /// they are, or of the alphabet.
    pub(super) classes: Vec<String>,
    /// Whether an image may be of any number of classes.
    pub(super) several: bool,
}

impl Labelled {
    /// Adds an image of a part and of these classes.
    pub(super) fn add(&mut self, part: Option<Split>, image: ImageFile, labels: Vec<String>) {
        self.parts.entry(part).or_default().push((image, labels));
    }

    /// The parts that are asked for of what is at `path`, with the classes of all parts.
    ///
    /// # Errors
    /// If there is no such part, or no image.
    pub(super) fn choose(
        mut self,
        kind: &'static str,
        path: &Path,
        split: Option<Split>,
    ) -> Result<Found, DataError> {
        if self.classes.is_empty() {
            let names = self.parts.values().flatten().flat_map(|(_, labels)| labels);
            self.classes = in_order(names.cloned().collect());
        }
        let places: BTreeMap<&str, usize> =
            self.classes.iter().enumerate().map(|(place, name)| (&name[..], place)).collect();
        let (mut images, mut sets) = (Vec::new(), Vec::new());
        let chosen = choose(path, self.parts.into_iter().collect(), split)?;
        for (image, labels) in chosen.parts.concat() {
            images.push(image);
            let set: BTreeSet<usize> = labels.iter().map(|label| places[&label[..]]).collect();
            sets.push(set.into_iter().collect::<Vec<usize>>());
        }
        if images.is_empty() {
            return Err(DataError::Empty { place: path.display().to_string() });
        }
        let labels = match self.several {
            true => Labels::Several(sets),
            false => Labels::One(sets.concat()),
        };
        let (split, samples) = (chosen.split, Samples::Files(images));
        Ok(Found { kind, split, classes: self.classes, samples, labels })
    }
}
