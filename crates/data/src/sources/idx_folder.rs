//! IDX files in a folder: which images go with which labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::{self, Entry};
use super::idx::{self, Kind};
use super::parts::choose;
use super::stream::Stream;
use crate::error::DataError;
use crate::image::Pixels;
use crate::samples::{Block, Found, Labels, join};
use crate::split::Split;

/// Words that end the part of a name that a whole data set shares.
const AFTER_PREFIX: [&str; 5] = ["train", "t10k", "test", "images", "labels"];

/// Words that tell two files of a pair apart.
const OWN_WORDS: [&str; 4] = ["images", "labels", "idx3", "idx1"];

/// Names of the classes, one a line, where there are any; behind its name and `-` for a named set.
const NAMES: &str = "classes.txt";

/// An IDX file.
pub(super) struct IdxFile {
    name: String,
    path: PathBuf,
    kind: Kind,
}

impl IdxFile {
    /// What its data set is called: nothing for the names MNIST itself has.
    fn prefix(&self) -> &str {
        let known = AFTER_PREFIX.iter().filter_map(|word| self.name.find(word));
        let mut words = self.name.split_inclusive(|c: char| !c.is_alphanumeric());
        let mut before = 0;
        let part = words.find_map(|word| {
            before += word.len();
            Split::in_words(word).map(|_| before - word.len())
        });
        let end = known.chain(part).min();
        self.name[..end.unwrap_or(0)].trim_end_matches(['-', '_', '.', ' '])
    }

    /// What images and their labels have in common.
    fn pair(&self) -> String {
        OWN_WORDS.iter().fold(unpacked(&self.name).to_owned(), |key, word| key.replace(word, ""))
    }
}

/// Images and their labels.
struct Pair {
    images: PathBuf,
    labels: Vec<usize>,
}

