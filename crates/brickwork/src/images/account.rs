//! What data holds of a model's classes, so that no figure is of less than it seems.

use brickwork_data::{Dataset, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::images::matching::{MatchedBy, Matching, Respelt};
use crate::model::names::first_few;

/// A file that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    /// Its place in the data set; none where places are counted by class.
    pub(crate) place: Option<usize>,
    /// The file, and the reason.
    pub(crate) why: String,
}

/// Images of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClassImages {
    /// Its name in the data.
    pub class: String,
    /// How many.
    pub images: usize,
}

/// What one data set holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetAccount {
    /// The data set.
    pub name: String,
    /// The part of it that was read, if not all of it: that to validate on where there is none to test on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Images in it.
    pub images: usize,
    /// Those of the model's classes.
    pub matched: usize,
    /// By what its classes were told to be the model's.
    pub by: MatchedBy,
    /// Classes that it spells otherwise than the model.
    pub respelt: Vec<Respelt>,
    /// Its classes that are none of the model's, where they have images.
    pub foreign: Vec<ClassImages>,
    /// Files that were left out, with the reason.
    pub left_out: Vec<String>,
}

impl SetAccount {
    /// What `dataset` holds of the classes `model`.
    pub(crate) fn new(
        name: String,
        dataset: &Dataset,
        matching: &Matching,
        model: &[String],
        left_out: &[LeftOut],
    ) -> Self {
        let mut counts = vec![0; dataset.classes().len()];
        let labels = (0..dataset.len()).flat_map(|index| dataset.labels_of(index));
        labels.for_each(|&label| {
            if let Some(count) = counts.get_mut(label) {
                *count += 1;
            }
        });
        let classes = dataset.classes().iter().zip(&counts).zip(&matching.class_of);
        let foreign = classes
            .filter(|((_, count), class)| class.is_none() && **count > 0)
            .map(|((name, &images), _)| ClassImages { class: name.clone(), images })
            .collect::<Vec<_>>();
        let images = dataset.len();
        let known = |index: &usize| {
            let mut labels = dataset.labels_of(*index).iter();
            labels.any(|&label| matching.class_of.get(label).is_some_and(Option::is_some))
        };
        let matched = (0..images).filter(known).count();
        Self {
            name,
            split: dataset.split(),
            images,
            matched,
            by: matching.by,
            respelt: matching.respelt(dataset.classes(), model),
            foreign,
            left_out: left_out.iter().map(|file| file.why.clone()).collect(),
        }
    }

    /// What a user should know of it, in sentences.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let Self { name, images, matched, respelt, foreign, left_out, .. } = self;
        let mut remarks = Vec::new();
        if !respelt.is_empty() {
            let pairs: Vec<String> =
                respelt.iter().map(|pair| format!("{} is {}", pair.data, pair.model)).collect();
            remarks.push(format!("{name}: classes spelt otherwise: {}", first_few(&pairs)));
        }
        if !foreign.is_empty() {
            let classes: Vec<String> =
                foreign.iter().map(|one| format!("{} ({})", one.class, one.images)).collect();
            remarks.push(format!(
                "{name}: {matched} of {images} images are of the model's classes; none of them are {}",
                first_few(&classes)
            ));
        }
        if !left_out.is_empty() {
            remarks.push(format!(
                "{name}: {} files left out: {}",
                left_out.len(),
                first_few(left_out)
            ));
        }
        remarks
    }
}

/// What was taken of a data set by work that asks for no class of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TakenSet {
    /// The data set.
    pub name: String,
    /// Images in it.
    pub images: usize,
    /// Those that were taken.
    pub taken: usize,
    /// Its classes of which none was taken, where they have images.
    pub untouched: Vec<ClassImages>,
    /// Files that were left out, with the reason.
    pub left_out: Vec<String>,
}

impl TakenSet {
    /// Of `dataset`, the images at `taken`.
    pub(crate) fn new(
        name: String,
        dataset: &Dataset,
        taken: &[usize],
        left_out: &[LeftOut],
    ) -> Self {
        let classes = dataset.classes();
        let mut counts = vec![[0, 0]; classes.len()];
        let mut count = |index: usize, kind: usize| {
            for &label in dataset.labels_of(index) {
                counts[label][kind] += 1;
            }
        };
        (0..dataset.len()).for_each(|index| count(index, 0));
        taken.iter().for_each(|&index| count(index, 1));
        let untouched =
            classes.iter().zip(counts).filter(|(_, [all, taken])| *all > 0 && *taken == 0);
        let untouched =
            untouched.map(|(class, [images, _])| ClassImages { class: class.clone(), images });
        Self {
            images: dataset.len(),
            taken: taken.len(),
            untouched: untouched.collect(),
            name,
            left_out: left_out.iter().map(|file| file.why.clone()).collect(),
        }
    }

    /// In a line, without what was left out.
    pub fn words(&self) -> String {
        let Self { name, images, taken, untouched, .. } = self;
        let classes: Vec<String> =
            untouched.iter().map(|one| format!("{} ({})", one.class, one.images)).collect();
        let none = match classes.is_empty() {
            true => String::new(),
            false => format!(", none of {}", first_few(&classes)),
        };
        format!("{taken} of {images} images of {name}{none}")
    }

    /// What was left out, in a sentence.
    pub(crate) fn remark(&self) -> Option<String> {
        let Self { name, left_out, .. } = self;
        let count = left_out.len();
        (count > 0).then(|| format!("{name}: {count} files left out: {}", first_few(left_out)))
    }
}

/// What all data sets hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DataAccount {
    /// Every data set.
    pub sets: Vec<SetAccount>,
    /// Classes that were asked for and of which there is no image.
    pub without_images: Vec<String>,
}

impl DataAccount {
    /// Which of `asked` classes have no image, in a sentence, if there are any.
    pub(crate) fn missing(&self, asked: usize) -> Option<String> {
        let missing = &self.without_images;
        let (count, names) = (missing.len(), first_few(missing));
        (count > 0).then(|| format!("there is no image of {count} of the {asked} classes: {names}"))
    }
}
