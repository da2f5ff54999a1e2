//! How samples are held: arrays of equal images in memory, or paths of image files.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use brickwork_formats::{NoMemory, read_whole};

use crate::error::DataError;
use crate::image::{Image, Pixels};
use crate::split::Split;

/// Extents shared by all images of an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Shape {
    /// Numbers per image. Only the extents of an empty array can be too large to multiply.
    pub(crate) fn volume(self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }
}

/// Where an image is stored: a file of its own, or bytes of an archive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ImageFile {
    /// A whole file.
    Own(PathBuf),
    /// An entry of an archive that is not packed.
    Entry {
        /// The archive.
        archive: Arc<Path>,
        /// What the archive calls it.
        name: String,
        /// Where it begins, in bytes.
        offset: u64,
        /// Bytes it has.
        length: u64,
    },
    /// Bytes of a file, in memory.
    #[cfg(feature = "parquet")]
    Held {
        /// What errors call it.
        name: PathBuf,
        /// All of them.
        bytes: Arc<[u8]>,
    },
}

impl ImageFile {
    /// Where errors say that it is.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Own(path) => path.clone(),
            Self::Entry { archive, name, .. } => archive.join(name),
            #[cfg(feature = "parquet")]
            Self::Held { name, .. } => name.clone(),
        }
    }

    /// Gives `take` what tells it from others: where it lies, how long it is and when it was written.
    pub(crate) fn identify(&self, take: &mut dyn FnMut(&[u8])) -> Result<(), DataError> {
        let file = match self {
            Self::Own(path) => path.as_path(),
            Self::Entry { archive, offset, length, .. } => {
                take(&offset.to_le_bytes());
                take(&length.to_le_bytes());
                archive
            }
            #[cfg(feature = "parquet")]
            Self::Held { bytes, .. } => {
                take(bytes);
                return Ok(());
            }
        };
        let found = std::fs::metadata(file).map_err(|error| DataError::io(file, error))?;
        take(file.as_os_str().as_encoded_bytes());
        take(&found.len().to_le_bytes());
        let written = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        take(&written.unwrap_or_default().as_nanos().to_le_bytes());
        Ok(())
    }

    /// All its bytes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, DataError> {
        match self {
            Self::Own(path) => read_whole(path).map_err(|error| DataError::io(path, error)),
            Self::Entry { archive, offset, length, .. } => {
                let failed = |error| DataError::io(archive, error);
                let mut file = File::open(archive).map_err(failed)?;
                file.seek(SeekFrom::Start(*offset)).map_err(failed)?;
                let mut bytes = Vec::new();
                file.take(*length).read_to_end(&mut bytes).map_err(failed)?;
                Ok(bytes)
            }
            #[cfg(feature = "parquet")]
            Self::Held { bytes, .. } => Ok(bytes.to_vec()),
        }
    }
}

/// The images of a data set.
pub(crate) enum Samples {
    /// Images in `[n, h, w, c]` order.
    Memory { shape: Shape, pixels: Pixels },
    /// Image files, decoded when asked for.
    Files(Vec<ImageFile>),
}

impl Samples {
    /// Image `index` of an array.
    pub(crate) fn cut(shape: Shape, pixels: &Pixels, index: usize) -> Result<Image, DataError> {
        let volume = shape.volume();
        let range = index * volume..(index + 1) * volume;
        let pixels = match pixels {
            Pixels::U8(all) => Pixels::U8(all[range].to_vec()),
            Pixels::F32(all) => Pixels::F32(all[range].to_vec()),
        };
        Image::new(shape.height, shape.width, shape.channels, pixels)
    }
}

/// What a reader found at a path.
pub(crate) struct Found {
    /// The kind of data, for people.
    pub(crate) kind: &'static str,
    /// The part that was read, if not all of them.
    pub(crate) split: Option<Split>,
    pub(crate) classes: Vec<String>,
    pub(crate) samples: Samples,
    pub(crate) labels: Labels,
}

/// Of which classes images are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Labels {
    /// Each of one.
    One(Vec<usize>),
    /// Each of any number of them, rising.
    Several(Vec<Vec<usize>>),
}

impl Labels {
    /// Those of several parts, one after the other: one each, if all parts have one each.
    pub(crate) fn concat(parts: Vec<Self>) -> Self {
        let several = parts.iter().any(|part| matches!(part, Self::Several(_)));
        if several {
            return Self::Several(parts.into_iter().flat_map(Self::sets).collect());
        }
        let one = |part| match part {
            Self::One(labels) => labels,
            Self::Several(_) => Vec::new(),
        };
        Self::One(parts.into_iter().flat_map(one).collect())
    }

    fn sets(self) -> Vec<Vec<usize>> {
        match self {
            Self::One(labels) => labels.into_iter().map(|label| vec![label]).collect(),
            Self::Several(sets) => sets,
        }
    }

    /// One number for each image: its class, or the first of several, or 0 of none.
    pub(crate) fn first(&self) -> Vec<usize> {
        match self {
            Self::One(labels) => labels.clone(),
            Self::Several(sets) => {
                sets.iter().map(|set| set.first().copied().unwrap_or(0)).collect()
            }
        }
    }
}

/// Images of one array with their labels.
#[derive(Debug)]
pub(crate) struct Block {
    place: String,
    shape: Shape,
    pixels: Pixels,
    labels: Vec<usize>,
}

