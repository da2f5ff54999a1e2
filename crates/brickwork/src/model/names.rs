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

/// Letters and digits of a name, in small letters and in Unicode's form NFKC.
pub(crate) fn spelt_plainly(name: &str) -> String {
    let lower: String = name.nfkc().flat_map(char::to_lowercase).collect();
    lower.nfkc().filter(|c| c.is_alphanumeric()).collect()
}

/// The numbers that names are, if all are whole numbers.
pub(crate) fn numbers<'a>(names: impl IntoIterator<Item = &'a String>) -> Option<Vec<usize>> {
    names.into_iter().map(|name| number(name)).collect()
}

/// The whole number that a name is.
pub(crate) fn number(name: &str) -> Option<usize> {
    name.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.parse().ok()).flatten()
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
        let list = ["Ankle boot", "C", "C++", "M\u{fc}ll", "+", "-", "cat", "Cat"];
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
}
