//! What can go wrong with data.

use std::path::{Path, PathBuf};

use brickwork_formats::NoMemory;
use thiserror::Error;

use crate::split::Split;

/// The image files that can be read, in words.
pub(crate) const IMAGE_FORMATS: &str = "PNG, JPEG, WebP, BMP, TIFF or GIF";

/// Why data could not be opened, decoded or prepared.
#[derive(Debug, Error)]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// The path holds nothing this crate knows.
    #[error(
        "{} is {found}, which is not a known kind of data. Known are: a folder of IDX files \
         (as MNIST has); CIFAR-10 or CIFAR-100 .bin files or their folder; a folder with one \
         folder of {} files per class, or with such folders under train/ and test/; a table (CSV, JSON) \
         of image files and their labels; an .npz or .safetensors file with the arrays `images` and `labels`, or \
         a folder of .npy files; WebDataset .tar files; Parquet files", path.display(), IMAGE_FORMATS
    )]
    Unrecognised {
        /// The file or folder.
        path: PathBuf,
        /// What it looks like instead.
        found: String,
    },
    /// The path holds more than one data set.
    #[error(
        "{} holds {} data sets: {}; open one of them, for example {}",
        path.display(), sets.len(), sets.join(", "), path.join(sets.first().map_or("", |set| set)).display()
    )]
    Several {
        /// The folder.
        path: PathBuf,
        /// What to append to the path to open each.
        sets: Vec<String>,
    },
    /// The data does not have the part that was asked for.
    #[error("{} has {}, but the {asked} part was asked for; ask for {}", path.display(), parts(found), instead(found))]
    NoSplit {
        /// The file or folder.
        path: PathBuf,
        /// The part asked for.
        asked: Split,
        /// The parts there are; none if the data is one whole.
        found: Vec<Split>,
    },
    /// The content contradicts itself or the format.
    #[error("{place}: {problem}")]
    Malformed {
        /// The file, and the array in it if there are several.
        place: String,
        /// What is wrong, what was expected and what to do.
        problem: String,
    },
    /// The file is shorter or longer than its header says.
    #[error(
        "{place}: the header announces {announced} bytes of data, but there are {found}; \
         the file is cut short or damaged, fetch it again"
    )]
    Length {
        /// The file, and the array in it if there are several.
        place: String,
        /// Bytes the header speaks of.
        announced: u64,
        /// Bytes there are, in words if they were not counted.
        found: String,
    },
    /// Not every image has one label.
    #[error("{place}: {images} images but {labels} labels; each image needs exactly one")]
    Counts {
        /// Where the images are.
        place: String,
        /// How many.
        images: usize,
        /// How many labels.
        labels: usize,
    },
    /// A label names no class.
    #[error(
        "{place}: label {index} is {label}, but the {classes} classes are numbered from 0; \
         correct the label or the list of class names"
    )]
    Label {
        /// Where the labels are.
        place: String,
        /// Which label, counted from 0.
        index: usize,
        /// Its value.
        label: i128,
        /// The number of classes.
        classes: usize,
    },
    /// There is not one sample.
    #[error("{place} holds no images")]
    Empty {
        /// The file or folder.
        place: String,
    },
    /// A floating-point image holds NaN or an infinity.
    #[error(
        "{place}: image {index} holds {value} at element {element}; only finite values are images"
    )]
    NotFinite {
        /// The file and the array in it.
        place: String,
        /// Which image, counted from 0.
        index: usize,
        /// Which of its elements, in the order of the file.
        element: usize,
        /// The value.
        value: f32,
    },
    /// An image file does not decode.
    #[error("cannot decode {}: {problem}; replace or remove the file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        problem: String,
    },
    /// Several image files do not decode.
    #[error("{} images cannot be read; replace or remove the files, or leave them out (`skip_bad=true`):{}", problems.len(), listed(problems))]
    SeveralUnreadable {
        /// Why each does not.
        problems: Vec<DataError>,
    },
    /// A sample index beyond the end.
    #[error("there is no sample {index} in {name}, which has {count}")]
    Index {
        /// The data set.
        name: String,
        /// The index asked for, counted from 0.
        index: usize,
        /// The number of samples.
        count: usize,
    },
    /// The preprocessing is impossible as it stands.
    #[error("preprocessing: {problem}")]
    Preprocess {
        /// Which value, and what is allowed.
        problem: String,
    },
    /// An image has another size than the model, and resizing was not asked for.
    #[error(
        "the image is {} by {} (height by width), expected {} by {}; \
         to resize and crop, ask for the fit \"cover\"", found[0], found[1], expected[0], expected[1]
    )]
    Size {
        /// Height and width the model takes.
        expected: [usize; 2],
        /// Height and width of the image.
        found: [usize; 2],
    },
    /// An image's channels cannot become the model's.
    #[error(
        "the image has {found} channels, expected {expected}; grey, RGB and RGBA can be converted"
    )]
    Channels {
        /// Channels the model takes.
        expected: usize,
        /// Channels of the image.
        found: usize,
    },
    /// One sample of a batch could not be prepared.
    #[error("{place}: {source}")]
    Sample {
        /// The image file, or the index and the data set.
        place: String,
        /// The reason.
        source: Box<DataError>,
    },
    /// A batch does not fit into memory.
    #[error(
        "a batch of {count} samples of {elements} numbers does not fit into memory; ask for fewer at a time"
    )]
    Memory {
        /// Samples in the batch.
        count: usize,
        /// Numbers in one sample.
        elements: usize,
    },
    /// There is not as much memory as what a file holds takes.
    #[error("{place}: {source}")]
    NoMemory {
        /// The file, and the array in it if there are several.
        place: String,
        /// How much that is.
        source: NoMemory,
    },
    /// The operating system gave no thread to decode in.
    #[error("cannot start a thread to decode images: {source}")]
    Thread {
        /// Its reason.
        source: std::io::Error,
    },
}

fn parts(found: &[Split]) -> String {
    match found {
        [] => "no train and test parts".to_owned(),
        found => {
            let names: Vec<String> = found.iter().map(ToString::to_string).collect();
            format!("only the {} part", names.join(" and "))
        }
    }
}

/// At most this many problems are written out.
const LISTED: usize = 20;

fn listed(problems: &[DataError]) -> String {
    let mut text = String::new();
    for problem in problems.iter().take(LISTED) {
        text.push_str("\n  ");
        match problem {
            DataError::Unreadable { path, problem } => {
                text.push_str(&format!("{}: {problem}", path.display()));
            }
            other => text.push_str(&other.to_string()),
        }
    }
    if problems.len() > LISTED {
        text.push_str(&format!("\n  and {} more", problems.len() - LISTED));
    }
    text
}

fn instead(found: &[Split]) -> &'static str {
    if found.is_empty() { "all of it" } else { "that one" }
}

impl DataError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// An empty list with room for `count` elements of what is at `place`.
    pub(crate) fn room<T>(place: &str, count: usize) -> Result<Vec<T>, Self> {
        let failed = |source| Self::NoMemory { place: place.to_owned(), source };
        brickwork_formats::room(count).map_err(failed)
    }

    pub(crate) fn malformed(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Malformed { place: place.into(), problem: problem.into() }
    }
}
