//! Which parts of a data set are read.

use std::path::Path;

use crate::error::DataError;
use crate::split::Split;

/// The parts that were asked for, in the order train, test, others; all of them for `None`.
pub(super) fn choose<T>(
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
