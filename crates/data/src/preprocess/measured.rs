//! Mean and standard deviation from images.

use super::Preprocess;
use crate::dataset::Dataset;
use crate::error::DataError;

/// Samples that are looked at, at most, spread evenly over the data.
const MOST: usize = 10_000;

/// Samples decoded at a time.
const BATCH: usize = 256;

impl Preprocess {
    /// The same, with the mean and standard deviation that pixels of `dataset` have after scaling,
    /// per channel, rounded to four places. At most ten thousand images are looked at.
    ///
    /// # Errors
    /// If an image cannot be read or does not fit.
    pub fn measured(&self, dataset: &Dataset) -> Result<Self, DataError> {
        let plain = Self { mean: vec![0.0], std: vec![1.0], ..self.clone() };
        let step = dataset.len().div_ceil(MOST).max(1);
        let indices: Vec<usize> = (0..dataset.len()).step_by(step).collect();
        let (mut sums, mut squares) = (vec![0.0f64; self.channels], vec![0.0f64; self.channels]);
        let plane = self.size[0] * self.size[1];
        for indices in indices.chunks(BATCH) {
            let batch = dataset.batch(indices, &plain)?;
            for (k, pixels) in batch.data().chunks(plane).enumerate() {
                let channel = k % self.channels;
                for &x in pixels {
                    sums[channel] += f64::from(x);
                    squares[channel] += f64::from(x) * f64::from(x);
                }
            }
        }
        let count = (indices.len() * plane) as f64;
        let rounded = |x: f64| ((x * 1e4).round() / 1e4) as f32;
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let spread = squares.iter().zip(&mean).map(|(square, mean)| square / count - mean * mean);
        // Images of one colour have no spread to divide by.
        let std = spread.map(|v| rounded(v.max(0.0).sqrt())).map(|s| if s > 0.0 { s } else { 1.0 });
        let std = std.collect();
        Ok(Self { mean: mean.into_iter().map(rounded).collect(), std, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures;

    #[test]
    fn statistics_of_every_channel() {
        let folder = fixtures::folder();
        // Two images of two pixels and three channels; the last channel is of one colour.
        let pixels =
            [0, 255, 255, 255, 51, 51, 0, 255, 0, 0, 51, 51].map(f64::from).map(|x| x as u8);
        let path = fixtures::arrays(&folder, &[2, 3, 1, 2], &pixels, &[0, 1]);
        let data = Dataset::open(path, None).expect("opens");
        let made = Preprocess::plain([1, 2], 3).measured(&data).expect("measures");
        assert_eq!(made.mean, [0.5, 0.5, 0.2]);
        assert_eq!(made.std, [0.5, 0.5, 1.0]);
    }
}
