//! From which contribution on a channel counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a relative contribution starts to count (Model LEGO, sections 3.1 and 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Thresholds {
    /// For a convolution: an input counts for an output above this relative contribution.
    pub alpha_conv: f32,
    /// For a convolution: an input is relevant above this relative count.
    pub beta_conv: f32,
    /// As `alpha_conv`, for linear layers.
    pub alpha_linear: f32,
    /// As `beta_conv`, for linear layers.
    pub beta_linear: f32,
}

impl Default for Thresholds {
    /// The paper's: 0.3 and 0.2 for convolutions, 0.4 and 0.3 for linear layers.
    fn default() -> Self {
        Self { alpha_conv: 0.3, beta_conv: 0.2, alpha_linear: 0.4, beta_linear: 0.3 }
    }
}

/// How relevance is linked from layer to layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Along the graph.
    #[default]
    Graph,
    /// As the published code does.
    Reference,
}