impl Block {
    /// `pixels` in `[n, h, w, c]` order, one label each.
    pub(crate) fn new(
        place: String,
        shape: Shape,
        pixels: Pixels,
        labels: Vec<usize>,
    ) -> Result<Self, DataError> {
        if shape.volume() == 0 {
            let Shape { height, width, channels } = shape;
            let problem = format!(
                "images of height {height}, width {width} and {channels} channels hold nothing"
            );
            return Err(DataError::Malformed { place, problem });
        }
        let images = pixels.len() / shape.volume();
        if images != labels.len() {
            return Err(DataError::Counts { place, images, labels: labels.len() });
        }
        Ok(Self { place, shape, pixels, labels })
    }

    /// The block, if all labels are below `classes`.
    pub(crate) fn within(self, classes: usize) -> Result<Self, DataError> {
        match self.labels.iter().position(|&label| label >= classes) {
            None => Ok(self),
            Some(index) => Err(DataError::Label {
                label: self.labels[index] as i128,
                place: self.place,
                index,
                classes,
            }),
        }
    }

    fn append(&mut self, mut next: Self) -> Result<(), DataError> {
        let joined = match (&mut self.pixels, &mut next.pixels) {
            (Pixels::U8(own), Pixels::U8(more)) if self.shape == next.shape => append(own, more),
            (Pixels::F32(own), Pixels::F32(more)) if self.shape == next.shape => append(own, more),
            _ => {
                let problem =
                    format!("holds {}, but {} holds {}", next.form(), self.place, self.form());
                return Err(DataError::Malformed { place: next.place, problem });
            }
        };
        joined.map_err(|source| DataError::NoMemory { place: next.place, source })?;
        self.labels.append(&mut next.labels);
        Ok(())
    }

    fn form(&self) -> String {
        let Shape { height, width, channels } = self.shape;
        let element = if matches!(self.pixels, Pixels::U8(_)) { "u8" } else { "f32" };
        format!("{element} images of {height} by {width} by {channels}")
    }
}

fn append<T>(own: &mut Vec<T>, more: &mut Vec<T>) -> Result<(), NoMemory> {
    let bytes = (own.len() + more.len()) as u128 * size_of::<T>() as u128;
    own.try_reserve_exact(more.len()).map_err(|_| NoMemory { bytes })?;
    own.append(more);
    Ok(())
}

/// Blocks one after the other, read as they are needed; `place` names them together.
pub(crate) fn join(
    place: String,
    blocks: impl IntoIterator<Item = Result<Block, DataError>>,
) -> Result<(Samples, Vec<usize>), DataError> {
    let mut whole: Option<Block> = None;
    for block in blocks {
        match &mut whole {
            None => whole = Some(block?),
            Some(whole) => whole.append(block?)?,
        }
    }
    match whole {
        Some(Block { shape, pixels, labels, .. }) if !labels.is_empty() => {
            Ok((Samples::Memory { shape, pixels }, labels))
        }
        _ => Err(DataError::Empty { place }),
    }
}

/// `[c, h, w]` values written as `[h, w, c]`.
pub(crate) fn interleave<T: Copy>(planes: &[T], channels: usize, out: &mut [T]) {
    let area = planes.len() / channels;
    for (channel, plane) in planes.chunks_exact(area).enumerate() {
        for (pixel, &value) in out.chunks_exact_mut(channels).zip(plane) {
            pixel[channel] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(side: usize, labels: &[usize]) -> Block {
        let shape = Shape { height: side, width: side, channels: 1 };
        let pixels = Pixels::U8(vec![0; labels.len() * shape.volume()]);
        Block::new(format!("{side}"), shape, pixels, labels.to_vec()).expect("block")
    }

    #[test]
    fn joined_blocks_agree_in_size() {
        let (_, labels) =
            join("x".into(), [Ok(block(2, &[0])), Ok(block(2, &[1, 2]))]).expect("same");
        assert_eq!(labels, [0, 1, 2]);
        let error =
            join("x".into(), [Ok(block(2, &[0])), Ok(block(3, &[1]))]).err().expect("differ");
        assert_eq!(
            error.to_string(),
            "3: holds u8 images of 3 by 3 by 1, but 2 holds u8 images of 2 by 2 by 1"
        );
        assert!(matches!(join("x".into(), [Ok(block(2, &[]))]), Err(DataError::Empty { .. })));
        assert!(matches!(join("x".into(), []), Err(DataError::Empty { .. })));
    }

    #[test]
    fn blocks_refuse_wrong_counts_labels_and_extents() {
        let shape = Shape { height: 1, width: 1, channels: 1 };
        let counts =
            Block::new("x".into(), shape, Pixels::U8(vec![0; 3]), vec![0; 2]).expect_err("refused");
        assert!(matches!(counts, DataError::Counts { images: 3, labels: 2, .. }));
        let label = block(1, &[0, 5]).within(5).expect_err("refused");
        assert!(matches!(label, DataError::Label { index: 1, label: 5, classes: 5, .. }));
        let flat = Shape { height: 0, width: 1, channels: 1 };
        assert!(Block::new("x".into(), flat, Pixels::U8(vec![]), vec![]).is_err());
    }

    #[test]
    fn interleaving_moves_channels_last() {
        let mut out = [0; 6];
        interleave(&[1, 2, 3, 4, 5, 6], 3, &mut out);
        assert_eq!(out, [1, 3, 5, 2, 4, 6]);
    }
}
