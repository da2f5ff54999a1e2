//! A labelled set of images.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use brickwork_tensor::Nd;
use rayon::prelude::*;

use crate::error::DataError;
use crate::image::{Image, Pixels};
use crate::samples::{Found, ImageFile, Labels, Samples};
use crate::sources::decode::{self, Decoded};
use crate::sources::{self, ImageArray};
use crate::split::Split;

/// Labelled images. Clones and subsets share the storage.
#[derive(Clone)]
pub struct Dataset {
    content: Arc<Content>,
    origins: Arc<[usize]>,
    labels: Arc<[usize]>,
    /// Where samples may be of several classes: all of each, rising.
    sets: Option<Arc<[Vec<usize>]>>,
    /// Where the stored samples stand in a larger set, if they are a part of one.
    larger: Option<Arc<Larger>>,
}

/// A larger set that some samples are a part of.
struct Larger {
    /// By stored sample: its place there.
    places: Vec<usize>,
    /// How many samples it has.
    count: usize,
}

struct Content {
    name: String,
    /// Samples that are stored.
    count: usize,
    kind: &'static str,
    split: Option<Split>,
    classes: Vec<String>,
    storage: Storage,
    /// For every image file, whether it was read and had to be turned.
    turned: Vec<AtomicBool>,
}

/// Where the samples are.
enum Storage {
    /// In this set.
    Own(Samples),
    /// In other sets, one after the other.
    Joined(Vec<Dataset>),
}

impl Dataset {
    /// Opens what is at `path`, recognised by its content:
    ///
    /// - a folder of IDX files, gzipped or not, whose names tell images from labels and training
    ///   from test. If it holds several sets, `path` is the folder and the start of their names;
    /// - CIFAR-10 or CIFAR-100 `.bin` files, one of them or their folder (fine labels are used);
    /// - a folder with one folder of PNG, JPEG, WebP, BMP, TIFF or GIF files per class, or with such
    ///   folders under `train`, `val` and `test`, or as these are also called;
    /// - a `.tar` file of images with their labels as WebDataset has them (`1.jpg` beside `1.cls` or
    ///   `1.json`), or a folder of such files, of which only what is needed is read;
    /// - an `.npz` or `.safetensors` file with `images` (`[n, c, h, w]`, `[n, h, w, c]` or
    ///   `[n, h, w]`; u8 or f32) and `labels` (`[n]`, any integers, or `[n, k]` of zeros and ones, of which
    ///   a row may hold several), or with both under
    ///   `train_` and `test_`. Safetensors metadata may name the classes: `class_names`, a JSON list.
    ///
    /// A folder with one folder of the first two kinds stands for that one. `None` joins all
    /// parts, training first. Image files are decoded when asked for; all else is held in memory.
    ///
    /// # Errors
    /// [`DataError::NoSplit`] if the data does not have that part; others if the data is not
    /// recognised, not consistent or not readable.
    pub fn open(path: impl AsRef<Path>, split: Option<Split>) -> Result<Self, DataError> {
        let path = path.as_ref();
        Ok(Self::of(name_of(path), sources::open(path, split)?))
    }

    /// Image files without labels, as one class without a name.
    pub fn of_files(name: impl Into<String>, files: Vec<PathBuf>) -> Self {
        let labels = Labels::One(vec![0; files.len()]);
        let files = files.into_iter().map(ImageFile::Own).collect();
        let (classes, samples) = (vec![String::new()], Samples::Files(files));
        let found = Found { kind: "image files", split: None, classes, samples, labels };
        Self::of(name.into(), found)
    }

