//! The two parts that data sets come in.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::DataError;

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

/// The parts that were asked for, in the order train, test, others; all of them for `None`.
pub(crate) fn choose<T>(
    path: &Path,
    mut parts: Vec<(Option<Split>, T)>,
    asked: Option<Split>,
) -> Result<Vec<T>, DataError> {
    parts.sort_by_key(|(split, _)| (split.is_none(), *split));
    let mut found: Vec<Split> = parts.iter().filter_map(|(split, _)| *split).collect();
    found.dedup();
    match asked {
        Some(asked) if !found.contains(&asked) => {
            Err(DataError::NoSplit { path: path.into(), asked, found })
        }
        _ => Ok(parts
            .into_iter()
            .filter(|(split, _)| asked.is_none() || *split == asked)
            .map(|(_, part)| part)
            .collect()),
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

    #[test]
    fn parts_come_in_a_fixed_order() {
        let parts = || vec![(None, 'x'), (Some(Split::Test), 'b'), (Some(Split::Train), 'a')];
        let path = Path::new("data");
        assert_eq!(choose(path, parts(), None).expect("all"), ['a', 'b', 'x']);
        assert_eq!(choose(path, parts(), Some(Split::Test)).expect("test"), ['b']);
        let error = choose(path, vec![(None, 'x')], Some(Split::Test)).expect_err("refused");
        assert!(matches!(&error, DataError::NoSplit { found, .. } if found.is_empty()));
        assert!(error.to_string().contains("data has no train and test parts"), "{error}");
    }
}
