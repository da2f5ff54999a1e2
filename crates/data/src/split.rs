//! The parts that data sets come in.

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
    /// The samples to choose by, while something is made.
    Val,
    /// The samples to measure on; those to validate on where there are no others.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}

impl Split {
    /// The part that a folder, or a word in a table, names.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        match &word.to_lowercase()[..] {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" => Some(Self::Val),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }

    /// What a file name says: "train" and "data_batch" are training, "t10k" and "test" testing, a word such as "val"
    /// validation.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match () {
            () if holds(&["train", "data_batch"]) => Some(Self::Train),
            () if holds(&["t10k", "test"]) => Some(Self::Test),
            () => Self::in_words(&name),
        }
    }

    /// What the first word of a text that names a part says.
    pub(crate) fn in_words(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_alphanumeric()).find_map(Self::of_word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_split() {
        assert_eq!(Split::of_name("mnist-train-2000-images"), Some(Split::Train));
        assert_eq!(Split::of_name("T10K-labels"), Some(Split::Test));
        assert_eq!(Split::of_name("validation-00000-of-00002.parquet"), Some(Split::Val));
        assert_eq!(Split::of_name("images"), None);
        assert_eq!(Split::of_name("values"), None);
    }
}
