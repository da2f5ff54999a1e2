//! Which parts of a data set are read.

use std::path::Path;

use crate::error::DataError;
use crate::split::Split;

/// The parts that were asked for, in the order of [`Split`], then others; all of them for `None`. Where there is no
/// part to test on, that to validate on counts as such.
pub(super) fn choose<T>(
    path: &Path,
    mut parts: Vec<(Option<Split>, T)>,
    asked: Option<Split>,
) -> Result<Vec<T>, DataError> {
    parts.sort_by_key(|(split, _)| (split.is_none(), *split));
    let mut found: Vec<Split> = parts.iter().filter_map(|(split, _)| *split).collect();
    found.dedup();
    let asked = match asked {
        Some(Split::Test) if !found.contains(&Split::Test) && found.contains(&Split::Val) => {
            Some(Split::Val)
        }
        other => other,
    };
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
        let validation = || vec![(Some(Split::Val), 'v'), (Some(Split::Train), 'a')];
        assert_eq!(choose(path, validation(), Some(Split::Test)).expect("val"), ['v']);
        assert_eq!(choose(path, validation(), Some(Split::Val)).expect("val"), ['v']);
        assert!(choose(path, parts(), Some(Split::Val)).is_err());
        let error = choose(path, vec![(None, 'x')], Some(Split::Test)).expect_err("refused");
        assert!(matches!(&error, DataError::NoSplit { found, .. } if found.is_empty()));
        assert!(error.to_string().contains("data has no train and test parts"), "{error}");
    }
}
