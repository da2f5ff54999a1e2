//! The threshold below which an image is of no known class.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An image is accepted if its top score is above the threshold. Travels in a model's card.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reject {
    /// The threshold.
    pub threshold: f32,
    /// Own images it was fitted on.
    pub own_images: usize,
    /// Foreign images it was fitted on.
    pub foreign_images: usize,
    /// Share of these own images that are accepted.
    pub recall: f64,
    /// Share of these foreign images that are accepted, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_accepts: Option<f64>,
}