    /// The same images, each of the classes that `sets` gives for it: their places in `classes`, rising.
    ///
    /// # Panics
    /// If there are not as many as images, or one is no class.
    pub fn labelled_as(&self, sets: Vec<Vec<usize>>, classes: Vec<String>) -> Self {
        assert_eq!(sets.len(), self.len(), "labels for every image");
        assert!(sets.iter().flatten().all(|&label| label < classes.len()), "known classes");
        let first = |set: &Vec<usize>| set.first().copied().unwrap_or(classes.len());
        let labels: Vec<usize> = sets.iter().map(first).collect();
        let sets = sets.iter().any(|set| set.len() != 1).then(|| Arc::from(sets));
        let Content { name, kind, split, .. } = &*self.content;
        let (name, kind, split) = (name.clone(), *kind, *split);
        let storage = Storage::Joined(vec![self.clone()]);
        let (count, turned) = (labels.len(), Vec::new());
        let content = Content { name, count, kind, split, classes, storage, turned };
        let (content, origins) = (Arc::new(content), (0..count).collect());
        Self { content, origins, labels: labels.into(), sets, larger: None }
    }

    /// The image files of a folder that holds nothing else: none in folders, no data of another kind.
    pub fn unlabelled_files(folder: impl AsRef<Path>) -> Option<Vec<PathBuf>> {
        let folder = folder.as_ref();
        let files = Self::files_in(folder).ok().filter(|files| !files.is_empty())?;
        files.iter().all(|file| file.parent() == Some(folder)).then_some(files)
    }

    /// Images in memory, with labels `[n]`, or `[n, k]` of zeros and ones, of which a row may hold several;
    /// without labels all are of one class without a name. Classes without names are called by numbers.
    ///
    /// # Errors
    /// If there are no images, they are not as many as labels, or a number is not finite.
    pub fn of_arrays(
        name: impl Into<String>,
        images: ImageArray,
        labels: Option<&Nd<i64>>,
        classes: Option<Vec<String>>,
    ) -> Result<Self, DataError> {
        let name = name.into();
        let found = sources::held(&name, images, labels, classes)?;
        Ok(Self::of(name, found))
    }

    /// All image files in a folder and below, files before folders.
    ///
    /// # Errors
    /// [`DataError::Io`] if a folder cannot be read; [`DataError::Malformed`] if they lie too deep.
    pub fn files_in(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, DataError> {
        sources::files_in(folder.as_ref())
    }

    /// Whether a path ends as those of image files do, of formats that are read or not.
    pub fn is_image_name(path: impl AsRef<Path>) -> bool {
        sources::is_image_name(path.as_ref())
    }

    fn of(name: String, found: Found) -> Self {
        let Found { kind, split, classes, samples, labels } = found;
        let mut first = labels.first();
        let sets = match labels {
            Labels::One(_) => None,
            Labels::Several(sets) => Some(sets),
        };
        let none = |index: usize| sets.as_ref().is_some_and(|sets| sets[index].is_empty());
        (0..first.len()).filter(|&k| none(k)).for_each(|k| first[k] = classes.len());
        let count = first.len();
        let origins = (0..count).collect();
        let files = if let Samples::Files(paths) = &samples { paths.len() } else { 0 };
        let turned = (0..files).map(|_| AtomicBool::new(false)).collect();
        let storage = Storage::Own(samples);
        let content = Content { name, count, kind, split, classes, storage, turned };
        let (labels, sets) = (first.into(), sets.map(Arc::from));
        Self { content: Arc::new(content), origins, labels, sets, larger: None }
    }

    /// The same images as a part of a larger set of `count` images, in which image `k` stands at `places[k]`.
    ///
    /// # Errors
    /// If there are not as many places as images, two are the same, or one is not below `count`.
    pub fn part_of(self, places: Vec<usize>, count: usize) -> Result<Self, DataError> {
        let wrong = |problem: String| {
            Err(DataError::Malformed { place: format!("places of {}", self.name()), problem })
        };
        if places.len() != self.len() || self.len() != self.content.count {
            return wrong(format!("{} for {} images", places.len(), self.len()));
        }
        if let Some(place) = places.iter().find(|place| **place >= count) {
            return wrong(format!("{place} is not below {count}, the images of all parts"));
        }
        let mut sorted = places.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong(format!("two images stand at {}", pair[0]));
        }
        Ok(Self { larger: Some(Arc::new(Larger { places, count })), ..self })
    }