/// Whether a folder has IDX files.
pub(super) fn is_in(entries: &[Entry]) -> Result<bool, DataError> {
    for entry in entries.iter().filter(|entry| is_candidate(entry)) {
        if idx::kind(&files::start(&entry.path)?).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The IDX files whose names begin with `start`; a packed file beside itself unpacked is left out.
pub(super) fn find(entries: &[Entry], start: &str) -> Result<Vec<IdxFile>, DataError> {
    let mut found = Vec::new();
    let named = |entry: &&Entry| is_candidate(entry) && entry.name.starts_with(start);
    for entry in entries.iter().filter(named) {
        if let Some(kind) = idx::kind(&files::start(&entry.path)?) {
            found.push(IdxFile { name: entry.name.clone(), path: entry.path.clone(), kind });
        }
    }
    let names: BTreeSet<String> = found.iter().map(|file| file.name.clone()).collect();
    let doubled = |name: &str| unpacked(name) != name && names.contains(unpacked(name));
    found.retain(|file| !doubled(&file.name));
    Ok(found)
}

/// Opens the one data set among `files`; one called `start` goes before longer names.
pub(super) fn open(
    folder: &Path,
    mut files: Vec<IdxFile>,
    start: &str,
    split: Option<Split>,
) -> Result<Found, DataError> {
    let mut sets: BTreeSet<&str> = files.iter().map(IdxFile::prefix).collect();
    if !start.is_empty() && sets.contains(start) {
        sets = BTreeSet::from([start]);
    }
    if sets.len() > 1 {
        return Err(several(folder, &sets));
    }
    let set: String = sets.into_iter().collect();
    files.retain(|file| file.prefix() == set);
    let parts = pairs(files)?;
    let count = parts.iter().flat_map(|(_, pair)| &pair.labels).max().map_or(0, |max| max + 1);
    let classes = names(folder, &set, count)?;
    let chosen = choose(folder, parts, split)?;
    let blocks = chosen.parts.into_iter().map(read);
    let (samples, labels) = join(folder.display().to_string(), blocks)?;
    let (split, labels) = (chosen.split, Labels::One(labels));
    Ok(Found { kind: "IDX files", split, classes, samples, labels })
}

/// The names in `classes.txt` beside the files, or numbers.
fn names(folder: &Path, set: &str, count: usize) -> Result<Vec<String>, DataError> {
    let path = match set {
        "" => folder.join(NAMES),
        set => folder.join(format!("{set}-{NAMES}")),
    };
    let Some(names) = files::lines(&path)? else {
        return Ok((0..count).map(|class| class.to_string()).collect());
    };
    if names.len() < count {
        let problem = format!(
            "names {} classes, but there are labels up to {}; write one name a line",
            names.len(),
            count - 1
        );
        return Err(DataError::malformed(path.display().to_string(), problem));
    }
    Ok(names)
}

fn several(folder: &Path, sets: &BTreeSet<&str>) -> DataError {
    let names: Vec<String> =
        sets.iter().filter(|set| !set.is_empty()).map(ToString::to_string).collect();
    if names.len() == sets.len() {
        return DataError::Several { path: folder.into(), sets: names };
    }
    let problem = format!(
        "some IDX files begin with the name of a data set ({}), others with none; give each set \
         a folder of its own",
        names.join(", ")
    );
    DataError::malformed(folder.display().to_string(), problem)
}

/// Labels are small and all are read: the number of classes must not depend on the part.
fn pairs(files: Vec<IdxFile>) -> Result<Vec<(Option<Split>, Pair)>, DataError> {
    let mut halves: BTreeMap<(String, Option<Split>), Vec<IdxFile>> = BTreeMap::new();
    for file in files {
        halves.entry((file.pair(), Split::of_name(&file.name))).or_default().push(file);
    }
    halves
        .into_iter()
        .map(|((_, split), mut halves)| {
            halves.sort_by_key(|half| half.kind != Kind::Images);
            match halves.as_slice() {
                [images, labels] if images.kind != labels.kind => {
                    let labels = idx::labels(Stream::open(&labels.path)?)?;
                    Ok((split, Pair { images: images.path.clone(), labels }))
                }
                others => Err(unpaired(others)),
            }
        })
        .collect()
}

fn unpaired(files: &[IdxFile]) -> DataError {
    let names: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
    let problem = "expected two IDX files, one of images and one of labels, whose names differ \
                   in no more than `images` and `labels` and `idx3` and `idx1`";
    DataError::malformed(names.join(", "), problem)
}

fn read(pair: Pair) -> Result<Block, DataError> {
    let (shape, pixels) = idx::images(Stream::open(&pair.images)?)?;
    Block::new(pair.images.display().to_string(), shape, Pixels::U8(pixels), pair.labels)
}

fn is_candidate(entry: &Entry) -> bool {
    !entry.is_folder && !files::is_image_name(&entry.name)
}

fn unpacked(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use crate::sources::fixtures::{self, counted, file, gzip, idx_images, idx_labels};
    use tempfile::TempDir;

    fn add(folder: &TempDir, prefix: &str, part: &str, labels: &[u8], packed: bool) {
        for (word, bytes) in
            [("images-idx3", idx_images(labels.len(), 2, 3)), ("labels-idx1", idx_labels(labels))]
        {
            let name = format!("{prefix}{part}-{word}-ubyte");
            match packed {
                true => file(folder, &format!("{name}.gz"), &gzip(&bytes)),
                false => file(folder, &name, &bytes),
            };
        }
    }

    fn mnist(packed: bool) -> TempDir {
        let folder = fixtures::folder();
        add(&folder, "", "train", &[0, 1, 2], packed);
        add(&folder, "", "t10k", &[1, 4], packed);
        folder
    }

    #[test]
    fn packed_or_not_both_parts_open() {
        for packed in [false, true] {
            let folder = mnist(packed);
            let open = |split| Dataset::open(folder.path(), split).expect("opens");
            assert_eq!(open(Some(Split::Train)).labels(), [0, 1, 2]);
            assert_eq!(open(Some(Split::Test)).labels(), [1, 4]);
            let all = open(None);
            assert_eq!((all.labels(), all.classes().len()), (&[0, 1, 2, 1, 4][..], 5));
            let image = all.image(1).expect("image");
            assert_eq!((image.height(), image.width(), image.channels()), (2, 3, 1));
            assert_eq!(*image.pixels(), Pixels::U8(counted(12)[6..].to_vec()));
            assert!(all.describe().contains("IDX files, 5 images of 2 by 3 by 1, 5 classes"));
        }
    }

    #[test]
    fn classes_may_have_names() {
        let folder = mnist(false);
        let open = || Dataset::open(folder.path(), Some(Split::Train));
        assert_eq!(open().expect("opens").classes(), ["0", "1", "2", "3", "4"]);
        file(&folder, "classes.txt", b"bag\n coat \r\n\nhat\nshoe\nsock\n");
        assert_eq!(open().expect("opens").classes(), ["bag", "coat", "hat", "shoe", "sock"]);
        file(&folder, "classes.txt", b"bag\ncoat\n");
        let few = open().expect_err("refused").to_string();
        assert!(few.contains("classes.txt: names 2 classes"), "{few}");
        let folder = fixtures::folder();
        add(&folder, "shop-", "train", &[0, 1], true);
        file(&folder, "shop-classes.txt", b"bag\ncoat\n");
        assert_eq!(Dataset::open(folder.path(), None).expect("opens").classes(), ["bag", "coat"]);
    }

    #[test]
    fn packed_copies_do_not_count_twice_and_one_folder_is_entered() {
        let folder = fixtures::folder();
        add(&folder, "raw/", "train", &[0, 1], false);
        add(&folder, "raw/", "train", &[0, 1], true);
        assert_eq!(Dataset::open(folder.path(), None).expect("opens").len(), 2);
    }

    #[test]
    fn several_sets_are_listed_and_prefixes_choose() {
        let folder = fixtures::folder();
        add(&folder, "mnist-", "train-2", &[0, 1], true);
        add(&folder, "mnist-", "t10k-1", &[3], true);
        add(&folder, "fashion-mnist-", "train-2", &[5, 1], true);
        let refused = Dataset::open(folder.path(), None).expect_err("refused");
        assert!(refused.to_string().contains("2 data sets: fashion-mnist, mnist;"), "{refused}");
        let open = |name, split| Dataset::open(folder.path().join(name), split);
        assert_eq!(open("mnist", None).expect("exact").labels(), [0, 1, 3]);
        assert_eq!(open("mnist", None).expect("exact").name(), "mnist");
        assert_eq!(open("fash", None).expect("start").labels(), [5, 1]);
        assert!(matches!(open("letters", None), Err(DataError::Io { .. })));
        let missing = open("fashion", Some(Split::Test)).expect_err("refused").to_string();
        assert!(missing.contains("has only the train part"), "{missing}");
        add(&folder, "", "train", &[0], false);
        let mixed = Dataset::open(folder.path(), None).expect_err("refused").to_string();
        assert!(mixed.contains("folder of its own"), "{mixed}");
    }

    #[test]
    fn lies_are_refused() {
        let refuse = |images: &[u8], labels: &[u8]| {
            let folder = fixtures::folder();
            file(&folder, "train-images-idx3-ubyte", images);
            file(&folder, "train-labels-idx1-ubyte", labels);
            Dataset::open(folder.path(), None).expect_err("refused")
        };
        let counts = refuse(&idx_images(3, 2, 2), &idx_labels(&[1, 2]));
        assert!(matches!(counts, DataError::Counts { images: 3, labels: 2, .. }), "{counts}");
        let flat = refuse(&idx_images(2, 0, 2), &idx_labels(&[1, 2]));
        assert!(flat.to_string().contains("height 0"), "{flat}");
        let none = refuse(&idx_images(0, 2, 2), &idx_labels(&[]));
        assert!(matches!(none, DataError::Empty { .. }), "{none}");
        let cut = refuse(&idx_images(2, 2, 2)[..20], &idx_labels(&[1, 2]));
        assert!(matches!(cut, DataError::Length { announced: 8, .. }), "{cut}");
        let cut = refuse(&idx_images(2, 2, 2)[..9], &idx_labels(&[1, 2]));
        assert!(cut.to_string().contains("train-images"), "{cut}");
        let long = refuse(&[idx_images(2, 2, 2), vec![0]].concat(), &idx_labels(&[1, 2]));
        assert!(matches!(long, DataError::Length { .. }), "{long}");
        let bomb =
            refuse(&gzip(&[idx_images(1, 2, 2), vec![0; 1 << 20]].concat()), &idx_labels(&[1]));
        assert!(matches!(&bomb, DataError::Length { found, .. } if found == "more"), "{bomb}");
        let torn = gzip(&idx_images(9, 9, 9));
        let torn = refuse(&torn[..torn.len() / 2], &idx_labels(&[1; 9]));
        assert!(torn.to_string().contains("cut short"), "{torn}");
    }

    #[test]
    fn differing_sizes_and_lonely_files_are_refused() {
        let folder = mnist(false);
        file(&folder, "t10k-images-idx3-ubyte", &idx_images(2, 3, 3));
        assert!(Dataset::open(folder.path(), Some(Split::Test)).is_ok());
        let differ = Dataset::open(folder.path(), None).expect_err("refused").to_string();
        assert!(differ.contains("3 by 3 by 1, but"), "{differ}");
        std::fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).expect("removes");
        let lonely = Dataset::open(folder.path(), None).expect_err("refused").to_string();
        assert!(lonely.contains("t10k-images") && lonely.contains("expected two"), "{lonely}");
        let single = Dataset::open(folder.path().join("t10k-images-idx3-ubyte"), None);
        assert!(single.expect_err("refused").to_string().contains("is one IDX file"));
    }
}
