//! What can be asked of a network: its extents, its width, how it takes in its image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a network takes in its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// For small images: 3x3 convolutions that keep the size.
    Cifar,
    /// For large images: as published for ImageNet, a strided convolution and mostly a pool.
    Imagenet,
}

/// How to build a network.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchitectureOptions {
    /// Number of classes.
    pub classes: usize,
    /// Channels of the images.
    pub channels: usize,
    /// Height and width of the images.
    pub size: [usize; 2],
    /// Factor of the numbers of hidden channels. They are rounded, and at least 1.
    pub width: f64,
    /// How the image is taken in, where there is a choice; by its size if `None`.
    pub stem: Option<Stem>,
}