    /// Whether it is a [part of](Self::part_of) a larger set.
    pub fn is_part(&self) -> bool {
        self.larger.is_some()
    }

    /// How many samples the set has that was opened, or that this one is a part of.
    pub fn whole_len(&self) -> usize {
        self.larger.as_ref().map_or(self.content.count, |larger| larger.count)
    }

    /// The `part`-th, from 0, of `parts` about equal portions of the samples; neighbours stay together. It is empty
    /// where there are fewer samples than portions.
    ///
    /// # Panics
    /// If `part` is not below `parts`.
    #[must_use]
    pub fn portion(&self, part: usize, parts: usize) -> Self {
        assert!(part < parts, "a portion of several");
        let range = part * self.len() / parts..(part + 1) * self.len() / parts;
        let sets = self.sets.as_ref().map(|sets| sets[range.clone()].into());
        Self {
            content: Arc::clone(&self.content),
            origins: self.origins[range.clone()].into(),
            labels: self.labels[range].into(),
            sets,
            larger: self.larger.clone(),
        }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none; only a subset can be empty.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The name of the file or folder it came from.
    pub fn name(&self) -> &str {
        &self.content.name
    }

    /// The names of all classes, by label. A subset has them all too.
    pub fn classes(&self) -> &[String] {
        &self.content.classes
    }

    /// The class of sample `index`: a position in [`Self::classes`]. Where samples may be of
    /// [several](Self::has_several), the first of them, or the number of classes if it is of none.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    /// Whether samples may be of several classes at once, or of none.
    pub fn has_several(&self) -> bool {
        self.sets.is_some()
    }

    /// All classes of sample `index`, rising.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn labels_of(&self, index: usize) -> &[usize] {
        match &self.sets {
            Some(sets) => &sets[index],
            None => std::slice::from_ref(&self.labels[index]),
        }
    }

    /// The set in which a sample stands once for each of its classes, and is of that class alone; samples
    /// of none are left out. Places are counted anew.
    ///
    /// # Errors
    /// If no sample is of any class, or the set is a part of a larger one, in which nobody can count.
    pub fn by_label(self) -> Result<Self, DataError> {
        let Some(sets) = self.sets.clone() else { return Ok(self) };
        if self.larger.is_some() {
            let problem = "images of several classes each, as a part of more of them, have no places by class; \
                           give all of them, or a path"
                .to_owned();
            return Err(DataError::Malformed { place: self.name().to_owned(), problem });
        }
        let pairs =
            || sets.iter().enumerate().flat_map(|(k, set)| set.iter().map(move |&c| (k, c)));
        let indices: Vec<usize> = pairs().map(|(index, _)| index).collect();
        if indices.is_empty() {
            return Err(DataError::Empty { place: self.name().to_owned() });
        }
        let labels: Vec<usize> = pairs().map(|(_, class)| class).collect();
        let (name, split) = (self.name().to_owned(), self.split());
        let mut single = self.subset(&indices)?;
        (single.labels, single.sets) = (labels.into(), None);
        let mut whole = Self::join(vec![single]);
        if let Some(content) = Arc::get_mut(&mut whole.content) {
            (content.name, content.split) = (name, split);
        }
        Ok(whole)
    }

    /// The class of every sample.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The index sample `index` has in the set that was opened, or in the larger one that it is a
    /// [part of](Self::part_of).
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn origin(&self, index: usize) -> usize {
        let stored = self.origins[index];
        self.larger.as_ref().map_or(stored, |larger| larger.places[stored])
    }

