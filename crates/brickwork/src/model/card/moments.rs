//! What scores look like on images, in a few numbers.

use serde::{Deserialize, Serialize};

/// Means and covariances of a component's logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Fingerprint of the network they are of; of any other they say nothing.
    pub fingerprint: String,
    /// Images of its own classes.
    pub own_images: usize,
    /// Images of other classes.
    pub foreign_images: usize,
    /// For every class of the component, the mean logits of its images.
    pub means: Vec<Vec<f32>>,
    /// The covariance of the logits for every class, or one for all: upper triangles, row by row.
    pub covariances: Vec<Vec<f32>>,
    /// The mean logits of images of other classes, if there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_mean: Vec<f32>,
    /// Their covariance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_covariance: Vec<f32>,
}

impl Moments {
    /// Whether there is one mean and covariance for each of `classes`, of so many logits.
    pub(crate) fn fit(&self, classes: usize) -> bool {
        let triangle = classes * (classes + 1) / 2;
        let foreign = (self.foreign_mean.len(), self.foreign_covariance.len());
        self.means.len() == classes
            && [1, classes].contains(&self.covariances.len())
            && self.means.iter().all(|mean| mean.len() == classes)
            && self.covariances.iter().all(|spread| spread.len() == triangle)
            && [(0, 0), (classes, triangle)].contains(&foreign)
    }
}
