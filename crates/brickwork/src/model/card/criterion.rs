//! The names of what channels are judged by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What makes a channel worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// How far silencing it moves the scores, to first order (Molchanov et al. 2019).
    Taylor,
    /// How far what it contributes tells the classes apart, by a profile.
    Contribution,
    /// What it adds to the layers that read it, taken together.
    NetContribution,
    /// The mean square of its values times the squares of the weights that read it.
    Energy,
    /// What layers that read it cannot get back from their other inputs (Hassibi and Stork 1993).
    Reconstruction,
    /// The mean absolute weight of its filters (Li et al. 2017).
    L1,
    /// The distance of its filters from the others of their layer (He et al. 2019).
    Fpgm,
    /// The scale of the normalisation that follows (Liu et al. 2017).
    BnScale,
    /// Nothing: any, from a seed.
    Random,
}

impl Criterion {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Taylor,
        Self::Contribution,
        Self::NetContribution,
        Self::Energy,
        Self::Reconstruction,
        Self::L1,
        Self::Fpgm,
        Self::BnScale,
        Self::Random,
    ];

    /// Its name in words of the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Taylor => "taylor",
            Self::Contribution => "contribution",
            Self::NetContribution => "net-contribution",
            Self::Energy => "energy",
            Self::Reconstruction => "reconstruction",
            Self::L1 => "l1",
            Self::Fpgm => "fpgm",
            Self::BnScale => "bn-scale",
            Self::Random => "random",
        }
    }

    /// Whether worth is in a unit that all layers share, so that it can be weighed against what a
    /// group costs.
    pub fn is_absolute(self) -> bool {
        self == Self::Taylor
    }

    /// Whether it judges by images.
    pub fn needs_images(self) -> bool {
        matches!(self, Self::Taylor | Self::NetContribution | Self::Energy | Self::Reconstruction)
    }
}