    /// Sample `index` as it was stored, turned as its EXIF data says.
    ///
    /// # Errors
    /// [`DataError::Index`] if there is no such sample; [`DataError::Io`] or
    /// [`DataError::Unreadable`], naming the file, if it does not decode.
    pub fn image(&self, index: usize) -> Result<Image, DataError> {
        let origin = *self.origins.get(index).ok_or_else(|| self.no_sample(index))?;
        match &self.content.storage {
            Storage::Own(Samples::Memory { shape, pixels }) => Samples::cut(*shape, pixels, origin),
            Storage::Own(Samples::Files(paths)) => {
                let Decoded { image, turned } = decode::read(&paths[origin])?;
                self.content.turned[origin].fetch_or(turned, Ordering::Relaxed);
                Ok(image)
            }
            Storage::Joined(parts) => {
                let (part, index) = part_of(parts, origin);
                part.image(index)
            }
        }
    }

    /// How many of the samples were turned as their EXIF data says, of those that were read so far.
    pub fn turned(&self) -> usize {
        let is_turned = |&&origin: &&usize| match &self.content.storage {
            Storage::Own(_) => {
                self.content.turned.get(origin).is_some_and(|turned| turned.load(Ordering::Relaxed))
            }
            Storage::Joined(parts) => {
                let (part, index) = part_of(parts, origin);
                part.subset(&[index]).is_ok_and(|one| one.turned() == 1)
            }
        };
        self.origins.iter().filter(is_turned).count()
    }

    /// Several data sets as one: their samples one after the other, their classes too, even where
    /// two are called the same. Samples that are of several classes count as of the first.
    pub fn join(parts: Vec<Self>) -> Self {
        let mut labels = Vec::new();
        let mut classes = Vec::new();
        for part in &parts {
            labels.extend(part.labels.iter().map(|label| label + classes.len()));
            classes.extend_from_slice(part.classes());
        }
        let names: Vec<&str> = parts.iter().map(Self::name).collect();
        let count = labels.len();
        let content = Content {
            name: names.join(" + "),
            count,
            kind: "several data sets",
            split: parts.first().and_then(|first| {
                first.split().filter(|_| parts.iter().all(|part| part.split() == first.split()))
            }),
            classes,
            storage: Storage::Joined(parts),
            turned: Vec::new(),
        };
        let (content, origins) = (Arc::new(content), (0..count).collect());
        Self { content, origins, labels: labels.into(), sets: None, larger: None }
    }

    /// Decodes every sample, in parallel, and lists all that fail. Arrays were checked when opened.
    pub fn check(&self) -> Vec<DataError> {
        match &self.content.storage {
            Storage::Own(Samples::Memory { .. }) => Vec::new(),
            _ => {
                let indices = (0..self.len()).into_par_iter();
                indices.filter_map(|index| self.image(index).err()).collect()
            }
        }
    }

    /// Why image files cannot be read that are not there, or whose names tell of a format that is not
    /// read: what can be known without decoding every one.
    pub fn unread(&self) -> Vec<DataError> {
        match &self.content.storage {
            Storage::Own(Samples::Memory { .. }) => Vec::new(),
            Storage::Own(Samples::Files(paths)) => {
                let paths = self.origins.par_iter().map(|&origin| &paths[origin]);
                paths.filter_map(sources::unread).collect()
            }
            Storage::Joined(parts) => parts.iter().flat_map(Self::unread).collect(),
        }
    }

    /// The samples that decode, and why the others do not, each with its [origin](Self::origin). Decodes every
    /// one, in parallel.
    ///
    /// # Errors
    /// As [`subset`](Self::subset).
    pub fn readable(self) -> Result<(Self, Vec<(usize, DataError)>), DataError> {
        if matches!(self.content.storage, Storage::Own(Samples::Memory { .. })) {
            return Ok((self, Vec::new()));
        }
        let read = |index| self.image(index).err().map(|problem| (index, problem));
        let bad: Vec<(usize, DataError)> =
            (0..self.len()).into_par_iter().filter_map(read).collect();
        let good = |index: &usize| bad.binary_search_by_key(index, |(index, _)| *index).is_err();
        let indices: Vec<usize> = (0..self.len()).filter(good).collect();
        let good = self.subset(&indices)?;
        let placed = |(index, problem): (usize, DataError)| (self.origin(index), problem);
        Ok((good, bad.into_iter().map(placed).collect()))
    }

