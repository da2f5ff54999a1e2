//! The two parts that data sets come in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a data set.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The samples to learn from.
    Train,
    /// The samples to measure on; validation folders count as this.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}

impl Split {
    /// What a file name says: "train" and "data_batch" are training, "t10k" and "test" testing.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match () {
            () if holds(&["train", "data_batch"]) => Some(Self::Train),
            () if holds(&["t10k", "test"]) => Some(Self::Test),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_split() {
        assert_eq!(Split::of_name("mnist-train-2000-images"), Some(Split::Train));
        assert_eq!(Split::of_name("T10K-labels"), Some(Split::Test));
        assert_eq!(Split::of_name("images"), None);
    }
}
