//! Images with the names of their classes, by the part that they are of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::parts::choose;
use super::tree::in_order;
use crate::error::DataError;
use crate::samples::{Found, ImageFile, Samples};
use crate::split::Split;

/// Images as they are found.
#[derive(Default)]
pub(super) struct Labelled(BTreeMap<Option<Split>, Vec<(ImageFile, String)>>);

impl Labelled {
    /// Adds an image of a part.
    pub(super) fn add(&mut self, part: Option<Split>, image: ImageFile, label: String) {
        self.0.entry(part).or_default().push((image, label));
    }

    /// The parts that are asked for of what is at `path`, with the classes of all parts: in the order of
    /// the numbers they are, or of the alphabet.
    ///
    /// # Errors
    /// If there is no such part, or no image.
    pub(super) fn choose(
        self,
        kind: &'static str,
        path: &Path,
        split: Option<Split>,
    ) -> Result<Found, DataError> {
        let names: BTreeSet<String> =
            self.0.values().flatten().map(|(_, label)| label.clone()).collect();
        let classes = in_order(names);
        let places: BTreeMap<&str, usize> =
            classes.iter().enumerate().map(|(place, name)| (&name[..], place)).collect();
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for (image, label) in choose(path, self.0.into_iter().collect(), split)?.concat() {
            images.push(image);
            labels.push(places[&label[..]]);
        }
        if images.is_empty() {
            return Err(DataError::Empty { place: path.display().to_string() });
        }
        Ok(Found { kind, classes, samples: Samples::Files(images), labels })
    }
}
