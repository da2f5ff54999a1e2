//! Which parts of a data set are read.

use std::path::Path;

use crate::error::DataError;
use crate::split::Split;

/// Parts that are read.
#[derive(Debug, PartialEq)]
pub(super) struct Chosen<T> {
    /// Which they are, if one was asked for.
    pub(super) split: Option<Split>,
    pub(super) parts: Vec<T>,
}

/// The parts that were asked for, in the order of [`Split`], then others; all of them for `None`. Where there is no
/// part to test on, that to validate on counts as such.
pub(super) fn choose<T>(
    path: &Path,
    mut parts: Vec<(Option<Split>, T)>,
    asked: Option<Split>,
) -> Result<Chosen<T>, DataError> {
    parts.sort_by_key(|(split, _)| (split.is_none(), *split));
    let mut found: Vec<Split> = parts.iter().filter_map(|(split, _)| *split).collect();
    found.dedup();
    let split = match asked {
        Some(Split::Test) if !found.contains(&Split::Test) && found.contains(&Split::Val) => {
            Some(Split::Val)
        }
        other => other,
    };
    if let Some(asked) = split.filter(|split| !found.contains(split)) {
        return Err(DataError::NoSplit { path: path.into(), asked, found });
    }
    parts.retain(|(part, _)| split.is_none() || *part == split);
    Ok(Chosen { split, parts: parts.into_iter().map(|(_, part)| part).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_a_fixed_order() {
        let parts = || vec![(None, 'x'), (Some(Split::Test), 'b'), (Some(Split::Train), 'a')];
        let path = Path::new("data");
        let is = |split, parts: &[char]| Chosen { split, parts: parts.to_vec() };
        assert_eq!(choose(path, parts(), None).expect("all"), is(None, &['a', 'b', 'x']));
        let test = Some(Split::Test);
        assert_eq!(choose(path, parts(), test).expect("test"), is(test, &['b']));
        let validation = || vec![(Some(Split::Val), 'v'), (Some(Split::Train), 'a')];
        let val = is(Some(Split::Val), &['v']);
        assert_eq!(choose(path, validation(), test).expect("val"), val);
        assert_eq!(choose(path, validation(), Some(Split::Val)).expect("val"), val);
        assert!(choose(path, parts(), Some(Split::Val)).is_err());
        let error = choose(path, vec![(None, 'x')], test).expect_err("refused");
        assert!(matches!(&error, DataError::NoSplit { found, .. } if found.is_empty()));
        assert!(error.to_string().contains("data has no train and test parts"), "{error}");
    }
}
