//! Class lists as users write them: names, or indices, or inclusive ranges of either.

use crate::model::error::Error;
use crate::model::names::{Names, number};

/// The items of a list: `a,b,c`, where one that holds a comma stands in double quotes, or `@FILE` with one a
/// line.
///
/// # Errors
/// If the file cannot be read, or a quote is not closed.
pub(crate) fn items(text: &str) -> Result<Vec<String>, Error> {
    if let Some(path) = text.strip_prefix('@') {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::classes(format!("cannot read the classes in {path}: {error}"))
        })?;
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        return Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect());
    }
    let text = flush(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let record = reader.records().next().transpose();
    let record = record
        .map_err(|error| Error::classes(format!("`{text}` is no list of classes: {error}")))?;
    Ok(record.iter().flatten().map(str::to_owned).collect())
}

/// The list that is [read](parse) as these names.
pub fn list(names: &[String]) -> String {
    let quoted = |name: &String| match name.contains([',', '"']) || name.trim() != name {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.clone(),
    };
    names.iter().map(quoted).collect::<Vec<_>>().join(",")
}

/// The list without spaces before its items, as a quote counts where an item begins.
fn flush(text: &str) -> String {
    let (mut list, mut begins, mut in_quotes, mut open) = (String::new(), true, false, false);
    for letter in text.chars() {
        if begins && letter.is_whitespace() {
            continue;
        }
        if begins {
            in_quotes = letter == '"';
        }
        open ^= in_quotes && letter == '"';
        begins = letter == ',' && !open;
        list.push(letter);
    }
    list
}

/// The indices that `text` selects among `names`, rising: one name, or a list (`a,b,"c, d"`, or `@FILE` with
/// one a line) of names, or one of indices, or of ranges such as `5-7` (inclusive) between two names or two
/// indices. Names and indices do not mix: where a class is called by a number, numbers are names.
///
/// # Errors
/// Every item that selects nothing, with the closest names; names and indices in one list; a class that
/// is selected twice.
pub fn parse(text: &str, names: &[String]) -> Result<Vec<usize>, Error> {
    let known = Names::new(names.iter().map(String::as_str).zip(0..));
    let named = |item: &str| {
        let exact = names.iter().position(|name| name == item);
        exact.or_else(|| known.find(item))
    };
    if let Some(index) = named(text.trim()) {
        return Ok(vec![index]);
    }
    let items: Vec<String> = items(text)?.into_iter().filter(|item| !item.is_empty()).collect();
    if items.is_empty() {
        return Err(Error::classes(
            "no classes are selected; name at least one, as in cat,dog or 0-4".to_owned(),
        ));
    }
    let by_name: Vec<_> = items.iter().map(|item| range(item, named)).collect();
    let index = |end: &str| number(end).filter(|&index| index < names.len());
    let by_index: Vec<_> = items.iter().map(|item| range(item, index)).collect();
    let chosen = match called_by_numbers(names) || by_index.iter().all(Option::is_none) {
        true => by_name,
        false if by_name.iter().all(Option::is_none) => by_index,
        false => {
            let mixed = |found: &[Option<Vec<usize>>]| {
                let place = found.iter().position(Option::is_some);
                place.map_or("", |place| &items[place]).to_owned()
            };
            return Err(Error::classes(format!(
                "`{}` is a name and `{}` an index; give all classes by name, or all by index",
                mixed(&by_name),
                mixed(&by_index)
            )));
        }
    };
    let lost: Vec<&str> = items
        .iter()
        .zip(&chosen)
        .filter(|(_, found)| found.is_none())
        .map(|(item, _)| &item[..])
        .collect();
    if !lost.is_empty() {
        return Err(Error::classes(describe_lost(&lost, names)));
    }
    let mut found: Vec<usize> = chosen.into_iter().flatten().flatten().collect();
    found.sort_unstable();
    match found.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::classes(format!(
            "class `{}` is selected twice; name every class once",
            names[pair[0]]
        ))),
        None => Ok(found),
    }
}

/// Whether a class is called by a number, so that numbers are names.
pub(crate) fn called_by_numbers(names: &[String]) -> bool {
    names.iter().any(|name| number(name).is_some())
}

