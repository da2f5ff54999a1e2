//! CIFAR-10 and CIFAR-100: records of label bytes and a 32 by 32 RGB image, `[c, h, w]`.

use std::path::{Path, PathBuf};

use brickwork_formats::read_whole;
use rayon::prelude::*;

use super::cifar_names;
use super::files::{self, Entry};
use super::parts::choose;
use crate::error::DataError;
use crate::image::Pixels;
use crate::samples::{Block, Found, Labels, Shape, interleave, join};
use crate::split::Split;

const SHAPE: Shape = Shape { height: 32, width: 32, channels: 3 };

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// One label byte.
    Ten,
    /// A coarse and a fine label byte; the fine one counts.
    Hundred,
}

impl Flavour {
    /// The one whose records fill the file; if both do, the one whose files have such names.
    pub(super) fn of_file(path: &Path, length: u64) -> Result<Option<Self>, DataError> {
        let fills = |flavour: Self| length > 0 && length.is_multiple_of(flavour.record() as u64);
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        match (fills(Self::Ten), fills(Self::Hundred)) {
            (true, false) => Ok(Some(Self::Ten)),
            (false, true) => Ok(Some(Self::Hundred)),
            (false, false) => Ok(None),
            (true, true) if name.contains("batch") => Ok(Some(Self::Ten)),
            (true, true) if is_hundred_name(&name) => Ok(Some(Self::Hundred)),
            (true, true) => Err(DataError::malformed(
                path.display().to_string(),
                format!(
                    "its {length} bytes may be CIFAR-10 or CIFAR-100 records; name it \
                     test_batch.bin for CIFAR-10, test.bin for CIFAR-100"
                ),
            )),
        }
    }

    fn label_bytes(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }

    fn record(self) -> usize {
        self.label_bytes() + SHAPE.volume()
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Ten => "CIFAR-10 records",
            Self::Hundred => "CIFAR-100 records",
        }
    }

    /// The names in the file that comes with the records, or the well-known ones.
    fn classes(self, folder: &Path) -> Result<Vec<String>, DataError> {
        let (file, known) = match self {
            Self::Ten => ("batches.meta.txt", &cifar_names::TEN[..]),
            Self::Hundred => ("fine_label_names.txt", &cifar_names::HUNDRED[..]),
        };
        let names = files::lines(&folder.join(file))?;
        Ok(names.unwrap_or_else(|| known.iter().map(ToString::to_string).collect()))
    }
}

/// Whether a folder has files named as those of CIFAR are.
pub(super) fn is_in(entries: &[Entry]) -> bool {
    entries.iter().any(is_record_file)
}

/// The records in `folder`.
pub(super) fn open_folder(
    folder: &Path,
    entries: &[Entry],
    split: Option<Split>,
) -> Result<Found, DataError> {
    let files: Vec<&Entry> = entries.iter().filter(|entry| is_record_file(entry)).collect();
    let mut flavours = Vec::new();
    for entry in &files {
        let length =
            std::fs::metadata(&entry.path).map_err(|e| DataError::io(&entry.path, e))?.len();
        flavours
            .push(Flavour::of_file(&entry.path, length)?.ok_or_else(|| torn(&entry.path, length))?);
    }
    match flavours.as_slice() {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => {
            let parts = files.iter().map(|entry| (Split::of_name(&entry.name), entry.path.clone()));
            open(folder, folder, *first, parts.collect(), split)
        }
        _ => {
            let sets = files.iter().map(|entry| entry.name.clone()).collect();
            Err(DataError::Several { path: folder.into(), sets })
        }
    }
}

/// The records in one file.
pub(super) fn open_file(
    path: &Path,
    flavour: Flavour,
    split: Option<Split>,
) -> Result<Found, DataError> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let parts = vec![(Split::of_name(&name), path.to_owned())];
    open(path, path.parent().unwrap_or(Path::new("")), flavour, parts, split)
}

fn open(
    path: &Path,
    folder: &Path,
    flavour: Flavour,
    parts: Vec<(Option<Split>, PathBuf)>,
    split: Option<Split>,
) -> Result<Found, DataError> {
    let classes = flavour.classes(folder)?;
    let chosen = choose(path, parts, split)?;
    let blocks = chosen.parts.iter().map(|file| read(file, flavour)?.within(classes.len()));
    let (samples, labels) = join(path.display().to_string(), blocks)?;
    let (split, labels) = (chosen.split, Labels::One(labels));
    Ok(Found { kind: flavour.kind(), split, classes, samples, labels })
}

fn read(path: &Path, flavour: Flavour) -> Result<Block, DataError> {
    let bytes = read_whole(path).map_err(|error| DataError::io(path, error))?;
    if !bytes.len().is_multiple_of(flavour.record()) {
        return Err(torn(path, bytes.len() as u64));
    }
    let label = flavour.label_bytes() - 1;
    let labels = bytes.chunks_exact(flavour.record()).map(|record| record[label].into()).collect();
    let place = path.display().to_string();
    let count = bytes.len() / flavour.record() * SHAPE.volume();
    let mut pixels = DataError::room(&place, count)?;
    pixels.resize(count, 0);
    pixels
        .par_chunks_exact_mut(SHAPE.volume())
        .zip(bytes.par_chunks_exact(flavour.record()))
        .for_each(|(out, record)| interleave(&record[label + 1..], SHAPE.channels, out));
    Block::new(place, SHAPE, Pixels::U8(pixels), labels)
}

