//! Class names as people spell them.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// Names to be looked up, by place.
pub(crate) struct Names {
    exact: HashMap<String, Option<usize>>,
    plain: HashMap<String, Option<usize>>,
}

impl Names {
    /// `names` in their order, with the place of each.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = (&'a str, usize)>) -> Self {
        let (mut exact, mut plain) = (HashMap::new(), HashMap::new());
        for (name, place) in names {
            note(&mut exact, name.to_owned(), place);
            note(&mut plain, spelt_plainly(name), place);
        }
        // Names of signs alone, such as + and -, have nothing that could be compared.
        plain.remove("");
        Self { exact, plain }
    }

    /// The place of `name`; otherwise that of the only name that differs from it in no more than case,
    /// Unicode form, spaces and punctuation.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.exact(name).or_else(|| self.plain.get(&spelt_plainly(name)).copied().flatten())
    }

    /// The place of `name`, if it stands at one place alone.
    pub(crate) fn exact(&self, name: &str) -> Option<usize> {
        self.exact.get(name).copied().flatten()
    }
}

/// Notes a place, or that there are several.
fn note(places: &mut HashMap<String, Option<usize>>, name: String, place: usize) {
    let known = places.entry(name).or_insert(Some(place));
    if *known != Some(place) {
        *known = None;
    }
}

/// Letters and digits of a name, in small letters and in Unicode's form NFKC. Numbers keep their signs and points:
/// -1 is not 1, and 1.0 is not 10.
pub(crate) fn spelt_plainly(name: &str) -> String {
    let lower: String = name.nfkc().flat_map(char::to_lowercase).collect();
    let number = lower.trim();
    let is_number = number.parse::<f64>().is_ok_and(f64::is_finite);
    let kept = |c: &char| is_number || c.is_alphanumeric();
    number.nfkc().filter(kept).collect()
}

/// The numbers that names are, if all are whole numbers.
pub(crate) fn numbers<'a>(names: impl IntoIterator<Item = &'a String>) -> Option<Vec<usize>> {
    names.into_iter().map(|name| number(name)).collect()
}

/// The whole number that a name is.
pub(crate) fn number(name: &str) -> Option<usize> {
    name.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.parse().ok()).flatten()
}

/// Whether all names are whole numbers, with signs or without.
pub(crate) fn are_whole(names: &[String]) -> bool {
    !names.is_empty() && names.iter().all(|name| name.parse::<i128>().is_ok())
}

/// Whether names are the same words around numbers, such as class1, class2 and class10, that do not stand
/// in the order of the numbers.
pub(crate) fn numbered_out_of_order(names: &[String]) -> bool {
    let parted: Option<Vec<([&str; 2], u128)>> = names.iter().map(|name| around(name)).collect();
    let Some(parted) = parted else { return false };
    let same = parted.iter().all(|(words, _)| *words == parted[0].0);
    same && !parted.is_sorted_by_key(|(_, number)| *number)
}

/// What stands before and behind the last number in a name, and that number.
fn around(name: &str) -> Option<([&str; 2], u128)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end].rfind(|c: char| !c.is_ascii_digit());
    let start = start.map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    Some(([&name[..start], &name[end..]], name[start..end].parse().ok()?))
}

/// The first few of a list, for people.
pub(crate) fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_is_forgiven_where_it_leaves_no_doubt() {
        let list = ["Ankle boot", "C", "C++", "M\u{fc}ll", "+", "-", "cat", "Cat", "1", "10"];
        let names = Names::new(list.iter().copied().zip(0..));
        for (name, place) in [
            ("ankle-boot", Some(0)),
            ("C++", Some(2)),
            ("c", None),
            ("mu\u{308}ll", Some(3)),
            ("\u{ff2d}\u{fc}ll", Some(3)),
            ("+", Some(4)),
            ("*", None),
            ("cat", Some(6)),
            ("CAT", None),
            ("-1", None),
            ("1.0", None),
            ("(1)", Some(8)),
        ] {
            assert_eq!(names.find(name), place, "{name}");
        }
    }

    #[test]
    fn numbers_are_whole() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(numbers(&list(&["0", "07", "12"])), Some(vec![0, 7, 12]));
        for odd in ["", "-1", "+1", "1.0", "a", "99999999999999999999999"] {
            assert_eq!(number(odd), None, "{odd}");
        }
    }

    #[test]
    fn numbers_in_names_are_compared() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        for (names, odd) in [
            (&["class1", "class10", "class2"][..], true),
            (&["class1", "class2", "class10"], false),
            (&["1_a", "2_b", "10_c"], false),
            (&["été 10 x", "été 9 x"], true),
            (&["a", "b"], false),
        ] {
            assert_eq!(numbered_out_of_order(&list(names)), odd, "{names:?}");
        }
        assert!(are_whole(&list(&["-1", "0", "12"])) && !are_whole(&list(&["1", "a"])));
    }
}
