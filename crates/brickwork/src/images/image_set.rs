//! Preprocessed images in a fixed order, held in memory or read when they are needed.

use std::ops::Range;
use std::sync::Arc;

use brickwork_data::Preprocess;
use brickwork_tensor::Tensor;

use crate::images::source::Source;
use crate::model::digest::Hash;
use crate::model::error::Error;

/// Bytes of preprocessed images that are held; more are read when they are needed.
const HELD: usize = 1 << 30;

/// Preprocessed images `[n, c, h, w]` in a fixed order.
#[derive(Clone)]
pub struct ImageSet {
    stock: Arc<Stock>,
    /// Which of the stock's, in order.
    places: Vec<usize>,
}

enum Stock {
    /// `[n, c, h, w]`.
    Held(Tensor),
    /// Where each image lies: its source and its sample there.
    Stored { sources: Vec<Source>, preprocess: Preprocess, samples: Vec<Place> },
}

#[derive(Clone, Copy)]
struct Place {
    source: usize,
    index: usize,
}

impl From<Tensor> for ImageSet {
    fn from(images: Tensor) -> Self {
        let places = (0..images.shape()[0]).collect();
        Self { stock: Arc::new(Stock::Held(images)), places }
    }
}

impl ImageSet {
    /// Of every class at most so many images, at random, over all data sets. `classes` are pairs of a class and a
    /// number of images.
    ///
    /// # Errors
    /// If a class has no image, or one cannot be read.
    pub fn random(
        sources: &[Source],
        classes: &[(usize, usize)],
        seed: u64,
        preprocess: &Preprocess,
    ) -> Result<Self, Error> {
        let mut samples = Vec::new();
        for &(class, each) in classes {
            let before = samples.len();
            for (source, set) in sources.iter().enumerate() {
                let left = each - (samples.len() - before);
                let found = set.some_of(class, left, seed).into_iter();
                samples.extend(found.map(|index| Place { source, index }));
            }
            if samples.len() == before {
                let name = sources.iter().find_map(|source| source.name_of(class));
                let name = name.map_or(format!("{class}"), |name| format!("`{name}`"));
                return Err(Error::options(format!("the data has no image of class {name}")));
            }
        }
        Self::stored(sources, samples, preprocess)
    }

    fn stored(
        sources: &[Source],
        samples: Vec<Place>,
        preprocess: &Preprocess,
    ) -> Result<Self, Error> {
        let places: Vec<usize> = (0..samples.len()).collect();
        let bytes = size_of::<f32>() * samples.len() * preprocess.elements();
        let (sources, preprocess) = (sources.to_vec(), preprocess.clone());
        let stock = Stock::Stored { sources, preprocess, samples };
        let stock = if bytes <= HELD { Stock::Held(stock.load(&places)?) } else { stock };
        Ok(Self { stock: Arc::new(stock), places })
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Those at some places, in that order.
    pub fn some(&self, places: &[usize]) -> Self {
        let places = places.iter().map(|&place| self.places[place]).collect();
        Self { stock: self.stock.clone(), places }
    }

    /// Those from one place to another.
    pub fn range(&self, range: Range<usize>) -> Self {
        Self { stock: self.stock.clone(), places: self.places[range].to_vec() }
    }

    /// At most so many, evenly.
    pub fn evenly(&self, most: usize) -> Self {
        self.some(&evenly(self.len(), most).collect::<Vec<_>>())
    }

    /// All of them, `[n, c, h, w]`.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn load(&self) -> Result<Tensor, Error> {
        self.stock.load(&self.places)
    }

    /// What tells them from others: SHA-256 of the numbers that are held, or of what is read and how.
    ///
    /// # Errors
    /// If one is gone.
    pub(crate) fn digest(&self) -> Result<String, Error> {
        let mut hash = Hash::default();
        match &*self.stock {
            Stock::Held(images) => {
                images.shape().iter().for_each(|&side| hash.take(&side.to_le_bytes()));
                let volume = images.data().len() / images.shape()[0].max(1);
                for &place in &self.places {
                    let image = &images.data()[place * volume..(place + 1) * volume];
                    let bytes: Vec<u8> = image.iter().flat_map(|x| x.to_le_bytes()).collect();
                    hash.take(&bytes);
                }
            }
            Stock::Stored { sources, preprocess, samples } => {
                hash.take(format!("{preprocess:?}").as_bytes());
                for &place in &self.places {
                    let Place { source, index } = samples[place];
                    sources[source].dataset.identify(index, &mut |bytes| hash.take(bytes))?;
                }
            }
        }
        Ok(hash.digest())
    }

    /// Goes through them in order, `[n, c, h, w]` of at most `batch`.
    pub fn batches(&self, batch: usize) -> impl Iterator<Item = Result<Tensor, Error>> {
        self.places.chunks(batch.max(1)).map(|places| self.stock.load(places))
    }
}

impl Stock {
    fn load(&self, places: &[usize]) -> Result<Tensor, Error> {
        match self {
            Self::Held(images) => Ok(images.take(0, places)),
            Self::Stored { sources, preprocess, samples } => {
                let parts = places.chunk_by(|&a, &b| samples[a].source == samples[b].source);
                let read = |places: &[usize]| {
                    let indices: Vec<usize> = places.iter().map(|&k| samples[k].index).collect();
                    let source = &sources[samples[places[0]].source];
                    let images = source.dataset.batch(&indices, preprocess);
                    images.map_err(|error| source.all_unreadable(&indices, error).into())
                };
                let batches = parts.map(read).collect::<Result<Vec<Tensor>, Error>>()?;
                Ok(Tensor::concat(&batches.iter().collect::<Vec<_>>(), 0))
            }
        }
    }
}

/// At most so many of `count` places, evenly.
pub(crate) fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let some = count.min(most);
    (0..some).map(move |k| k * count / some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_images_are_spread_over_all() {
        let images = ImageSet::from(Tensor::new([7, 1, 1, 1], (0..7).map(|k| k as f32).collect()));
        let some = images.evenly(3);
        assert_eq!(some.load().unwrap().data(), [0.0, 2.0, 4.0]);
        assert_eq!(some.some(&[2, 0]).load().unwrap().data(), [4.0, 0.0]);
        assert_eq!(images.evenly(9).len(), 7);
        let parts: Vec<usize> =
            images.range(1..6).batches(2).map(|batch| batch.unwrap().shape()[0]).collect();
        assert_eq!(parts, [2, 2, 1]);
        assert_eq!(evenly(0, 5).count(), 0);
    }
}