/// What an item selects, if `find` knows it or both its ends.
fn range(item: &str, find: impl Fn(&str) -> Option<usize>) -> Option<Vec<usize>> {
    if let Some(index) = find(item) {
        return Some(vec![index]);
    }
    // A dash may also be part of a name, so every place to split is tried.
    item.match_indices('-').find_map(|(at, _)| {
        let (first, last) = (find(item[..at].trim())?, find(item[at + 1..].trim())?);
        (first <= last).then(|| (first..=last).collect())
    })
}

fn describe_lost(lost: &[&str], names: &[String]) -> String {
    let items: Vec<String> = lost
        .iter()
        .map(|item| match closest(item, names) {
            Some(name) => format!("`{item}` (did you mean `{name}`?)"),
            None => format!("`{item}`"),
        })
        .collect();
    let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
    let more = if names.len() > 20 { ", ..." } else { "" };
    let indices = match called_by_numbers(names) {
        true => "numbers are names here".to_owned(),
        false => format!("indices 0 to {}", names.len().saturating_sub(1)),
    };
    format!(
        "no such class: {}; there are {}: {}{more} ({indices})",
        items.join(", "),
        names.len(),
        shown.join(", "),
    )
}

fn closest<'a>(item: &str, names: &'a [String]) -> Option<&'a String> {
    let item = item.to_lowercase();
    names
        .iter()
        .map(|name| (distance(&item, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace) between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_among(names: &[&str], text: &str) -> Result<Vec<usize>, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        parse(text, &names).map_err(|error| error.to_string())
    }

    const NAMES: [&str; 6] =
        ["airplane", "cat", "ankle-boot", "t-shirt", "tench, Tinca tinca", "deer"];

    #[test]
    fn names_indices_and_ranges() {
        let parse = |text| parse_among(&NAMES, text);
        assert_eq!(parse("cat, airplane"), Ok(vec![0, 1]));
        assert_eq!(parse("1-3,5"), Ok(vec![1, 2, 3, 5]));
        assert_eq!(parse("ankle-boot"), Ok(vec![2]));
        assert_eq!(parse("Ankle Boot"), Ok(vec![2]));
        assert_eq!(parse("cat-t-shirt"), Ok(vec![1, 2, 3]));
        assert_eq!(parse("tench, Tinca tinca"), Ok(vec![4]));
        assert_eq!(parse("cat, \"tench, Tinca tinca\""), Ok(vec![1, 4]));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}deer\r\ntench, Tinca tinca\n").unwrap();
        assert_eq!(parse(&format!("@{}", file.path().display())), Ok(vec![4, 5]));
    }

    #[test]
    fn quoted_items_are_as_they_stand() {
        let list = |text| items(text).unwrap();
        assert_eq!(list("cat, \"dog,  small\" ,owl"), ["cat", "dog,  small", "owl"]);
        assert_eq!(list("\"a \"\"b\"\", c\", d"), ["a \"b\", c", "d"]);
        assert_eq!(list(" 6\" nail , cat"), ["6\" nail", "cat"]);
    }

    #[test]
    fn names_and_indices_do_not_mix() {
        let mixed = parse_among(&NAMES, "cat,0").unwrap_err();
        assert!(mixed.contains("`cat` is a name and `0` an index"), "{mixed}");
        for twice in ["cat,cat", "0-2,1", "cat,airplane-ankle-boot"] {
            let refused = parse_among(&NAMES, twice).unwrap_err();
            assert!(refused.contains("class `cat` is selected twice"), "{refused}");
        }
        let numbers = ["1", "2", "3"];
        assert_eq!(parse_among(&numbers, "1"), Ok(vec![0]));
        assert_eq!(parse_among(&numbers, "1-2"), Ok(vec![0, 1]));
        for unknown in ["0", "0,1", "0-1"] {
            let refused = parse_among(&numbers, unknown).unwrap_err();
            assert!(refused.contains("numbers are names here"), "{refused}");
        }
    }

    #[test]
    fn unknown_classes_are_all_named() {
        let text = parse_among(&NAMES, "cta,airplain,9,5-2").unwrap_err();
        for part in ["`cta`", "did you mean `airplane`?", "`9`", "`5-2`", "indices 0 to 5"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(parse_among(&NAMES, " , ").is_err());
        assert!(parse_among(&NAMES, "@no such file").unwrap_err().contains("cannot read"));
    }
}