    /// The samples at `indices`, in that order; an index may repeat.
    ///
    /// # Errors
    /// [`DataError::Index`] for the first index that is not below [`Self::len`].
    pub fn subset(&self, indices: &[usize]) -> Result<Self, DataError> {
        self.check_indices(indices)?;
        Ok(Self {
            content: Arc::clone(&self.content),
            origins: indices.iter().map(|&index| self.origins[index]).collect(),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            sets: self
                .sets
                .as_ref()
                .map(|sets| indices.iter().map(|&index| sets[index].clone()).collect()),
            larger: self.larger.clone(),
        })
    }

    /// The part that was read, if not all of them: that to validate on where there is none to test on.
    pub fn split(&self) -> Option<Split> {
        self.content.split
    }

    /// One line: name, kind, part, count, size and classes.
    pub fn describe(&self) -> String {
        let Content { name, kind, split, classes, storage, .. } = &*self.content;
        let part = split.map_or_else(String::new, |split| format!(", {split} part"));
        let size = match storage {
            Storage::Own(Samples::Memory { shape, .. }) => {
                format!("{} by {} by {}", shape.height, shape.width, shape.channels)
            }
            Storage::Own(Samples::Files(_)) | Storage::Joined(_) => "their own size".to_owned(),
        };
        format!("{name}: {kind}{part}, {} images of {size}, {} classes", self.len(), classes.len())
    }

    pub(crate) fn check_indices(&self, indices: &[usize]) -> Result<(), DataError> {
        match indices.iter().find(|&&index| index >= self.len()) {
            Some(&index) => Err(self.no_sample(index)),
            None => Ok(()),
        }
    }

    /// How people call sample `index`: its file, or its number in the data set.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn place(&self, index: usize) -> String {
        let origin = self.origins[index];
        match &self.content.storage {
            Storage::Own(Samples::Memory { .. }) => {
                format!("image {} of {}", self.origin(index), self.name())
            }
            Storage::Own(Samples::Files(paths)) => paths[origin].path().display().to_string(),
            Storage::Joined(parts) => {
                let (part, index) = part_of(parts, origin);
                part.place(index)
            }
        }
    }

    /// Gives `take` what tells sample `index` from others: its pixels, or where its file lies, how long it is and when it
    /// was written.
    ///
    /// # Errors
    /// [`DataError::Index`] if there is no such sample; [`DataError::Io`] if its file is gone.
    pub fn identify(&self, index: usize, take: &mut dyn FnMut(&[u8])) -> Result<(), DataError> {
        let origin = *self.origins.get(index).ok_or_else(|| self.no_sample(index))?;
        match &self.content.storage {
            Storage::Own(Samples::Memory { shape, pixels }) => {
                match Samples::cut(*shape, pixels, origin)?.pixels() {
                    Pixels::U8(bytes) => take(bytes),
                    Pixels::F32(numbers) => {
                        numbers.iter().for_each(|number| take(&number.to_le_bytes()));
                    }
                }
                Ok(())
            }
            Storage::Own(Samples::Files(files)) => files[origin].identify(take),
            Storage::Joined(parts) => {
                let (part, index) = part_of(parts, origin);
                part.identify(index, take)
            }
        }
    }

    fn no_sample(&self, index: usize) -> DataError {
        DataError::Index { name: self.name().to_owned(), index, count: self.len() }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({})", self.describe())
    }
}