fn torn(path: &Path, length: u64) -> DataError {
    let problem = format!(
        "{length} bytes are not a whole number of CIFAR-10 records ({} bytes) or CIFAR-100 \
         records ({} bytes); the file is cut short or damaged, fetch it again",
        Flavour::Ten.record(),
        Flavour::Hundred.record()
    );
    DataError::malformed(path.display().to_string(), problem)
}

fn is_record_file(entry: &Entry) -> bool {
    let name = entry.name.as_str();
    let is_ten = name == "test_batch.bin"
        || name.starts_with("data_batch") && files::has_ending(name, &["bin"]);
    !entry.is_folder && (is_ten || is_hundred_name(name))
}

fn is_hundred_name(name: &str) -> bool {
    matches!(name, "train.bin" | "test.bin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use crate::sources::fixtures::{self, file, records};

    #[test]
    fn batches_join_and_the_folder_around_them_is_entered() {
        let folder = fixtures::folder();
        file(&folder, "inner/data_batch_2.bin", &records(&[&[9]]));
        file(&folder, "inner/data_batch_1.bin", &records(&[&[3], &[0]]));
        file(&folder, "inner/test_batch.bin", &records(&[&[7]]));
        file(&folder, "other/readme.txt", b"hello");
        for path in [folder.path().join("inner"), folder.path().to_owned()] {
            let train = Dataset::open(&path, Some(Split::Train)).expect("train");
            assert_eq!(train.labels(), [3, 0, 9]);
            assert_eq!(train.classes()[3], "cat");
            assert_eq!(Dataset::open(&path, Some(Split::Test)).expect("test").labels(), [7]);
            assert_eq!(Dataset::open(&path, None).expect("all").labels(), [3, 0, 9, 7]);
        }
        let image = Dataset::open(folder.path(), None).expect("all").image(3).expect("image");
        let Pixels::U8(pixels) = image.pixels() else { panic!("u8") };
        assert_eq!(pixels[..6], [0, 0, 0, 1, 1, 1], "all planes count alike");
    }

    #[test]
    fn fine_labels_and_names_beside_the_file_count() {
        let folder = fixtures::folder();
        let path = file(&folder, "test.bin", &records(&[&[11, 99], &[2, 40]]));
        let data = Dataset::open(&path, Some(Split::Test)).expect("opens");
        assert_eq!(data.labels(), [99, 40]);
        assert_eq!((&*data.classes()[99], &*data.classes()[40]), ("worm", "lamp"));
        assert!(matches!(
            Dataset::open(&path, Some(Split::Train)),
            Err(DataError::NoSplit { found, .. }) if found == [Split::Test]
        ));
        file(&folder, "fine_label_names.txt", b"a\nb\n\n");
        let few = Dataset::open(&path, None).expect_err("refused");
        assert!(matches!(few, DataError::Label { index: 0, label: 99, classes: 2, .. }), "{few}");
    }

    #[test]
    fn the_length_decides_the_flavour() {
        let flavour = |name, length| Flavour::of_file(Path::new(name), length);
        assert_eq!(flavour("x.bin", 3073 * 5).expect("ten"), Some(Flavour::Ten));
        assert_eq!(flavour("x.bin", 3074 * 5).expect("hundred"), Some(Flavour::Hundred));
        assert_eq!(flavour("x.bin", 0).expect("none"), None);
        let both = 3073 * 3074;
        assert_eq!(flavour("test_batch.bin", both).expect("ten"), Some(Flavour::Ten));
        assert_eq!(flavour("test.bin", both).expect("hundred"), Some(Flavour::Hundred));
        assert!(flavour("x.bin", both).expect_err("refused").to_string().contains("may be"));
    }

    #[test]
    fn torn_files_wrong_labels_and_mixtures_are_refused() {
        let folder = fixtures::folder();
        file(&folder, "test_batch.bin", &records(&[&[1], &[10]]));
        let label = Dataset::open(folder.path(), None).expect_err("refused");
        assert!(matches!(label, DataError::Label { index: 1, label: 10, .. }), "{label}");
        file(&folder, "test_batch.bin", &records(&[&[1]])[1..]);
        let torn = Dataset::open(folder.path(), None).expect_err("refused").to_string();
        assert!(torn.contains("test_batch.bin: 3072 bytes"), "{torn}");
        file(&folder, "test_batch.bin", &records(&[&[1]]));
        file(&folder, "test.bin", &records(&[&[1, 2]]));
        assert!(matches!(Dataset::open(folder.path(), None), Err(DataError::Several { .. })));
    }

    #[test]
    fn all_well_known_names_are_different_and_sorted() {
        for names in [&cifar_names::TEN[..], &cifar_names::HUNDRED] {
            assert!(names.is_sorted_by(|a, b| a < b));
        }
    }
}