fn name_of(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    let name = if full.is_file() { full.file_stem() } else { full.file_name() };
    name.map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The part that holds sample `index` of all of them together, and its index there.
fn part_of(parts: &[Dataset], mut index: usize) -> (&Dataset, usize) {
    for part in parts {
        if index < part.len() {
            return (part, index);
        }
        index -= part.len();
    }
    unreachable!("origins lie within the parts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Pixels;
    use crate::sources::fixtures::{self, counted};

    #[test]
    fn subsets_share_storage_and_remember_where_they_came_from() {
        let folder = fixtures::folder();
        let path = fixtures::arrays(&folder, &[4, 2, 2, 1], &counted(16), &[3, 2, 1, 0]);
        let data = Dataset::open(path, None).expect("opens");
        let part = data.subset(&[3, 1, 1]).expect("subset").subset(&[2, 0]).expect("subset");
        assert!(Arc::ptr_eq(&data.content, &part.content));
        assert_eq!((part.len(), part.labels()), (2, &[2, 0][..]));
        assert_eq!((part.origin(0), part.origin(1), part.label(1)), (1, 3, 0));
        assert_eq!(*part.image(1).expect("image").pixels(), Pixels::U8(vec![12, 13, 14, 15]));
        assert_eq!(part.classes().len(), 4);
        assert!(data.subset(&[]).expect("empty").is_empty());
        assert!(part.check().is_empty());
    }

    #[test]
    fn indices_beyond_the_end_are_refused() {
        let folder = fixtures::folder();
        let path = fixtures::arrays(&folder, &[1, 2, 2, 1], &counted(4), &[0]);
        let data = Dataset::open(path, None).expect("opens");
        let error = data.subset(&[0, 1]).expect_err("refused").to_string();
        assert_eq!(error, "there is no sample 1 in set, which has 1");
        assert!(matches!(data.image(1), Err(DataError::Index { index: 1, count: 1, .. })));
    }

    #[test]
    fn a_part_of_a_larger_set_knows_its_places_there() {
        let folder = fixtures::folder();
        let path = fixtures::arrays(&folder, &[4, 2, 2, 1], &counted(16), &[3, 2, 1, 0]);
        let data = Dataset::open(path, None).expect("opens");
        let part = data.clone().part_of(vec![9, 5, 7, 0], 10).expect("a part");
        assert_eq!((data.whole_len(), part.whole_len()), (4, 10));
        let some = part.portion(1, 2);
        assert_eq!((some.len(), some.origin(0), some.origin(1)), (2, 7, 0));
        assert_eq!(some.image(0).expect("there"), data.image(2).expect("there"));
        assert_eq!(some.place(0), "image 7 of set");
        let lengths: Vec<usize> = (0..5).map(|k| data.portion(k, 5).len()).collect();
        assert_eq!(lengths, [0, 1, 1, 1, 1]);
        let refused = |places: &[usize], why: &str| {
            let said = data.clone().part_of(places.to_vec(), 10).expect_err("refused").to_string();
            assert!(said.contains(why), "{said}");
        };
        refused(&[1, 2, 3], "3 for 4 images");
        refused(&[1, 2, 3, 10], "10 is not below 10");
        refused(&[1, 2, 3, 2], "two images stand at 2");
    }

    #[test]
    fn joined_sets_keep_their_samples_and_classes() {
        let folder = fixtures::folder();
        let a = fixtures::arrays(&folder, &[3, 1, 2, 2], &counted(12), &[0, 1, 0]);
        let a = Dataset::open(a, None).expect("opens");
        let b = a.subset(&[2, 1]).expect("subset");
        let both = Dataset::join(vec![a.clone(), b.clone()]);
        assert_eq!(both.len(), 5);
        assert_eq!(both.classes(), [a.classes(), b.classes()].concat());
        assert_eq!(both.labels(), [0, 1, 0, 2, 3]);
        let same = |index: usize, of: &Dataset, at: usize| {
            both.image(index).expect("there") == of.image(at).expect("there")
        };
        assert!((0..3).all(|k| same(k, &a, k)) && (0..2).all(|k| same(3 + k, &b, k)));
        let some = both.subset(&[4, 0]).expect("subset");
        assert_eq!(some.image(0).expect("there"), a.image(1).expect("there"));
        assert!(both.image(5).is_err());
    }
}
